"""A whole frame: where its galaxies lie, what they look like there, and the pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from galmorph.errors import GalmorphError
from galmorph.sdss import FRAME_SHAPE, ObjectId
from galmorph.sources.simulated import drawing, exposure, field, measures, population
from galmorph.sources.simulated.exposure import PIXEL_SCALE, Exposure
from galmorph.sources.simulated.pointing import RERUN, Pointing, pointing

MARGIN: Final = 70  # pixels: a wide stamp fits
NEAR_EDGE_EVERY: Final = 50  # one galaxy in so many lies nearer to an edge than a wide stamp reaches
CLEAR: Final = 45  # pixels around a galaxy that no other catalogued one reaches into
NEIGHBOURHOOD: Final = 100  # pixels within which a source can make a galaxy look like a merger
SKY_VERSION: Final = 1
# Chance is drawn from one stream per frame and purpose: a change of one leaves the others as they were.
POPULATION, SCENE, STRUCTURE, NOISE, VOTES = range(5)


@dataclass(frozen=True)
class Observation:
    """A frame as taken, and what is true of the galaxies in it.

    Attributes
    ----------
    pixels
        (y, x) float32, DN, sky included, not yet rounded, without soft bias.
    truth
        One row per catalogued galaxy, in the order of its object number.
    sources
        The uncatalogued ones, as `field.draw` returns them.
    """

    pointing: Pointing
    exposure: Exposure
    pixels: NDArray[np.float32]
    truth: pd.DataFrame
    sources: pd.DataFrame


def stream(seed: int, index: int, purpose: int) -> np.random.Generator:
    """Return the random numbers of one purpose in one frame."""
    return np.random.default_rng([seed, index, purpose])


def place(
    half_light_radius: NDArray[np.float64], near_edge: NDArray[np.bool_], rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find each galaxy a place where no other shines into its stamp.

    Parameters
    ----------
    half_light_radius
        Arcsec.
    near_edge
        Which of them lie within 64 pixels of an edge.
    rng
        The only source of chance.

    Returns
    -------
    x, y : 0-based pixel positions, not whole numbers.

    Raises
    ------
    GalmorphError
        If they do not fit.
    """
    height, width = FRAME_SHAPE
    n = half_light_radius.size
    reach = np.clip(2.5 * half_light_radius / PIXEL_SCALE, 20, 150)
    x, y = np.full(n, np.inf), np.full(n, np.inf)
    # The largest first, while there is room.
    for k in np.argsort(-reach, kind="stable"):
        apart = np.maximum(2 * CLEAR, CLEAR + np.maximum(reach, reach[k]))
        for _ in range(2000):
            tx, ty = rng.uniform(MARGIN, width - 1 - MARGIN), rng.uniform(MARGIN, height - 1 - MARGIN)
            if near_edge[k]:
                depth, edge = rng.uniform(0, 64), rng.integers(4)
                tx = (depth, width - 1 - depth, tx, tx)[edge]
                ty = (ty, ty, depth, height - 1 - depth)[edge]
            if np.all(np.hypot(x - tx, y - ty) > apart):
                x[k], y[k] = tx, ty
                break
        else:
            raise GalmorphError(
                f"simulated.galaxies_per_frame: no room for {n} galaxies in a frame of {width} x {height} pixels; "
                "ask for fewer, or for another simulated.seed"
            )
    return x, y


def _merger_appearance(truth: pd.DataFrame, sources: pd.DataFrame) -> list[float]:
    """Return each galaxy's `measures.merger_appearance` among the sources of the frame."""
    x, y = sources["x"].to_numpy(), sources["y"].to_numpy()
    magnitude, star = sources["magnitude"].to_numpy(), sources["is_star"].to_numpy()
    seen = []
    rows: Any = truth.itertuples()
    for row in rows:
        distance = np.hypot(x - row.x, y - row.y)
        near = distance < NEIGHBOURHOOD
        seen.append(
            measures.merger_appearance(
                magnitude[near] - row.magnitude, distance[near] * PIXEL_SCALE, star[near], row.isophote_axis
            )
        )
    return seen


def observe(seed: int, index: int, first: int, count: int) -> Observation:
    """Take a frame.

    Parameters
    ----------
    seed
        Of the survey.
    index
        The frame's number, from 0. Nothing random in it depends on any other frame.
    first, count
        Which galaxies of the survey are in it: the number of the first, from 0, and how many.

    Raises
    ------
    GalmorphError
        If the survey has no such frame, or the galaxies do not fit.
    """
    look = pointing(index)
    scene_rng = stream(seed, index, SCENE)
    taken = exposure.draw(scene_rng)
    truth = population.draw(count, stream(seed, index, POPULATION))
    near_edge = np.arange(first, first + count) % NEAR_EDGE_EVERY == NEAR_EDGE_EVERY - 1
    x, y = place(truth["half_light_radius"].to_numpy(), near_edge, scene_rng)
    ra, dec = look.sky(x, y)
    objid = [ObjectId(SKY_VERSION, RERUN, look.run, look.camcol, 0, look.field, k + 1).encode() for k in range(count)]
    place_columns = {"objid": objid, "ra": ra, "dec": dec, "x": x, "y": y}
    truth = pd.concat([pd.DataFrame(place_columns), truth], axis=1)
    sources = field.draw(truth, scene_rng)

    pixels = np.zeros(FRAME_SHAPE, np.float32)
    structure = stream(seed, index, STRUCTURE)
    seen = []
    rows: Any = truth.itertuples()
    for galaxy in rows:
        i, j = round(galaxy.x), round(galaxy.y)
        offset = ((galaxy.x - i) * PIXEL_SCALE, (galaxy.y - j) * PIXEL_SCALE)
        stamp = drawing.draw(galaxy, taken, offset, structure)
        half = stamp.image.shape[0] // 2
        field.add(pixels, stamp.image, i - half, j - half)
        seen.append(measures.measure(stamp, taken))
    field.paint(pixels, sources, taken, scene_rng)
    truth = pd.concat([truth, pd.DataFrame(seen)], axis=1)
    truth["merger_appearance"] = _merger_appearance(truth, sources)
    truth["fwhm"], truth["sky"], truth["flux20"] = taken.fwhm, taken.sky, taken.flux20
    noisy = exposure.expose(pixels, taken, stream(seed, index, NOISE))
    return Observation(look, taken, noisy, truth, sources)
