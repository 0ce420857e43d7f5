"""From the records of a condition to the scores of its runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from galmorph.scores import metrics
from galmorph.training.protocol import EVALUATION_CLASSES
from galmorph.training.records import Evaluation, KeptNetwork, Record

SCORES = {"accuracy": metrics.accuracy, "tss": metrics.tss, "baseline": metrics.baseline}


@dataclass(frozen=True)
class ScoredRun:
    """A record with its scores.

    Attributes
    ----------
    record
        The record.
    epoch
        The completed passes after which the run is scored; None while none is selected.
    curves
        Each (epochs,): those of the record's history, test_tss, and SET/test_accuracy of each set that was watched (a
        validation part, a level of the resolution study).
    confusions
        By set of galaxies, (K, K) int64, rows true, columns predicted: "test" in the order of the
        condition's classes; each other set with probabilities, its spirals and ellipticals in the order of
        `EVALUATION_CLASSES`, the prediction restricted to those. Empty without an epoch, as are the scores.
    scores
        accuracy, tss and baseline on the test part, and "accuracy@SET" and so on of the other sets;
        "accuracy_restricted" for a condition with a class beside spiral and elliptical.
    """

    record: Record
    epoch: int | None
    curves: Mapping[str, NDArray[np.float64]]
    confusions: Mapping[str, NDArray[np.int64]]
    scores: Mapping[str, float]


def score_run(record: Record, epoch: int | None) -> ScoredRun:
    """Score a run after `epoch` completed passes; None gives its curves alone."""
    test = record.sets["test"]
    by_epoch = metrics.confusion_matrix(test.truth, record.predicted, len(record.classes))
    curves = record.history | {"test_tss": metrics.tss(by_epoch)}
    for name, part in record.sets.items():
        if part.predicted is not None:
            curves[f"{name}/test_accuracy"] = np.mean(part.predicted == part.truth, axis=1)
    if epoch is None:
        return ScoredRun(record, None, curves, {}, {})
    confusions, restricted_scores = {"test": by_epoch[epoch - 1]}, {}
    if set(EVALUATION_CLASSES) <= set(record.classes):
        parts = {name: part for name, part in record.sets.items() if len(part.probabilities)}
        matrices = {name: restricted_confusion(part, record.classes) for name, part in parts.items()}
        own = matrices.pop("test", None)
        confusions |= matrices
        if own is not None and len(record.classes) > len(EVALUATION_CLASSES):
            restricted_scores["accuracy_restricted"] = float(metrics.accuracy(own))
    scores = {
        score if name == "test" else f"{score}@{name}": float(function(matrix))
        for name, matrix in confusions.items()
        for score, function in SCORES.items()
    }
    return ScoredRun(record, epoch, curves, confusions, scores | restricted_scores)


def restricted(evaluation: Evaluation, classes: tuple[str, ...]) -> Evaluation:
    """Return the spirals and ellipticals of a set, with the probabilities of those two, in `EVALUATION_CLASSES`.

    This is what makes networks that know different classes comparable. The probabilities are as the network gave them:
    with a third class they do not add up to 1.
    """
    columns = [classes.index(name) for name in EVALUATION_CLASSES]
    judged = np.isin(evaluation.truth, columns)
    truth = (evaluation.truth[judged] == columns[1]).astype(np.uint8)
    return Evaluation(evaluation.rows[judged], truth, evaluation.probabilities[judged][:, columns])


def restricted_confusion(evaluation: Evaluation, classes: tuple[str, ...]) -> NDArray[np.int64]:
    """Return the 2 x 2 confusion matrix of `restricted`."""
    two = restricted(evaluation, classes)
    return metrics.confusion_matrix(two.truth, np.argmax(two.probabilities, axis=1), len(EVALUATION_CLASSES))


@dataclass(frozen=True)
class ConditionRecords:
    """The records of a condition, and what they score.

    Attributes
    ----------
    name, epoch
        The condition and its selected epoch.
    phases, files
        The records of each phase and their paths, run 1 first.
    data
        The paths of the files whose md5 the records hold, by the records' names for them.
    weights
        The paths of the kept weights of the confirmed runs, by run.
    baselines
        The records of each baseline, of the confirmed runs, run 1 first.
    """

    name: str
    epoch: int
    phases: Mapping[str, Sequence[Record]]
    files: Mapping[str, Sequence[Path]]
    data: Mapping[str, Path] = field(default_factory=dict)
    weights: Mapping[int, Path] = field(default_factory=dict)
    baselines: Mapping[str, Sequence[Record]] = field(default_factory=dict)

    @cached_property
    def scored(self) -> Mapping[str, Sequence[ScoredRun]]:
        """The records of each phase with their scores at the selected epoch."""
        return {phase: [score_run(record, self.epoch) for record in records] for phase, records in self.phases.items()}

    @cached_property
    def scored_baselines(self) -> Mapping[str, Sequence[ScoredRun]]:
        """The records of each baseline with their scores."""
        return {name: [score_run(record, record.epochs) for record in runs] for name, runs in self.baselines.items()}

    def network(self, record: Record, file: Path) -> KeptNetwork | None:
        """Return the network of a run, if it is kept."""
        if record.phase != "confirmed" or record.run not in self.weights:
            return None
        return KeptNetwork(record, file, self.weights[record.run], self.data["images"])
