"""What MLflow should show of the records: names, tags, parameters and metrics, as plain values."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from galmorph.errors import counted
from galmorph.files.reading import file_md5
from galmorph.scores.evaluation import ConditionRecords, ScoredRun
from galmorph.training.protocol import EVALUATION_CLASSES
from galmorph.training.records import Record

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CONFUSION = "confusion/"
# Curves: metrics whose steps are epochs, or runs. MLflow draws each metric of a run's page, in sections by this part of
# the name, in the order of the alphabet: these come first.
BY_EPOCH, BY_RUN = "by_epoch/", "by_run/"
# A score has one value. MLflow draws one of step 0 as a bar, any other as a curve of one point.
SCORED = 0
DIGITS = 6  # of a mean over runs: MLflow shows every one
SECONDS = "training_seconds"  # measured, so that no record has it
KIND, STATUS = "galmorph.kind", "galmorph.status"


@dataclass(frozen=True)
class DataFile:
    """A file that a run has read: its path in the project, its md5 as DVC has it, and what for."""

    path: str
    md5: str
    context: str


@dataclass(frozen=True)
class Confusion:
    """Confusion matrices to be drawn.

    Attributes
    ----------
    matrices
        (runs, K, K) int64, galaxies; rows true, columns predicted.
    classes
        The K names, in that order.
    title
        Above the picture.
    """

    matrices: NDArray[np.int64]
    classes: tuple[str, ...]
    title: str

    def figure(self) -> Figure:
        """Draw the counts of a run, or mean ± standard deviation over several runs."""
        # Only a run that has no picture yet needs the drawing library.
        from matplotlib.figure import Figure
        from sklearn.metrics import ConfusionMatrixDisplay

        several = len(self.matrices) > 1
        mean = self.matrices.mean(axis=0) if several else self.matrices[0]
        figure = Figure(figsize=(6.4, 4.8), dpi=120)
        axes = figure.add_subplot()
        display = ConfusionMatrixDisplay(mean, display_labels=self.classes)
        display.plot(ax=axes, cmap="Blues", colorbar=False, values_format=".1f" if several else "d")
        if several:
            for text, std in zip(display.text_.flat, self.matrices.std(axis=0, ddof=1).flat, strict=True):
                text.set_text(f"{text.get_text()} ± {std:.1f}")
        axes.set_title(self.title)
        return figure


@dataclass(frozen=True)
class Content:
    """One run in the store.

    Attributes
    ----------
    name, tags, params
        As MLflow has them.
    metrics
        By name, {step: value}.
    files
        Kept with the run as they are.
    description
        For people, who may edit it.
    inputs
        The data that the run has read.
    confusion
        The confusion matrices of the run's picture.
    """

    name: str
    tags: dict[str, str]
    params: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, dict[int, float]] = field(default_factory=dict)
    files: tuple[Path, ...] = ()
    description: str = ""
    inputs: tuple[DataFile, ...] = ()
    confusion: Confusion | None = None

    def digest(self) -> str:
        """Return the sha256 of everything that is neither an identity nor for people to edit."""
        drawn = [self.confusion.classes, self.confusion.matrices.tolist()] if self.confusion else []
        files = [(file.name, file_md5(file)) for file in self.files]
        parts = (self.params, self.metrics, files, [asdict(file) for file in self.inputs], drawn)
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def metric_name(score: str) -> str:
    """Return the MLflow name of a score.

    Examples
    --------
    >>> metric_name("accuracy@common_natural")
    'common_natural/accuracy'
    """
    metric, _, evaluation_set = score.partition("@")
    return f"{evaluation_set}/{metric}" if evaluation_set else metric


def score_name(metric: str) -> str:
    """Return the score of an MLflow metric: the inverse of `metric_name`."""
    evaluation_set, _, score = metric.rpartition("/")
    return f"{score}@{evaluation_set}" if evaluation_set else score


def confusion_name(true: str, predicted: str, evaluation_set: str = "") -> str:
    """Return the MLflow name of a cell of the confusion matrix, on the test part or on another set.

    Examples
    --------
    >>> confusion_name("spiral", "elliptical")
    'confusion/spiral_as_elliptical'
    """
    return f"{evaluation_set}/{CONFUSION}{true}_as_{predicted}".removeprefix("/")


def _finite(metrics: dict[str, dict[int, float]]) -> dict[str, dict[int, float]]:
    kept = {name: {step: v for step, v in steps.items() if np.isfinite(v)} for name, steps in metrics.items()}
    return {name: steps for name, steps in kept.items() if steps}


def data_files(records: Sequence[Record], paths: Mapping[str, Path]) -> tuple[DataFile, ...]:
    """Return what some records were made from, each file once.

    Stamps at which a network was tested, and nothing else, are named "tested_..." in a record; a condition's own test
    part is of the stamps and the split that it trained with.
    """
    found: dict[tuple[str, str], DataFile] = {}
    for record in records:
        for name, md5 in record.data.items():
            if name in paths:
                path = paths[name].as_posix()
                context = "evaluation" if name.startswith("tested_") else "training"
                found.setdefault((path, md5), DataFile(path, md5, context))
    return tuple(found.values())


def run_metrics(run: ScoredRun) -> dict[str, dict[int, float]]:
    """Return every curve, score and cell of a confusion matrix of a run, {name: {step: value}}; what is finite."""
    metrics = {f"{BY_EPOCH}{name}": dict(enumerate(values.tolist(), start=1)) for name, values in run.curves.items()}
    if run.epoch is not None:
        metrics |= {metric_name(name): {SCORED: value} for name, value in run.scores.items()}
        for part, matrix in run.confusions.items():
            classes, where = (run.record.classes, "") if part == "test" else (EVALUATION_CLASSES, part)
            for (i, j), count in np.ndenumerate(matrix):
                metrics[confusion_name(classes[i], classes[j], where)] = {SCORED: float(count)}
    return _finite(metrics)


def run_content(run: ScoredRun, file: Path, paths: Mapping[str, Path] | None = None) -> Content:
    """Describe a run.

    Parameters
    ----------
    run, file
        The record with its scores, and where the record lies.
    paths
        Of the data that the record names.
    """
    record = run.record
    name = f"{record.condition} {record.phase} {record.run:02d}"
    matrix = run.confusions.get("test")
    return Content(
        name=name,
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
        metrics=run_metrics(run),
        files=(file,),
        inputs=data_files([record], paths or {}),
        confusion=None if matrix is None else Confusion(matrix[None], record.classes, name),
    )


def _mean_scores(phase: str, runs: Sequence[ScoredRun]) -> dict[str, dict[int, float]]:
    """Return the mean of each score over runs, and its standard deviation."""
    metrics = {}
    for name, column in pd.DataFrame([run.scores for run in runs]).items():
        for ending, value in (("", column.mean()), ("_std", column.std(ddof=1))):
            metrics[f"{phase}/{metric_name(str(name))}{ending}"] = {SCORED: round(float(value), DIGITS)}
    return metrics


def condition_content(condition: ConditionRecords) -> Content:
    """Describe the parent run of a condition: the mean curves and mean scores of each phase, with their spread."""
    metrics: dict[str, dict[int, float]] = {}
    for phase, runs in condition.scored.items():
        metrics |= _mean_scores(phase, runs)
        for name in runs[0].curves:
            epochs = pd.DataFrame([run.curves[name] for run in runs])
            for statistic, values in (("mean", epochs.mean()), ("std", epochs.std(ddof=1))):
                metrics[f"{BY_EPOCH}{phase}/{name}_{statistic}"] = dict(enumerate(values.tolist(), start=1))
    phase, runs = list(condition.scored.items())[-1]
    confusion = np.stack([run.confusions["test"] for run in runs])
    firsts = [records[0] for records in condition.phases.values()]
    first = firsts[0]
    return Content(
        name=condition.name,
        tags={KIND: "condition", STATUS: "current", "galmorph.condition": condition.name}
        | {f"galmorph.{phase}.fingerprint": records[0].fingerprint for phase, records in condition.phases.items()}
        | {f"galmorph.{name}_md5": md5 for name, md5 in first.data.items()},
        params={name: str(value) for name, value in first.parameters.items() if name != "epochs_trained"}
        | {"selected_epoch": str(condition.epoch)},
        metrics=_finite(metrics),
        description=_description(condition, metrics),
        inputs=data_files(firsts, condition.data),
        confusion=Confusion(confusion, first.classes, f"{condition.name}, {len(runs)} {phase} runs"),
    )


def baseline_content(condition: ConditionRecords, baseline: str) -> Content:
    """Describe a baseline of a condition: its mean scores, named as the parent's, and those of each run by its number.

    The runs of a baseline have no curves, so that one run in the store shows all of them.
    """
    runs = condition.scored_baselines[baseline]
    first = runs[0].record
    metrics = _mean_scores(first.phase, runs)
    for run in runs:
        for shown, steps in run_metrics(run).items():
            if not shown.startswith(BY_EPOCH):
                metrics.setdefault(f"{BY_RUN}{shown}", {})[run.record.run] = steps[SCORED]
    return Content(
        name=f"{condition.name} {baseline}",
        tags={
            KIND: "baseline",
            STATUS: "current",
            "galmorph.condition": condition.name,
            "galmorph.baseline": baseline,
            "galmorph.phase": first.phase,
            "galmorph.fingerprint": first.fingerprint,
            "galmorph.classes": " ".join(first.classes),
        },
        params={name: str(value) for name, value in first.parameters.items()},
        metrics=_finite(metrics),
        inputs=data_files([first], condition.data),
        confusion=Confusion(
            np.stack([run.confusions["test"] for run in runs]), first.classes, f"{condition.name}, {baseline}"
        ),
    )


def _description(condition: ConditionRecords, metrics: Mapping[str, Mapping[int, float]]) -> str:
    """A condition in a few lines of Markdown: its classes, and how well they are classified."""
    lines = []
    for phase, records in condition.phases.items():
        values = []
        for name, label in (("accuracy", "accuracy"), ("tss", "TSS")):
            mean, std = (metrics[f"{phase}/{name}{ending}"][SCORED] for ending in ("", "_std"))
            values.append(f"{label} {mean:.3f}" + (f" ± {std:.3f}" if np.isfinite(std) else ""))
        lines.append(f"- {phase}, {counted(len(records), 'run')}, epoch {condition.epoch}: {', '.join(values)}")
    classes = " / ".join(next(iter(condition.phases.values()))[0].classes)
    return "\n".join([f"**{classes}** (mean ± standard deviation over the runs)", "", *lines])
