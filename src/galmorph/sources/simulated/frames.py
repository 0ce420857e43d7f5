"""Whole frames: where their galaxies lie, what they look like there, and the pixels.

Two successive fields are one strip of sky, drawn at once: a drift scan does not know where its fields end, and the
archive's frames repeat the first rows of the next. A source belongs to the field of whose 1361 middle rows it lies in,
as in the archive, and is seen through that field's PSF.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from galmorph.errors import GalmorphError
from galmorph.sdss.frames import FRAME_SHAPE
from galmorph.sdss.names import PIXEL_SCALE, ObjectId
from galmorph.settings.survey import SimulatedSettings
from galmorph.sources.simulated import drawing, exposure, field, measures, population
from galmorph.sources.simulated.exposure import Exposure
from galmorph.sources.simulated.pointing import FIELD_ROWS, RERUN, STRIP_FIELDS, Pointing, pointing

Floats = NDArray[np.float64]

MARGIN: Final = 70  # pixels: a wide stamp fits
NEAR_EDGE_EVERY: Final = 50  # one galaxy in so many lies nearer to an edge than a wide stamp reaches
CLEAR: Final = 45  # pixels around a galaxy that no other catalogued one reaches into
NEIGHBOURHOOD: Final = 100  # pixels within which a source can make a galaxy look like a merger
SKY_VERSION: Final = 1
# Chance is drawn from one stream per strip and purpose: a change of one leaves the others as they were.
POPULATION, SCENE, STRUCTURE, NOISE, VOTES = range(5)


@dataclass(frozen=True)
class Observation:
    """A frame as taken, and what is true of the galaxies in it.

    Attributes
    ----------
    pixels
        (y, x) float32, DN, sky included, not yet rounded, without soft bias.
    truth
        One row per catalogued galaxy that is the frame's own, in the order of its object number; x, y are 0-based
        pixels of this frame.
    sources
        The uncatalogued ones that are its own, as `field.draw` returns them, likewise.
    """

    pointing: Pointing
    exposure: Exposure
    pixels: NDArray[np.float32]
    truth: pd.DataFrame
    sources: pd.DataFrame


def stream(seed: int, strip: int, purpose: int) -> np.random.Generator:
    """Return the random numbers of one purpose in one strip."""
    return np.random.default_rng([seed, strip, purpose])


def strip_shape(fields: int) -> tuple[int, int]:
    """Return the (rows, columns) of a strip of so many fields."""
    return FRAME_SHAPE[0] + (fields - 1) * FIELD_ROWS, FRAME_SHAPE[1]


def place(
    half_light_radius: Floats, near_edge: NDArray[np.bool_], shape: tuple[int, int], rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Find each galaxy a place where no other shines into its stamp.

    Parameters
    ----------
    half_light_radius
        Arcsec.
    near_edge
        Which of them lie within 64 pixels of an edge.
    shape
        (rows, columns) of the strip.
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
    height, width = shape
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
                f"simulated.galaxies_per_frame: no room for {n} galaxies in {width} x {height} pixels of sky; "
                "ask for fewer, or for another simulated.seed"
            )
    return x, y


def owner(y: Floats, fields: int) -> NDArray[np.int64]:
    """Return which field of a strip each row (0-based, not whole numbers) belongs to."""
    overlap = FRAME_SHAPE[0] - FIELD_ROWS
    return np.clip((y - overlap / 2) // FIELD_ROWS, 0, fields - 1).astype(np.int64)


def _merger_appearance(truth: pd.DataFrame, sources: pd.DataFrame) -> list[float]:
    """Return each galaxy's `measures.merger_appearance` among the sources of the strip."""
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


@dataclass(frozen=True)
class Scene:
    """What a strip holds, before anything is drawn: one exposure for each field, and where everything lies."""

    exposures: list[Exposure]
    truth: pd.DataFrame
    sources: pd.DataFrame
    shape: tuple[int, int]
    rng: np.random.Generator


