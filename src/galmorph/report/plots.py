"""What `dvc metrics show` and `dvc plots show` read.

Each folder of plots holds one CSV per condition with the same columns, because DVC takes a folder as one entry of
dvc.yaml: a condition that is added needs no new line there.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from galmorph.report import accuracy
from galmorph.report.figures.results import Quantity, mean_curves
from galmorph.report.study import ConditionResults, Results
from galmorph.report.table import csv

# What `dvc metrics diff` and `dvc exp show` print, a column each for mean and spread of each phase; every other score
# is in tables/summary.csv.
METRICS = ("accuracy", "tss")
QUANTITIES: tuple[Quantity, ...] = ("loss", "accuracy")


def metrics(results: Results) -> dict[str, Any]:
    """Return condition -> epoch, and condition -> phase -> accuracy and TSS -> mean and std, rounded to 6 digits.

    What cannot be computed (the spread of a single run) is left out: JSON has no word for it.
    """
    nested: dict[str, Any] = {name: {"epoch": result.epoch} for name, result in results.items()}
    for name, result in results.items():
        for phase, part in result.phases.items():
            nested[name][phase] = {}
            for metric in METRICS:
                mean, std, _ = accuracy.spread(part.scores[metric])
                numbers = {"mean": mean, "std": std}
                nested[name][phase][metric] = {key: round(n, 6) for key, n in numbers.items() if math.isfinite(n)}
    return nested


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
    """Write metrics.json, plots/loss/CONDITION.csv, plots/accuracy/CONDITION.csv and plots/confusion/CONDITION.csv."""
    _write(folder / "metrics.json", json.dumps(metrics(results), indent=2, allow_nan=False) + "\n")
    for kind in (*QUANTITIES, "confusion"):
        (folder / "plots" / kind).mkdir(parents=True, exist_ok=True)
    for name, result in results.items():
        for quantity in QUANTITIES:
            _write(folder / "plots" / quantity / f"{name}.csv", csv(curve(result, quantity)))
        _write(folder / "plots" / "confusion" / f"{name}.csv", csv(confusion_items(result)))


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
