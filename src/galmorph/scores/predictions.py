"""What networks predicted, galaxy by galaxy: from records to flat arrays.

MLflow has the scores of a run; what needs single galaxies (the bootstrap, probabilities, an epoch chosen on half of
them) is taken from the records.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from galmorph.scores import metrics
from galmorph.scores.evaluation import ConditionRecords, restricted
from galmorph.training.protocol import EVALUATION_CLASSES
from galmorph.training.records import Evaluation

OWN_TEST_PART = "own test part"
RESTRICTED = "own test part, spirals and ellipticals"


@dataclass(frozen=True)
class Predictions:
    """The predictions of the runs of one phase on their sets of one kind, one run after the other.

    Attributes
    ----------
    classes
        K names; class numbers count in this order.
    runs
        Number of runs.
    run, galaxy
        (n,) int64: the run, from 0, and the row of galaxies.parquet.
    truth, predicted
        (n,) class numbers.
    probabilities
        (n, K) float32; (0, K) in the selected phase.
    """

    classes: tuple[str, ...]
    runs: int
    run: NDArray[np.int64]
    galaxy: NDArray[np.int64]
    truth: NDArray[np.int64]
    predicted: NDArray[np.int64]
    probabilities: NDArray[np.float32]

    @property
    def parts(self) -> list[NDArray[np.int64]]:
        """The galaxies of each run."""
        return [self.galaxy[self.run == run] for run in range(self.runs)]

    @property
    def labels(self) -> NDArray[np.str_]:
        """The name of each galaxy's class, (n,)."""
        return np.array(self.classes)[self.truth]

    def confusion(self) -> NDArray[np.int64]:
        """Return the confusion matrix of each run, (runs, K, K); rows true, columns predicted."""
        chosen = [self.run == run for run in range(self.runs)]
        matrices = [metrics.confusion_matrix(self.truth[c], self.predicted[c], len(self.classes)) for c in chosen]
        return np.stack(matrices)


def gather(
    classes: tuple[str, ...], sets: Sequence[Evaluation], predicted: Sequence[NDArray[np.integer]]
) -> Predictions:
    """Concatenate the sets of successive runs and the predictions for them."""
    return Predictions(
        classes=classes,
        runs=len(sets),
        run=np.repeat(np.arange(len(sets)), [len(one.rows) for one in sets]),
        galaxy=np.concatenate([one.rows for one in sets]),
        truth=np.concatenate([one.truth for one in sets]).astype(np.int64),
        predicted=np.concatenate(predicted).astype(np.int64),
        probabilities=np.concatenate([one.probabilities for one in sets]),
    )


def predictions(condition: ConditionRecords, phase: str, evaluated_on: str = OWN_TEST_PART) -> Predictions:
    """Return the predictions of one phase of a condition.

    Parameters
    ----------
    phase
        Or a baseline, which is tested on the galaxies of the confirmed runs.
    evaluated_on
        The own test part, at the selected epoch, with all classes; or, of the confirmed phase, `RESTRICTED` (its
        spirals and ellipticals, the prediction restricted to those) or a common evaluation set, likewise restricted.
    """
    records, epoch = condition.phases.get(phase), condition.epoch
    if records is None:
        records, epoch = condition.baselines[phase], 1
    if evaluated_on == OWN_TEST_PART:
        predicted = [record.predicted[epoch - 1] for record in records]
        return gather(records[0].classes, [record.sets["test"] for record in records], predicted)
    name = "test" if evaluated_on == RESTRICTED else evaluated_on
    sets = [restricted(record.sets[name], record.classes) for record in records]
    return gather(EVALUATION_CLASSES, sets, [one.probabilities.argmax(axis=1) for one in sets])


def of_class(given: Predictions, name: str) -> Predictions:
    """Return the predictions for the galaxies of one class."""
    chosen = given.truth == given.classes.index(name)
    probabilities = given.probabilities[chosen] if len(given.probabilities) else given.probabilities
    return dataclasses.replace(
        given,
        run=given.run[chosen],
        galaxy=given.galaxy[chosen],
        truth=given.truth[chosen],
        predicted=given.predicted[chosen],
        probabilities=probabilities,
    )


def same_galaxies(first: Predictions, second: Predictions) -> bool:
    """Tell whether runs of one number were tested on the same galaxies, and so may be compared run by run."""
    if first.runs != second.runs or len(first.run) != len(second.run):
        return False
    one, two = (np.lexsort((side.galaxy, side.run)) for side in (first, second))
    return bool((first.run[one] == second.run[two]).all() and (first.galaxy[one] == second.galaxy[two]).all())
