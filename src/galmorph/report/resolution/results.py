"""Networks trained at one resolution and tested at another, and how they score.

Every mean and standard deviation (ddof = 1) is over the runs. A loss is taken run by run: the score of the run of one
kind of network less that of the run of the same number of the other. Its interval is corrected for the galaxies that
test parts share (`galmorph.scores.statistics.corrected_mean`).
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from galmorph.report.language import level_name
from galmorph.scores import metrics
from galmorph.scores.predictions import Predictions, of_class
from galmorph.scores.statistics import (
    Estimate,
    Metric,
    binomial_share_std,
    binomial_std,
    corrected_mean,
    mean_overlap,
    score_overlap,
)

# Of a metric, trained at a level, tested at a level.
Score = tuple[str, "Level", "Level"]
Role = Literal["level", "survey", "ablation", "remedy"]
Floats = NDArray[np.float64]
LABEL_WIDTH = 11  # characters in a line of a level's label in a figure
RECALIBRATED = "_recalibrated"  # ends the name of a score at the threshold of `galmorph.scores.thresholds`
BY_SIZE = ["trained", "tested", "class", "part", "ratio", "galaxies", "runs", "recall_mean", "recall_std"]
BY_SIZE += ["matched_mean", "matched_std", "loss_mean", "loss_half"]


@dataclass(frozen=True)
class Level:
    """A resolution at which the galaxies of the sample are seen, or a remedy.

    Attributes
    ----------
    name
        As in params.yaml.
    psf_fwhm
        Arcsec; for the native level the sample's median. NaN for a remedy.
    pixel_scale
        Arcsec; NaN for a remedy.
    noise
        Rms a pixel, in `ResolutionResults.unit`; NaN where none is added.
    role
        "level": trained and tested; "survey": likewise, but of other galaxies; "ablation": tested only; "remedy":
        trained only, for images of a lower resolution.
    target
        The level that a remedy is for.
    network_noise
        Rms a pixel of the network, in `ResolutionResults.unit`, of the median galaxy; NaN for a remedy, and where it is
        not known.
    noise_correlation
        Of neighbouring pixels of the network; likewise.
    """

    name: str
    psf_fwhm: float
    pixel_scale: float
    noise: float
    role: Role
    target: str = ""
    network_noise: float = math.nan
    noise_correlation: float = math.nan

    @property
    def fwhm(self) -> str:
        """FWHM in arcsec, as in 1.32″; empty where there is none."""
        return f"{self.psf_fwhm:.2f}″" if math.isfinite(self.psf_fwhm) else ""

    @property
    def label(self) -> str:
        """Name and FWHM in one line."""
        return f"{level_name(self.name)} ({self.fwhm})" if self.fwhm else level_name(self.name)

    @property
    def stacked_label(self) -> str:
        """Name, wrapped where it is long, above the FWHM."""
        lines = textwrap.wrap(level_name(self.name), LABEL_WIDTH, break_long_words=False)
        return "\n".join([*lines, self.fwhm] if self.fwhm else lines)


@dataclass(frozen=True)
class Effort:
    """What a network has learnt from, in a run.

    Attributes
    ----------
    galaxies
        Training galaxies.
    updates
        Steps of the optimiser: epochs times batches.
    before
        Of the network that it continues from; None where it begins with initial weights.
    """

    galaxies: int
    updates: int
    before: Effort | None = None


@dataclass(frozen=True)
class ResolutionResults:
    """The networks of every trained level, tested at every tested one.

    Attributes
    ----------
    levels
        In the order of params.yaml, which is the order of every axis and table.
    classes
        K names, in the order of the matrices.
    epochs
        Trained level to its selected epoch.
    runs
        Networks per trained level.
    galaxies
        Number of galaxies in the resolution sample.
    left_out
        Reason to number of galaxies that are not in it.
    confusion
        (trained at, tested at) to (runs, K, K) int64; rows true, columns predicted.
    overlap
        Tested level to the mean share of a run's test galaxies there that are in another run's test part too.
    auc
        (trained at, tested at) to (runs,), the area under the ROC curve.
    answers
        (trained at, tested at, "" or `RECALIBRATED`) to the predictions; without them the classes are taken to overlap
        alike.
    unit
        Of the pixels, as `galmorph.stamps.origin.pixel_unit` has it.
    recalibrated
        As `confusion`, at the threshold that returns the class fractions of the run's training part.
    effort
        Trained level to what its networks have learnt from.
    surveys
        Level that is another survey to its number of galaxies.
    oracle
        (trained at, tested at) to (runs, epochs), the accuracy after each epoch of the runs that selected the epoch;
        for the trained levels that `resolution.oracle` lists.
    by_size
        As returned by `recall_by_size`.
    """

    levels: tuple[Level, ...]
    classes: tuple[str, ...]
    epochs: Mapping[str, int]
    runs: int
    galaxies: int
    left_out: Mapping[str, int]
    confusion: Mapping[tuple[str, str], NDArray[np.int64]]
    overlap: Mapping[str, float]
    auc: Mapping[tuple[str, str], Floats] = field(default_factory=dict)
    answers: Mapping[tuple[str, str, str], Predictions] = field(default_factory=dict)
    unit: str = "DN"
    recalibrated: Mapping[tuple[str, str], NDArray[np.int64]] = field(default_factory=dict)
    effort: Mapping[str, Effort] = field(default_factory=dict)
    surveys: Mapping[str, int] = field(default_factory=dict)
    oracle: Mapping[tuple[str, str], Floats] = field(default_factory=dict)
    by_size: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=BY_SIZE))

    def of_role(self, *roles: Role) -> tuple[Level, ...]:
        """Return the levels of some roles."""
        return tuple(level for level in self.levels if level.role in roles)

    @property
    def trained(self) -> tuple[Level, ...]:
        """What networks are trained at."""
        return self.of_role("level", "survey", "remedy")

    @property
    def tested(self) -> tuple[Level, ...]:
        """What networks are tested at."""
        return self.of_role("level", "survey", "ablation")

    @property
    def ends(self) -> tuple[Level, Level]:
        """The first and the last level of the sample's own galaxies, which may be the same."""
        levels = self.of_role("level")
        return levels[0], levels[-1]

    @property
    def corners(self) -> tuple[Level, ...]:
        """The first and the last level, or the only one."""
        return tuple(dict.fromkeys(self.ends))

    def score(self, metric: str, trained: Level, tested: Level) -> Floats:
        """Return accuracy, tss, baseline, "recall_CLASS", auc, or a score that ends in `RECALIBRATED`, of each run."""
        pair = trained.name, tested.name
        if metric == "auc":
            return self.auc[pair]
        if metric.endswith(RECALIBRATED):
            matrices, metric = self.recalibrated[pair], metric.removesuffix(RECALIBRATED)
        else:
            matrices = self.confusion[pair]
        if metric.startswith("recall_"):
            return metrics.recall(matrices)[:, self.classes.index(metric.removeprefix("recall_"))]
        return {"accuracy": metrics.accuracy, "tss": metrics.tss, "baseline": metrics.baseline}[metric](matrices)

    def loss(self, metric: str, trained: Level, tested: Level) -> Floats:
        """Return how much higher networks score that are trained where they are tested, run by run.

        NaN for a level at which no network is trained.
        """
        if (tested.name, tested.name) not in self.confusion:
            return np.full(self.runs, np.nan)
        return self.score(metric, tested, tested) - self.score(metric, trained, tested)

    def estimated_loss(self, metric: str, trained: Level, tested: Level) -> Estimate:
        """Return the mean of `loss` over the runs, with its corrected interval."""
        there = (metric, tested, tested) if (tested.name, tested.name) in self.confusion else None
        return corrected_mean(self.loss(metric, trained, tested), self.shared((metric, trained, tested), there))

    def estimated_change(self, before: Score, after: Score) -> Estimate:
        """Return the mean difference of two scores of the same galaxies, with its corrected interval."""
        return corrected_mean(self.score(*after) - self.score(*before), self.shared(before, after))

    def shared(self, first: Score, second: Score | None) -> float:
        """Return the mean overlap of the test parts, weighted as the difference of two scores, or one score, needs it.

        Class by class, as `galmorph.scores.statistics.score_overlap` does; the area under the ROC curve depends on the
        number of galaxies of each class as the TSS does.
        """
        given = [one for one in (first, second) if one is not None]
        if not self.answers:
            return self.overlap[given[-1][2].name]
        metric = first[0].removesuffix(RECALIBRATED)
        answers = [
            self.answers[trained.name, tested.name, RECALIBRATED if name.endswith(RECALIBRATED) else ""]
            for name, trained, tested in given
        ]
        if metric.startswith("recall_"):
            return mean_overlap(of_class(answers[0], metric.removeprefix("recall_")).parts)
        return score_overlap("accuracy" if metric == "accuracy" else "tss", *answers)

    def binomial(self, metric: str, trained: Level, tested: Level) -> float:
        """Return the standard deviation that the number of test galaxies alone gives a score; NaN where not known.

        At a recalibrated threshold the number of galaxies called spiral is given, so that errors come in pairs.
        """
        matrices = self.confusion[trained.name, tested.name]
        if metric.startswith("recall_"):
            members = matrices[:, self.classes.index(metric.removeprefix("recall_"))].sum(axis=-1)
            return binomial_share_std(self.score(metric, trained, tested), members)
        known: dict[str, Metric] = {"accuracy": "accuracy", "tss": "tss"}
        return binomial_std(matrices, known[metric]) if metric in known else math.nan

    def called(self, true: str, predicted: str, trained: Level, tested: Level) -> Floats:
        """Return the fraction of one class that is classified as another, in each run; NaN where it is absent."""
        row, column = self.classes.index(true), self.classes.index(predicted)
        matrices = self.confusion[trained.name, tested.name].astype(np.float64)
        members = matrices[:, row].sum(axis=-1)
        return np.divide(matrices[:, row, column], members, out=np.full(len(members), np.nan), where=members > 0)


def mean_std(values: Floats) -> tuple[float, float]:
    """Return mean and standard deviation (ddof = 1) over the runs; NaN where a value is missing."""
    series = pd.Series(values)
    return float(series.mean(skipna=False)), float(series.std(ddof=1, skipna=False))
