"""The networks of a condition, their answers about stamps, and what the answers come to.

What speaks against stamps being like those of a training, although each of them can be used.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from galmorph.errors import GalmorphError
from galmorph.settings.study import CutoutSettings, NetworkSettings, TrainingSettings
from galmorph.settings.survey import StampsSettings
from galmorph.training.scaling import softening

log = logging.getLogger(__name__)

AT_ONCE = 2048  # stamps whose scaled pixels are in memory together: 33 MB of them
SCALE_TOLERANCE = 0.05


@dataclass(frozen=True)
class Member:
    """One trained network: the number of its run, the constant of its scaling, its weights."""

    run: int
    softening: float
    weights: list[NDArray[np.float32]]


@dataclass(frozen=True)
class Ensemble:
    """The kept networks of one condition, with everything that a stamp needs to be shown to them.

    Attributes
    ----------
    name
        A condition, or transfer/LEVEL.
    classes
        K names, in the order of the networks' outputs.
    network, training
        The blocks of params.yaml with which they were trained.
    members
        The networks, run by run.
    cutouts, stamps
        The blocks of params.yaml with which the stamps of their training were cut, or read.
    pixel_scale
        Least and most in the training's data, arcsec; None where it is unknown.
    remarks
        What a user of the networks should know, in sentences.
    """

    name: str
    classes: tuple[str, ...]
    network: NetworkSettings
    training: TrainingSettings
    members: tuple[Member, ...]
    cutouts: CutoutSettings
    stamps: StampsSettings
    pixel_scale: tuple[float, float] | None
    remarks: tuple[str, ...] = ()

    def classify(self, stamps: NDArray[np.floating[Any]], pixel_scale: ArrayLike | None = None) -> pd.DataFrame:
        """Say of each stamp what class the galaxy in its middle is of.

        Parameters
        ----------
        stamps
            (n, size, size) float32, DN after sky subtraction, (y, x), `size` that of the training (64).
        pixel_scale
            arcsec, of all stamps or of each; compared with the training's, where both are known.

        Returns
        -------
        pandas.DataFrame
            As `summarised` returns it, row i for stamp i.

        Raises
        ------
        GalmorphError
            If the stamps have another shape, type or pixel scale than the training's, or pixels that are no numbers.
        """
        images = self._checked(stamps)
        scales = np.broadcast_to(np.asarray(math.nan if pixel_scale is None else pixel_scale, float), len(images))
        for number, scale in enumerate(scales.tolist()):
            if reason := self.wrong_scale(scale):
                raise GalmorphError(f"stamps: number {number}: pixel scale {reason}; resample them to that")
        for doubt in doubts(images, self.training.scaling, self.members[0].softening):
            log.warning("%s", doubt)
        return summarised(self.probabilities(images), self.classes)

    def probabilities(self, stamps: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the class probabilities that each network gives each stamp.

        Stamps pass through what the test galaxies of a run pass through: the scaling with the constant of that run's
        training part, and the network.

        Parameters
        ----------
        stamps
            (n, size, size) float32, DN after sky subtraction, (y, x).

        Returns
        -------
        (networks, n, K) float32.
        """
        from galmorph.training.engine import compiled_engine, prepare_device
        from galmorph.training.predict import Predictor

        prepare_device()
        size, count = self.cutouts.stamp_size, len(self.classes)
        answers = np.empty((len(self.members), len(stamps), count), np.float32)
        engine = compiled_engine(self.network, self.training, size, count)
        for start in range(0, len(stamps), AT_ONCE):
            some = stamps[start : start + AT_ONCE]
            for place, member in enumerate(self.members):
                engine.model.set_weights(member.weights)
                answers[place, start : start + AT_ONCE] = Predictor(engine, member.softening).probabilities(some)
        return answers

    def wrong_scale(self, pixel_scale: float) -> str | None:
        """Return why a pixel scale (arcsec) is not that of the training; None where it is, or one is unknown."""
        if self.pixel_scale is None or not math.isfinite(pixel_scale):
            return None
        low, high = self.pixel_scale
        if low * (1 - SCALE_TOLERANCE) <= pixel_scale <= high * (1 + SCALE_TOLERANCE):
            return None
        return f"{pixel_scale:.3f} arcsec, that of the training is {self.known_scale}"

    @functools.cached_property
    def digest(self) -> str:
        """sha256 of the networks' weights."""
        total = hashlib.sha256()
        for member in self.members:
            for values in member.weights:
                total.update(np.ascontiguousarray(values).tobytes())
        return total.hexdigest()

    @property
    def known_scale(self) -> str:
        """The pixel scale of the training in words, arcsec."""
        if self.pixel_scale is None:
            return "unknown"
        low, high = self.pixel_scale
        return f"{low:.3f}" if high - low < 1e-3 else f"{low:.3f} to {high:.3f}"

    def _checked(self, stamps: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        size = self.cutouts.stamp_size
        images = np.asarray(stamps)
        if images.ndim != 3 or images.shape[1:] != (size, size):
            raise GalmorphError(
                f"stamps: shape {images.shape}; {self.name} was trained on ({size}, {size}) pixels: give an array "
                f"(n, {size}, {size}), cut or resampled as the training's stamps were (galmorph classify does both)"
            )
        if images.dtype.kind != "f" or images.dtype.itemsize < 4:
            raise GalmorphError(
                f"stamps: {images.dtype}; give float32, DN after sky subtraction: counts as a camera writes them still "
                "hold the sky, and whole numbers wrap where it is subtracted from them"
            )
        finite = np.isfinite(images).all(axis=(1, 2))
        if not finite.all():
            wrong = np.flatnonzero(~finite)
            raise GalmorphError(
                f"stamps: number {wrong[0]} has pixels that are not finite ({wrong.size} such stamps); leave them "
                "out: stamps[np.isfinite(stamps).all(axis=(1, 2))]"
            )
        flat = np.flatnonzero(np.ptp(images, axis=(1, 2)) == 0)
        if flat.size:
            raise GalmorphError(
                f"stamps: all pixels of number {flat[0]} are the same ({flat.size} such stamps): no galaxy is on them; "
                "leave them out: stamps[np.ptp(stamps, axis=(1, 2)) > 0]"
            )
        return np.ascontiguousarray(images, dtype=np.float32)


def summarised(probabilities: NDArray[np.float32], classes: tuple[str, ...]) -> pd.DataFrame:
    """Return what the answers of several networks come to.

    Parameters
    ----------
    probabilities
        (networks, n, K).
    classes
        The K names.

    Returns
    -------
    pandas.DataFrame
        n rows: predicted (the class of the highest mean probability); p_CLASS and std_CLASS for each class, mean and
        standard deviation (ddof = 1; NaN for a single network) over the networks; networks; agreeing, the share of
        them whose own answer is `predicted`.
    """
    mean = probabilities.mean(axis=0, dtype=np.float64)
    answer = mean.argmax(axis=1)
    several = len(probabilities) > 1
    std = probabilities.std(axis=0, dtype=np.float64, ddof=1) if several else np.full_like(mean, math.nan)
    table = pd.DataFrame({"predicted": pd.Series(np.asarray(classes)[answer], dtype="str")})
    for number, name in enumerate(classes):
        table[f"p_{name}"], table[f"std_{name}"] = mean[:, number], std[:, number]
    table["networks"] = len(probabilities)
    table["agreeing"] = (probabilities.argmax(axis=2) == answer).mean(axis=0)
    return table


LOOKED_AT = 256  # stamps; a set in other units shows in the first of them
BORDER = 4  # pixels
# The constant of the scaling differs by a few per cent between the runs of a condition, and by half between surveys.
SPREAD_FACTOR = 4.0
SKY_LEFT = 3.0  # in units of that constant: a border so bright is no fault of a sky's measurement


def doubts(stamps: NDArray[np.float32], method: str, trained: float) -> list[str]:
    """Return what is odd about a set of stamps, in sentences.

    Parameters
    ----------
    stamps
        (n, size, size) float32, DN after sky subtraction, finite.
    method
        training.scaling. For "extremes" units and sky make no difference, and there is no doubt.
    trained
        The constant of the scaling of a training part.
    """
    if method == "extremes" or not len(stamps):
        return []
    some = stamps[:LOOKED_AT]
    try:
        spread = softening(some, method)
    except GalmorphError:
        return ["the stamps are flat: nothing is in them that could be classified"]
    said = []
    if not 1 / SPREAD_FACTOR <= spread / trained <= SPREAD_FACTOR:
        said.append(
            f"the pixels of these stamps spread by {spread:.3g}, those of the training by {trained:.3g}: are they in "
            "other units (DN are expected), or of another exposure? The answers are then worth nothing"
        )
    inside = np.zeros(some.shape[1:], dtype=bool)
    inside[BORDER:-BORDER, BORDER:-BORDER] = True
    sky = float(np.median(some[:, ~inside]))
    if abs(sky) > SKY_LEFT * max(spread, trained):
        said.append(f"the borders of these stamps lie at {sky:.3g}, not at 0: is the sky still in them?")
    return said
