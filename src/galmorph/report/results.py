"""What the report is computed from: the finished runs of the declared conditions, as MLflow gave them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray


@dataclass(frozen=True)
class PhaseResults:
    """The runs of one phase (selected or confirmed) of one condition.

    Attributes
    ----------
    history
        One row per run and epoch: run, epoch (completed passes, from 1), train_loss, train_accuracy, test_loss,
        test_accuracy, test_tss.
    scores
        One row per run (index `run`, from 1), one column per metric, at the reported epoch: accuracy, tss and
        baseline on the run's own test part; in the confirmed phase also accuracy, tss and baseline on the common
        evaluation sets ("accuracy@common_natural", ...) and, where the condition has a class beside spiral and
        elliptical, "accuracy_restricted": the accuracy on the spirals and ellipticals of the test part with the
        answer restricted to those two.
    confusion
        (runs, K, K) int64, counts on the test part at the reported epoch; rows true, columns predicted, both in the
        order of the condition's classes.
    """

    history: pd.DataFrame
    scores: pd.DataFrame
    confusion: NDArray[np.int64]


@dataclass(frozen=True)
class ConditionResults:
    """One condition: its classes, its selected epoch, and its two phases."""

    name: str
    classes: tuple[str, ...]
    epoch: int
    selected: PhaseResults
    confirmed: PhaseResults
