"""What speaks against stamps being like those of a training, although each of them can be used."""

from __future__ import annotations

import logging

import numpy as np
from numpy.typing import NDArray

from galmorph.errors import GalmorphError
from galmorph.scaling import softening

log = logging.getLogger(__name__)

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
