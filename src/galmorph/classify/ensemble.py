"""The kept networks of a condition, and what they predict for new stamps."""

from __future__ import annotations

import functools
import hashlib
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from galmorph.classify.likeness import Typical, another_mix, doubtful, measure
from galmorph.errors import GalmorphError
from galmorph.settings.study import CutoutSettings, NetworkSettings, TrainingSettings
from galmorph.settings.survey import StampsSettings

log = logging.getLogger(__name__)

AT_ONCE = 2048  # stamps whose scaled pixels are in memory together: 33 MB of them
SCALE_TOLERANCE = 0.05
NOT_FINITE = "network output not finite"


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
    expected, tested
        By class, the mean probability that the networks give their own test galaxies; and how many galaxies a network
        was tested on.
    typical
        What is typical of the training's stamps; None where they are not at hand.
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
    expected: Mapping[str, float] = field(default_factory=dict)
    tested: int = 0
    typical: Typical | None = None
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
            As `summarise` returns it, row i for stamp i, and doubts: in what it is unlike the training's stamps, empty
            where in nothing. A stamp for which a network's output is not finite has no class.

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
        table = summarise(self.probabilities(images), self.classes)
        measured = measure(images)
        table["doubts"] = self.doubts(measured)
        table.loc[table["predicted"].isna(), "doubts"] = NOT_FINITE
        for warning in self.warnings(table, measured):
            log.warning("%s", warning)
        return table

    def doubts(self, measured: Mapping[str, NDArray[np.float64]], files: Sequence[str] | None = None) -> pd.Series:
        """Return in what each stamp is unlike those of the training (see `Typical.doubts`), as a column of a table."""
        found = [""] * len(measured["peak"]) if self.typical is None else self.typical.doubts(measured, files)
        return pd.Series(found, dtype="str")

    def warnings(self, table: pd.DataFrame, measured: Mapping[str, NDArray[np.float64]]) -> list[str]:
        """Return signs that new galaxies are not like those of the training, in sentences.

        Parameters
        ----------
        table
            Columns predicted, p_CLASS and doubts.
        measured
            What `likeness.measure` finds in their stamps.
        """
        shares = {name: float(table[f"p_{name}"].mean()) for name in self.classes}
        whole = [] if self.typical is None else self.typical.differences(measured)
        return [
            *doubtful(table["doubts"].tolist()),
            *whole,
            *another_mix(shares, int(table["predicted"].notna().sum()), self.expected, self.tested),
        ]

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
        (networks, n, K) float32; NaN for a stamp for which a network's output is not finite, because its pixels are
        too bright.
        """
        from galmorph.training.backend import tf
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
                predictor = Predictor(engine, member.softening)
                with np.errstate(over="ignore"):
                    prepared = predictor.prepare(stamps[here])
                logits = predictor.logits(prepared)
                # ReLU and pooling may hide what is not finite.
                usable = np.isfinite(prepared).all(axis=(1, 2, 3)) & np.isfinite(logits).all(axis=1)
                logits[~usable] = np.nan
                probabilities[number, here] = tf.nn.softmax(logits)
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
        them that predict that class. Where a probability is NaN, so are all but networks.

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
    table.loc[np.isnan(mean).any(axis=1), ["predicted", "agreeing"]] = math.nan
    return table
