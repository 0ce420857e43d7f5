"""Are new stamps like those of the training? Each is measured and compared with the training's distribution."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import ks_2samp

from galmorph.stamps.origin import is_picture

AT_ONCE = 2048  # stamps whose pixels are in memory together
TAIL = 0.005  # of the training's stamps, on each side, that do not widen its range
FACTOR = 2.0  # how far beyond that range a stamp may lie: twice its upper end, half its lower
MOST_SKY = 3.0  # in units of the scaling's constant, which is close to the sky noise
FEWEST = 20  # stamps that are judged as a whole
# Largest distance between two cumulative distributions. Of sets of 20 stamps drawn from the training itself 1 in
# 26,000 exceeds it (the Kolmogorov-Smirnov distribution).
MOST_DISTANCE = 0.5
# A share of a class differs from the expected one if it is this far from it, in all and in standard errors.
LEAST_SHARE, SHARE_ERRORS = 0.1, 5.0

_PER_STAMP = ("noise", "sky", "peak", "width")
_SCALE_FREE = ("width",)  # the same in any units, and whatever sky is left


def measure(stamps: NDArray[np.float32]) -> dict[str, NDArray[np.float64]]:
    """Measure what units, exposure, sky and seeing change in a stamp.

    Parameters
    ----------
    stamps
        (n, size, size) float32, DN after sky subtraction, (y, x), finite.

    Returns
    -------
    dict
        Of (n,) float64. noise: the robust standard deviation (1.4826 times the median absolute deviation) of a border,
        1/16 of the side wide; sky: the median of that border; peak: the brightest pixel above it; width: the number of
        pixels brighter than half the peak.

    Examples
    --------
    >>> stamp = np.zeros((1, 32, 32), np.float32)
    >>> stamp[0, 15:17, 15:17] = 80
    >>> {name: values.tolist() for name, values in measure(stamp).items()}
    {'noise': [0.0], 'sky': [0.0], 'peak': [80.0], 'width': [4.0]}
    """
    parts = [_measure(stamps[start : start + AT_ONCE]) for start in range(0, len(stamps), AT_ONCE)]
    return {name: np.concatenate([part[name] for part in parts] or [np.empty(0)]) for name in _PER_STAMP}


def _measure(stamps: NDArray[np.float32]) -> dict[str, NDArray[np.float64]]:
    pixels = np.asarray(stamps, dtype=np.float64)
    width = max(2, stamps.shape[1] // 16)
    border = np.ones(stamps.shape[1:], dtype=bool)
    border[width:-width, width:-width] = False
    around = pixels[:, border]
    sky = np.median(around, axis=1)
    noise = 1.4826 * np.median(np.abs(around - sky[:, None]), axis=1)
    above = pixels - sky[:, None, None]
    peak = above.max(axis=(1, 2))
    bright = (above > peak[:, None, None] / 2).sum(axis=(1, 2))
    return {"noise": noise, "sky": sky, "peak": peak, "width": bright.astype(np.float64)}


@dataclass(frozen=True)
class Typical:
    """What is typical of the stamps of a training.

    Attributes
    ----------
    measured
        What `measure` finds in them.
    scaling
        training.scaling. For "extremes" units and sky make no difference, and only the width is compared.
    softening
        The constant of the scaling of a training part.
    pictures
        Whether their files are PNG or JPEG (True), FITS, npy or frames (False), or both (None).
    """

    measured: Mapping[str, NDArray[np.float64]]
    scaling: str
    softening: float
    pictures: bool | None

    @property
    def compared(self) -> tuple[str, ...]:
        """The quantities that new stamps are compared by."""
        return _SCALE_FREE if self.scaling == "extremes" else _PER_STAMP

    def limits(self, quantity: str) -> tuple[float, float]:
        """Return the least and the largest value that is no reason to doubt a stamp."""
        low, high = np.quantile(self.measured[quantity], [TAIL, 1 - TAIL]).tolist()
        if quantity == "sky":
            return low - MOST_SKY * self.softening, high + MOST_SKY * self.softening
        return low / FACTOR, high * FACTOR

    def doubts(self, measured: Mapping[str, NDArray[np.float64]], files: Sequence[str] | None = None) -> list[str]:
        """Return for each stamp in what it is unlike those of the training; empty where in nothing.

        Parameters
        ----------
        measured
            What `measure` finds in them.
        files
            The names of their files, whose kind is compared; None: unknown.

        Returns
        -------
        list of str
            Reasons with their values, separated by semicolons; `count_doubts` counts them.
        """
        found: list[list[str]] = [[] for _ in measured[_PER_STAMP[0]]]
        for quantity in self.compared:
            low, high = self.limits(quantity)
            values = measured[quantity]
            for number in np.flatnonzero((values < low) | (values > high)).tolist():
                found[number].append(f"{quantity}: {values[number]:.3g}, expected {low:.3g} to {high:.3g}")
        if files is not None and self.pictures is not None:
            kind = "PNG or JPEG" if self.pictures else "FITS or npy"
            for reasons, name in zip(found, files, strict=True):
                if is_picture(name) != self.pictures:
                    reasons.append(f"kind of file: the training has {kind}")
        return ["; ".join(reasons) for reasons in found]

    def differences(self, measured: Mapping[str, NDArray[np.float64]]) -> list[str]:
        """Return in what a set of stamps as a whole is unlike those of the training, in sentences."""
        sentences = []
        for quantity in self.compared:
            new, trained = measured[quantity], self.measured[quantity]
            # The sky of a stamp is nearly 0 in both, by its subtraction.
            if (
                quantity == "sky"
                or len(new) < FEWEST
                or ks_2samp(new, trained, method="asymp").statistic <= MOST_DISTANCE
            ):
                continue
            sentences.append(
                f"these stamps as a whole differ from those of the training in {quantity} (median {np.median(new):.3g} "
                f"instead of {np.median(trained):.3g}): are they of another survey, or in other units? If so, their "
                "classes mean little"
            )
        return sentences


def common_kind(files: pd.Series) -> bool | None:
    """Return whether all files are PNG or JPEG (True), none is (False), or some are (None)."""
    kinds = {is_picture(name) for name in files.dropna().astype(str).unique()}
    return kinds.pop() if len(kinds) == 1 else None


def count_doubts(doubts: Sequence[str]) -> str:
    """Return how many stamps are unlike those of the training in what.

    Examples
    --------
    >>> count_doubts(["", "noise: 0.02, expected 2 to 14; peak: 0.5, expected 20 to 9e+03", "noise: 0.02, expected 2"])
    '2 noise, 1 peak'
    """
    kinds = Counter(reason.split(":")[0] for text in doubts if text for reason in text.split("; "))
    return ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items(), key=lambda item: (-item[1], item[0])))


def doubtful(doubts: Sequence[str]) -> list[str]:
    """Return a warning of the stamps that are unlike those of the training, if there are any."""
    if not (count := sum(map(bool, doubts))):
        return []
    return [
        f"unlike the stamps of the training: {count} of {len(doubts)} ({count_doubts(doubts)}); the column doubts has "
        "the reasons. Are they in other units, of another exposure or survey, or with their sky? If so, their classes "
        "mean nothing"
    ]


def another_mix(shares: Mapping[str, float], count: int, expected: Mapping[str, float], tested: int) -> list[str]:
    """Return a warning if classes are mixed otherwise than in the tests of the training.

    Parameters
    ----------
    shares, count
        The mean probability of each class over the new galaxies, and how many they are.
    expected, tested
        The same over the networks' own test galaxies, and how many a network was tested on.
    """
    if count < FEWEST or not tested:
        return []
    for name, share in expected.items():
        found = shares[name]
        pooled = (found * count + share * tested) / (count + tested)
        # Of shares of 0 and 1; that of probabilities between is smaller.
        error = math.sqrt(pooled * (1 - pooled) * (1 / count + 1 / tested))
        if abs(found - share) > max(LEAST_SHARE, SHARE_ERRORS * error):
            return [
                f"the networks give these galaxies a mean probability of {found:.2f} to be {name}, their own test "
                f"galaxies {share:.2f}: another mix of classes, or stamps that are unlike those of the training. "
                "Probabilities hold for the mix of the training"
            ]
    return []
