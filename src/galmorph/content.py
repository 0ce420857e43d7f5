"""What MLflow should show of the records: names, tags, parameters and metrics, as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from galmorph.evaluation import curves, epoch_confusions, scores, set_confusions
from galmorph.records import Record
from galmorph.splits import EVALUATION_CLASSES

CONFUSION = "confusion/"
KIND, STATUS = "galmorph.kind", "galmorph.status"


@dataclass(frozen=True)
class Content:
    """One run in the store: its name, tags, parameters, metrics by name as {step: value}, and files."""

    name: str
    tags: dict[str, str]
    params: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, dict[int, float]] = field(default_factory=dict)
    files: tuple[Path, ...] = ()


@dataclass(frozen=True)
class ConditionRecords:
    """The records of a condition and their files, by phase, run 1 first, and its selected epoch."""

    name: str
    epoch: int
    phases: Mapping[str, Sequence[Record]]
    files: Mapping[str, Sequence[Path]]


def metric_name(score: str) -> str:
    """Return the MLflow name of a score: accuracy@common_natural becomes common_natural/accuracy."""
    metric, _, evaluation_set = score.partition("@")
    return f"{evaluation_set}/{metric}" if evaluation_set else metric


def score_name(metric: str) -> str:
    """Return the score of an MLflow metric: the inverse of `metric_name`."""
    evaluation_set, _, score = metric.rpartition("/")
    return f"{score}@{evaluation_set}" if evaluation_set else score


def confusion_name(true: str, predicted: str, evaluation_set: str = "") -> str:
    """Return the MLflow name of a cell of the confusion matrix, on the test part or on another set."""
    return f"{evaluation_set}/{CONFUSION}{true}_as_{predicted}".removeprefix("/")


def _finite(metrics: dict[str, dict[int, float]]) -> dict[str, dict[int, float]]:
    kept = {name: {step: v for step, v in steps.items() if np.isfinite(v)} for name, steps in metrics.items()}
    return {name: steps for name, steps in kept.items() if steps}


def run_content(record: Record, file: Path, epoch: int | None) -> Content:
    """Describe the run of a record.

    Parameters
    ----------
    record, file
        The record and where it lies.
    epoch
        The epoch whose scores are the run's own; None while it is not selected yet.
    """
    metrics = {name: dict(enumerate(values.tolist(), start=1)) for name, values in curves(record).items()}
    if epoch is not None:
        metrics |= {metric_name(name): {epoch: value} for name, value in scores(record, epoch).items()}
        matrices = {"": (record.classes, epoch_confusions(record)[epoch - 1])}
        matrices |= {name: (EVALUATION_CLASSES, matrix) for name, matrix in set_confusions(record).items()}
        for evaluation_set, (classes, matrix) in matrices.items():
            for i, true in enumerate(classes):
                for j, predicted in enumerate(classes):
                    metrics[confusion_name(true, predicted, evaluation_set)] = {epoch: float(matrix[i, j])}
    return Content(
        name=f"{record.condition} {record.phase} {record.run:02d}",
        tags={
            KIND: "run",
            STATUS: "current",
            "galmorph.condition": record.condition,
            "galmorph.phase": record.phase,
            "galmorph.run": str(record.run),
            "galmorph.fingerprint": record.fingerprint,
            "galmorph.classes": " ".join(record.classes),
        }
        | {f"galmorph.{name}_md5": md5 for name, md5 in record.data.items()},
        params={name: str(value) for name, value in record.parameters.items()}
        | {"phase": record.phase, "run": str(record.run), "softening": f"{record.softening:.9g}"},
        metrics=_finite(metrics),
        files=(file,),
    )


def condition_content(condition: ConditionRecords) -> Content:
    """Describe the parent run of a condition: the mean curves and mean scores of each phase, with their spread."""
    metrics: dict[str, dict[int, float]] = {}
    for phase, records in condition.phases.items():
        table = pd.DataFrame([scores(record, condition.epoch) for record in records])
        for name, column in table.items():
            metrics[f"{phase}/{metric_name(str(name))}"] = {condition.epoch: float(column.mean())}
            metrics[f"{phase}/{metric_name(str(name))}_std"] = {condition.epoch: float(column.std(ddof=1))}
        by_run = [curves(record) for record in records]
        for name in by_run[0]:
            epochs = pd.DataFrame([curve[name] for curve in by_run])
            for statistic, values in (("mean", epochs.mean()), ("std", epochs.std(ddof=1))):
                metrics[f"{phase}/{name}_{statistic}"] = dict(enumerate(values.tolist(), start=1))
    first = next(iter(condition.phases.values()))[0]
    return Content(
        name=condition.name,
        tags={KIND: "condition", STATUS: "current", "galmorph.condition": condition.name}
        | {f"galmorph.{phase}.fingerprint": records[0].fingerprint for phase, records in condition.phases.items()}
        | {f"galmorph.{name}_md5": md5 for name, md5 in first.data.items()},
        params={name: str(value) for name, value in first.parameters.items() if name != "epochs_trained"}
        | {"selected_epoch": str(condition.epoch)},
        metrics=_finite(metrics),
    )
