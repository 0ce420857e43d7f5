"""The kept networks of a condition, and what they predict for new stamps."""

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
EXAMINED = 256  # stamps; a set in other units shows in the first of them
BORDER = 4  # pixels
# The constant of the scaling differs by a few per cent between the runs of a condition, and by half between surveys.
SPREAD_FACTOR = 4.0
MOST_SKY = 3.0  # in units of that constant: a border so bright is no error in the measured sky


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
        """Predict the class of the galaxy in the middle of each stamp.

        Parameters
        ----------
        stamps
            (n, size, size) float32, DN after sky subtraction, (y, x), `size` that of the training (64).
        pixel_scale
            arcsec, of all stamps or of each; compared with the training's, where both are known.

        Returns
        -------
        pandas.DataFrame
            As `summarise` returns it, row i for stamp i.

        Raises
        ------
        GalmorphError
            If the stamps have another shape, type or pixel scale than the training's, or pixels that are not finite.

        Examples
        --------
        >>> from galmorph.classify import load_ensemble
        >>> ensemble = load_ensemble("three_class")
        >>> table = ensemble.classify(np.load("data/cutouts/images.npy"), pixel_scale=0.396)
        >>> table["networks"].unique().tolist()
        [2]
        """
        images = self._checked(stamps)
        scales = np.broadcast_to(np.asarray(math.nan if pixel_scale is None else pixel_scale, float), len(images))
        for number, scale in enumerate(scales.tolist()):
            if reason := self.wrong_scale(scale):
                raise GalmorphError(f"stamps: number {number}: pixel scale {reason}; resample them to that")
        for warning in input_warnings(images, self.training.scaling, self.members[0].softening):
            log.warning("%s", warning)
        return summarise(self.probabilities(images), self.classes)

    def probabilities(self, stamps: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the class probabilities that each network gives each stamp.

        Stamps are treated as the test galaxies of each run were: scaled with the constant of that run's training part,
        and passed through the network.

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
        probabilities = np.empty((len(self.members), len(stamps), count), np.float32)
        engine = compiled_engine(self.network, self.training, size, count)
        for start in range(0, len(stamps), AT_ONCE):
            here = slice(start, start + AT_ONCE)
            for number, member in enumerate(self.members):
                engine.model.set_weights(member.weights)
                probabilities[number, here] = Predictor(engine, member.softening).probabilities(stamps[here])
        return probabilities

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
        finite: NDArray[np.bool_] = np.asarray(np.isfinite(images).all(axis=(1, 2)))
        _refuse_stamps(~finite, "has pixels that are not finite", "np.isfinite(stamps).all(axis=(1, 2))")
        flat: NDArray[np.bool_] = np.asarray(np.ptp(images, axis=(1, 2)) == 0)
        _refuse_stamps(flat, "has the same value in all pixels", "np.ptp(stamps, axis=(1, 2)) > 0")
        return np.ascontiguousarray(images, dtype=np.float32)


def _refuse_stamps(wrong: NDArray[np.bool_], reason: str, usable: str) -> None:
    if wrong.any():
        raise GalmorphError(
            f"stamps: number {wrong.argmax()} {reason} ({wrong.sum()} such stamps); leave them out: stamps[{usable}]"
        )


def summarise(probabilities: NDArray[np.float32], classes: tuple[str, ...]) -> pd.DataFrame:
    """Summarise what several networks predict for each stamp.

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
        them that predict that class.

    Examples
    --------
    >>> two_networks = np.array([[[0.9, 0.1]], [[0.7, 0.3]]], np.float32)
    >>> summarise(two_networks, ("spiral", "elliptical"))[["predicted", "p_spiral", "std_spiral", "agreeing"]].round(3)
      predicted  p_spiral  std_spiral  agreeing
    0    spiral       0.8       0.141       1.0
    """
    mean = probabilities.mean(axis=0, dtype=np.float64)
    predicted = mean.argmax(axis=1)
    several = len(probabilities) > 1
    std = probabilities.std(axis=0, dtype=np.float64, ddof=1) if several else np.full_like(mean, math.nan)
    table = pd.DataFrame({"predicted": pd.Series(np.asarray(classes)[predicted], dtype="str")})
    for number, name in enumerate(classes):
        table[f"p_{name}"], table[f"std_{name}"] = mean[:, number], std[:, number]
    table["networks"] = len(probabilities)
    table["agreeing"] = (probabilities.argmax(axis=2) == predicted).mean(axis=0)
    return table


def input_warnings(stamps: NDArray[np.float32], method: str, trained: float) -> list[str]:
    """Return signs that stamps have other units than those of the training, or their sky, in sentences.

    Parameters
    ----------
    stamps
        (n, size, size) float32, DN after sky subtraction, finite.
    method
        training.scaling. For "extremes" units and sky make no difference, and there is no warning.
    trained
        The constant of the scaling of a training part.
    """
    if method == "extremes" or not len(stamps):
        return []
    stamps = stamps[:EXAMINED]
    try:
        spread = softening(stamps, method)
    except GalmorphError:
        return ["the stamps are flat: there is nothing in them to classify"]
    warnings = []
    if not 1 / SPREAD_FACTOR <= spread / trained <= SPREAD_FACTOR:
        warnings.append(
            f"the pixels of these stamps spread by {spread:.3g}, those of the training by {trained:.3g}: are they in "
            "other units (DN are expected), or of another exposure? If so, their classes mean nothing"
        )
    border = np.ones(stamps.shape[1:], dtype=bool)
    border[BORDER:-BORDER, BORDER:-BORDER] = False
    sky = float(np.median(stamps[:, border]))
    if abs(sky) > MOST_SKY * max(spread, trained):
        warnings.append(f"the borders of these stamps lie at {sky:.3g}, not at 0: is the sky still in them?")
    return warnings
