"""From a record to its named scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from galmorph.scores import metrics
from galmorph.training.protocol import EVALUATION_CLASSES
from galmorph.training.records import Evaluation, Record


def epoch_confusions(record: Record) -> NDArray[np.int64]:
    """Return the confusion matrix of the test part after each epoch, (epochs, K, K); rows true, columns predicted."""
    return metrics.confusion_matrix(record.sets["test"].truth, record.predicted, len(record.classes))


def curves(record: Record) -> dict[str, NDArray[np.float64]]:
    """Return the per-epoch curves, each (epochs,): those of the record's history, test_tss, and SET/test_accuracy.

    The last is of each set that was watched: a level of the resolution study.
    """
    watched = {
        f"{name}/test_accuracy": np.mean(evaluation.predicted == evaluation.truth, axis=1)
        for name, evaluation in record.sets.items()
        if evaluation.predicted is not None
    }
    return record.history | {"test_tss": metrics.tss(epoch_confusions(record))} | watched


def restricted(evaluation: Evaluation, classes: tuple[str, ...]) -> Evaluation:
    """Return the spirals and ellipticals of a set alone, with the probabilities of those two, in `EVALUATION_CLASSES`.

    This is what makes networks that know another number of classes comparable. The probabilities are as the network
    gave them: with a third class they do not add up to 1.
    """
    columns = [classes.index(name) for name in EVALUATION_CLASSES]
    judged = np.isin(evaluation.truth, columns)
    truth = (evaluation.truth[judged] == columns[1]).astype(np.uint8)
    return Evaluation(evaluation.rows[judged], truth, evaluation.probabilities[judged][:, columns])


def restricted_confusion(evaluation: Evaluation, classes: tuple[str, ...]) -> NDArray[np.int64]:
    """Return the 2 x 2 confusion of the spirals and ellipticals of a set, the answer restricted to those two."""
    alone = restricted(evaluation, classes)
    return metrics.confusion_matrix(alone.truth, np.argmax(alone.probabilities, axis=1), len(EVALUATION_CLASSES))


def set_confusions(record: Record) -> dict[str, NDArray[np.int64]]:
    """Return the 2 x 2 confusion of the spirals and ellipticals of each set beside the test part, by its name.

    Of those sets for which there are probabilities.
    """
    if not set(EVALUATION_CLASSES) <= set(record.classes):
        return {}
    return {
        name: restricted_confusion(evaluation, record.classes)
        for name, evaluation in record.sets.items()
        if name != "test" and len(evaluation.probabilities)
    }


def scores(record: Record, epoch: int) -> dict[str, float]:
    """Return the scores of a run after `epoch` completed passes.

    accuracy, tss and baseline on the test part; where the record holds probabilities also each of them on the common
    evaluation sets ("accuracy@common_natural", ...), and, for a condition with a class beside spiral and elliptical,
    "accuracy_restricted".
    """
    named = {"accuracy": metrics.accuracy, "tss": metrics.tss, "baseline": metrics.baseline}
    confusion = epoch_confusions(record)[epoch - 1]
    values = {name: float(score(confusion)) for name, score in named.items()}
    if not set(EVALUATION_CLASSES) <= set(record.classes):
        return values
    if len(record.classes) > len(EVALUATION_CLASSES) and len(record.sets["test"].probabilities):
        values["accuracy_restricted"] = float(
            metrics.accuracy(restricted_confusion(record.sets["test"], record.classes))
        )
    for name, confusion in set_confusions(record).items():
        values |= {f"{metric}@{name}": float(score(confusion)) for metric, score in named.items()}
    return values
