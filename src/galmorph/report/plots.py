"""What `dvc metrics show` and `dvc plots show` read.

Each folder holds one file per condition with the same keys or columns, because DVC takes a folder as one entry of
dvc.yaml: a condition that is added needs no new line there, and is a line of `dvc metrics show`.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd

from galmorph.report import accuracy
from galmorph.report.figures.results import Quantity, mean_curves
from galmorph.report.study import ConditionResults, Results
from galmorph.report.table import csv

QUANTITIES: tuple[Quantity, ...] = ("loss", "accuracy")


def metrics(result: ConditionResults) -> dict[str, float]:
    """Return what DVC prints of a condition, rounded to 6 digits; every other score is in summary.csv.

    The scores but for selected_accuracy are of the confirmed runs: mean and standard deviation. What cannot be computed
    (the spread of a single run) is left out: JSON has no word for it.
    """
    found: dict[str, float] = {}
    for metric in ("accuracy", "tss"):
        found[metric], found[f"{metric}_std"], _ = accuracy.spread(result.confirmed.scores[metric])
    found["selected_accuracy"], *_ = accuracy.spread(result.selected.scores["accuracy"])
    return {"epoch": result.epoch} | {name: round(value, 6) for name, value in found.items() if math.isfinite(value)}


def curve(result: ConditionResults, quantity: Quantity) -> pd.DataFrame:
    """Return a condition's mean learning curve: epoch, train, test, train_std, test_std (selected phase)."""
    curves = mean_curves(result.selected.history)
    columns = {"train": "mean", "test": "mean", "train_std": "std", "test_std": "std"}
    table = pd.DataFrame({name: curves[f"{name.split('_')[0]}_{quantity}", part] for name, part in columns.items()})
    return table.reset_index(names="epoch")


def confusion_items(result: ConditionResults) -> pd.DataFrame:
    """Return actual and predicted class, one row per test galaxy of all confirmed runs, sorted by class.

    DVC's confusion template counts rows.
    """
    total = result.confirmed.confusion.sum(axis=0)
    actual, predicted = (np.repeat(places.ravel(), total.ravel()) for places in np.indices(total.shape))
    classes = np.array(result.classes, dtype=object)
    return pd.DataFrame({"actual": classes[actual], "predicted": classes[predicted]})


def write(results: Results, folder: Path) -> None:
    """Write metrics/CONDITION.json, and CONDITION.csv in plots/loss, plots/accuracy and plots/confusion."""
    for kind in ("metrics", *(f"plots/{kind}" for kind in (*QUANTITIES, "confusion"))):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for name, result in results.items():
        _write(folder / "metrics" / f"{name}.json", json.dumps(metrics(result), indent=2, allow_nan=False) + "\n")
        for quantity in QUANTITIES:
            _write(folder / "plots" / quantity / f"{name}.csv", csv(curve(result, quantity)))
        _write(folder / "plots" / "confusion" / f"{name}.csv", csv(confusion_items(result)))


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