def compose(settings: SimulatedSettings, strip: int, first: int, count: int) -> Scene:
    """Decide what a strip holds, and where.

    Parameters
    ----------
    settings, strip, first, count
        As in `observe`.

    Raises
    ------
    GalmorphError
        If the galaxies do not fit.
    """
    fields = 1 if count <= settings.galaxies_per_frame else STRIP_FIELDS
    shape = strip_shape(fields)
    rng = stream(settings.seed, strip, SCENE)
    exposures = exposure.draw(fields, settings.seeing, rng)
    truth = population.draw(count, stream(settings.seed, strip, POPULATION), settings.types)
    near_edge = np.arange(first, first + count) % NEAR_EDGE_EVERY == NEAR_EDGE_EVERY - 1
    truth["x"], truth["y"] = place(truth["half_light_radius"].to_numpy(), near_edge, shape, rng)
    truth["part"] = owner(truth["y"].to_numpy(), fields)
    sources = field.draw(truth, shape, rng)
    sources["part"] = owner(sources["y"].to_numpy(), fields)
    return Scene(exposures, truth, sources, shape, rng)


def observe(settings: SimulatedSettings, strip: int, first: int, count: int) -> list[Observation]:
    """Take the frames of a strip.

    Parameters
    ----------
    settings
        The survey's.
    strip
        Its number, from 0. Nothing random in it depends on any other strip.
    first, count
        Which galaxies of the survey are in it: the number of the first, from 0, and how many; more than
        `galaxies_per_frame` of them take a second field.

    Raises
    ------
    GalmorphError
        If the survey has no such strip, or the galaxies do not fit.
    """
    scene = compose(settings, strip, first, count)
    pixels = np.zeros(scene.shape, np.float32)
    structure = stream(settings.seed, strip, STRUCTURE)
    seen = []
    rows: Any = scene.truth.itertuples()
    for galaxy in rows:
        taken = scene.exposures[galaxy.part]
        i, j = round(galaxy.x), round(galaxy.y)
        offset = ((galaxy.x - i) * PIXEL_SCALE, (galaxy.y - j) * PIXEL_SCALE)
        stamp = drawing.draw(galaxy, taken, offset, structure)
        half = stamp.image.shape[0] // 2
        field.add(pixels, stamp.image, i - half, j - half)
        seen.append(measures.measure(stamp, taken))
    for part, taken in enumerate(scene.exposures):
        field.paint(pixels, scene.sources[scene.sources["part"] == part], taken, scene.rng)
    truth = pd.concat([scene.truth, pd.DataFrame(seen)], axis=1)
    truth["merger_appearance"] = _merger_appearance(truth, scene.sources)
    pixels = exposure.expose(pixels, scene.exposures[0], stream(settings.seed, strip, NOISE))
    return [
        _frame(pointing(strip, part), taken, pixels, truth, scene.sources, part)
        for part, taken in enumerate(scene.exposures)
    ]


def _frame(
    look: Pointing,
    taken: Exposure,
    strip: NDArray[np.float32],
    truth: pd.DataFrame,
    sources: pd.DataFrame,
    part: int,
) -> Observation:
    """Return one frame of a strip, with the galaxies and sources that are its own."""
    top = part * FIELD_ROWS
    own, others = (
        table[table["part"] == part].drop(columns="part").reset_index(drop=True) for table in (truth, sources)
    )
    own["y"] -= top
    others["y"] -= top
    ra, dec = look.sky(own["x"].to_numpy(), own["y"].to_numpy())
    objid = [
        ObjectId(SKY_VERSION, RERUN, look.run, look.camcol, 0, look.field, k + 1).encode() for k in range(len(own))
    ]
    own = pd.concat([pd.DataFrame({"objid": np.array(objid, np.int64), "ra": ra, "dec": dec}), own], axis=1)
    own["fwhm"], own["psf_width"], own["sky"], own["flux20"] = taken.fwhm, taken.psf_width, taken.sky, taken.flux20
    return Observation(look, taken, strip[top : top + FRAME_SHAPE[0]], own, others)
