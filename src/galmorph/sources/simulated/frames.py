"""Frames of the simulated survey: what they hold, where it lies, and the pixels.

Two successive fields are one strip of sky, drawn at once, because a frame repeats the first rows of the next. A source
belongs to the field whose 1361 middle rows it lies in, as in the archive, and is seen through that field's PSF.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import galsim
import numpy as np
import pandas as pd
import scipy.fft
from numpy.typing import NDArray

from galmorph.errors import GalmorphError
from galmorph.sdss.frames import FRAME_SHAPE
from galmorph.sdss.names import PIXEL_SCALE, ObjectId
from galmorph.settings.survey import SimulatedSettings
from galmorph.sources.simulated import drawing, exposure, population, volunteers
from galmorph.sources.simulated.exposure import OVERSAMPLING, Exposure, half_plane, transfer
from galmorph.sources.simulated.pointing import FIELD_ROWS, RERUN, STRIP_FIELDS, Pointing, pointing

Image = NDArray[np.float32]
Floats = NDArray[np.float64]
Shape = tuple[int, int]

# Each purpose has its own random numbers in each strip, so that a change of one leaves the others as they were.
POPULATION, SCENE, STRUCTURE, NOISE, VOTES = range(5)

# Catalogued galaxies; lengths in pixels.
MARGIN: Final = 70  # a wide stamp fits
EDGE: Final = 64  # a wide stamp reaches further
NEAR_EDGE_EVERY: Final = 50  # one galaxy in this many lies near an edge
CLEAR: Final = 45  # radius around a galaxy that no other catalogued one reaches into

# Other sources: about five hundred in a frame.
DENSITY: Final = 0.75 / 64**2  # per pixel
COUNTS_SLOPE: Final = 0.33  # d log10 N / dm
MAGNITUDES: Final = (14.5, 22.5)  # brighter stars would saturate
# Their templates, drawn once per frame, and the sides of these in pixels: bright stars have visible wings.
GALAXY_TEMPLATES: Final = 16
FINE: Final = 4  # template samples per pixel and axis
SMALL, LARGE = 48, 192
BRIGHT: Final = 18.0


@dataclass(frozen=True)
class Scene:
    """What a strip holds, before anything is drawn.

    Attributes
    ----------
    exposures
        One for each field.
    truth
        The catalogued galaxies: `population.draw` and x, y (0-based pixels), part (0 or 1, the field).
    sources
        The others: `draw_sources` and part.
    shape, rng
        (rows, columns), and the rest of the random numbers.
    """

    exposures: list[Exposure]
    truth: pd.DataFrame
    sources: pd.DataFrame
    shape: Shape
    rng: np.random.Generator


@dataclass(frozen=True)
class Observation:
    """A frame as observed, and the truth about it.

    Attributes
    ----------
    pixels
        (y, x) float32, DN, sky included, not rounded, without soft bias.
    truth
        The frame's own galaxies in the order of their object numbers: objid, ra, dec (degrees), the columns of the
        scene with x, y in this frame, those of `volunteers.measure`, merger_appearance, and the conditions.
    sources
        The other sources that are its own.
    """

    pointing: Pointing
    exposure: Exposure
    pixels: Image
    truth: pd.DataFrame
    sources: pd.DataFrame


def stream(seed: int, strip: int, purpose: int) -> np.random.Generator:
    """Return the random numbers of one purpose in one strip."""
    return np.random.default_rng([seed, strip, purpose])


def compose(settings: SimulatedSettings, strip: int) -> Scene:
    """Decide what a strip holds, and where.

    Strips are numbered from 0, and nothing random in one depends on another. The last one has a single field if that
    holds its galaxies.

    Raises
    ------
    GalmorphError
        If the galaxies do not fit.
    """
    first = strip * STRIP_FIELDS * settings.galaxies_per_frame
    count = min(settings.galaxies - first, STRIP_FIELDS * settings.galaxies_per_frame)
    fields = 1 if count <= settings.galaxies_per_frame else STRIP_FIELDS
    shape = FRAME_SHAPE[0] + (fields - 1) * FIELD_ROWS, FRAME_SHAPE[1]
    rng = stream(settings.seed, strip, SCENE)
    exposures = exposure.draw(fields, settings.seeing, rng)
    truth = population.draw(count, stream(settings.seed, strip, POPULATION), settings.types)
    near_edge = np.arange(first, first + count) % NEAR_EDGE_EVERY == NEAR_EDGE_EVERY - 1
    truth["x"], truth["y"] = place(truth["half_light_radius"].to_numpy(), near_edge, shape, rng)
    sources = draw_sources(truth, shape, rng)
    overlap = FRAME_SHAPE[0] - FIELD_ROWS
    for table in (truth, sources):
        table["part"] = np.clip((table["y"] - overlap / 2) // FIELD_ROWS, 0, fields - 1).astype(np.int64)
    return Scene(exposures, truth, sources, shape, rng)


def place(
    half_light_radius: Floats, near_edge: NDArray[np.bool_], shape: Shape, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Return x and y (0-based pixels, not integers) where no other galaxy shines into a galaxy's stamp.

    Half-light radii are in arcsec; the galaxies `near_edge` are within EDGE of an edge.

    Raises
    ------
    GalmorphError
        If they do not fit.
    """
    height, width = shape
    n = half_light_radius.size
    reach = np.clip(2.5 * half_light_radius / PIXEL_SCALE, 20, 150)
    x, y = np.full((2, n), np.inf)
    # The largest first, while there is room.
    for k in np.argsort(-reach, kind="stable"):
        apart = np.maximum(2 * CLEAR, CLEAR + np.maximum(reach, reach[k]))
        for _ in range(2000):
            tx, ty = rng.uniform(MARGIN, width - 1 - MARGIN), rng.uniform(MARGIN, height - 1 - MARGIN)
            if near_edge[k]:
                depth, edge = rng.uniform(0, EDGE), rng.integers(4)
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


def observe(settings: SimulatedSettings, strip: int) -> list[Observation]:
    """Take the frames of a strip.

    Raises
    ------
    GalmorphError
        If the survey has no such strip, or the galaxies do not fit.
    """
    scene = compose(settings, strip)
    image = np.zeros(scene.shape, np.float32)
    structure = stream(settings.seed, strip, STRUCTURE)
    measures = []
    rows: Any = scene.truth.itertuples()
    for galaxy in rows:
        conditions = scene.exposures[galaxy.part]
        i, j = round(galaxy.x), round(galaxy.y)
        offset = ((galaxy.x - i) * PIXEL_SCALE, (galaxy.y - j) * PIXEL_SCALE)
        drawn = drawing.draw(galaxy, conditions, offset, structure)
        half = drawn.image.shape[0] // 2
        add_stamp(image, drawn.image, i - half, j - half)
        measures.append(volunteers.measure(drawn, conditions))
    for part, conditions in enumerate(scene.exposures):
        paint_sources(image, scene.sources[scene.sources["part"] == part], conditions, scene.rng)
    truth = pd.concat([scene.truth, pd.DataFrame(measures)], axis=1)
    rows = truth.itertuples()
    truth["merger_appearance"] = [volunteers.merger_appearance(galaxy, scene.sources) for galaxy in rows]
    image = exposure.expose(image, scene.exposures[0], stream(settings.seed, strip, NOISE))

    observations = []
    for part, conditions in enumerate(scene.exposures):
        look, top = pointing(strip, part), part * FIELD_ROWS
        own, others = (
            table[table["part"] == part].drop(columns="part").reset_index(drop=True) for table in (truth, scene.sources)
        )
        own["y"] -= top
        others["y"] -= top
        ra, dec = look.sky(own["x"].to_numpy(), own["y"].to_numpy())
        objid = [ObjectId(1, RERUN, look.run, look.camcol, 0, look.field, k + 1).encode() for k in range(len(own))]
        own = pd.concat([pd.DataFrame({"objid": np.array(objid, np.int64), "ra": ra, "dec": dec}), own], axis=1)
        for column in ("fwhm", "psf_width", "sky", "flux20"):
            own[column] = getattr(conditions, column)
        observations.append(Observation(look, conditions, image[top : top + FRAME_SHAPE[0]], own, others))
    return observations


def draw_sources(galaxies: pd.DataFrame, shape: Shape, rng: np.random.Generator) -> pd.DataFrame:
    """Draw the uncatalogued sources of a strip: stars, faint galaxies, and companions of the catalogued galaxies.

    Returns
    -------
    DataFrame
        x, y (0-based pixels), magnitude, is_star, template (its number), flip (0 to 3: mirrored along x, y).
    """
    height, width = shape
    count = int(rng.poisson(DENSITY * height * width))
    # Beyond the edge too: the wings of a source outside reach in.
    x, y = rng.uniform(-10, width + 9, count), rng.uniform(-10, height + 9, count)
    low, high = (10 ** (COUNTS_SLOPE * (m - MAGNITUDES[1])) for m in MAGNITUDES)
    magnitude = MAGNITUDES[1] + np.log10(rng.uniform(low, high, count)) / COUNTS_SLOPE
    field = pd.DataFrame({"x": x, "y": y, "magnitude": magnitude, "is_star": rng.random(count) < 0.5})
    host = galaxies[galaxies["companion_distance"] > 0]
    distance = host["companion_distance"] * host["half_light_radius"] / PIXEL_SCALE
    companions = pd.DataFrame(
        {
            "x": host["x"] + distance * np.cos(host["companion_angle"]),
            "y": host["y"] + distance * np.sin(host["companion_angle"]),
            "magnitude": host["magnitude"] + host["companion_difference"],
            "is_star": np.zeros(len(host), bool),
        }
    )
    sources = pd.concat([field, companions], ignore_index=True)
    sources["template"] = rng.integers(GALAXY_TEMPLATES, size=len(sources))
    sources["flip"] = rng.integers(4, size=len(sources))
    return sources


def paint_sources(scene: Image, sources: pd.DataFrame, exposure: Exposure, rng: np.random.Generator) -> None:
    """Add the sources of `draw_sources` to a noiseless strip, (y, x) float32, DN, in place."""
    galaxies = _galaxy_templates(exposure, rng)
    point = galsim.DeltaFunction()
    faint_star, bright_star = (_template(point, exposure, side) for side in (SMALL, LARGE))
    rows: Any = sources.itertuples()
    for source in rows:
        if source.is_star:
            template = bright_star if source.magnitude < BRIGHT else faint_star
        else:
            template = galaxies[source.template]
        if source.flip & 1:
            template = template[::-1]
        if source.flip & 2:
            template = template[:, ::-1]
        middle = template.shape[0] // 2
        half = middle // FINE - 1
        i, j = round(source.x), round(source.y)
        # The first sample: `half` pixels before the middle, and back by the fraction of a pixel, to the nearest sample.
        column = middle - half * FINE - round((source.x - i) * FINE)
        row = middle - half * FINE - round((source.y - j) * FINE)
        reach = (2 * half + 1) * FINE
        stamp = template[row : row + reach : FINE, column : column + reach : FINE]
        add_stamp(scene, stamp * np.float32(exposure.flux(source.magnitude)), i - half, j - half)


def add_stamp(scene: Image, stamp: Image, x: int, y: int) -> None:
    """Add a stamp whose first pixel is (x, y) to a scene, in place; what lies beyond the edge is cut off."""
    height, width = scene.shape
    x0, y0 = max(x, 0), max(y, 0)
    x1, y1 = min(x + stamp.shape[1], width), min(y + stamp.shape[0], height)
    if x0 < x1 and y0 < y1:
        scene[y0:y1, x0:x1] += stamp[y0 - y : y1 - y, x0 - x : x1 - x]


def _galaxy_templates(exposure: Exposure, rng: np.random.Generator) -> list[Image]:
    """Return templates of small galaxies, spheroids and disks in turn."""
    templates = []
    for k in range(GALAXY_TEMPLATES):
        radius = float(np.clip(0.8 * np.exp(0.45 * rng.standard_normal()), 0.3, 2.5))
        ratio, angle = float(rng.uniform(0.3, 1)), float(rng.uniform(0, np.pi)) * galsim.radians
        galaxy = galsim.Sersic(1.0 if k % 2 else 2.5, half_light_radius=radius, trunc=4 * radius)
        templates.append(_template(galaxy.shear(q=ratio, beta=angle), exposure, SMALL))
    return templates


def _template(profile: galsim.GSObject, exposure: Exposure, side: int) -> Image:
    """Draw a profile of unit flux through PSF and pixel at FINE samples per pixel.

    Returns (n, n) float32, n odd, with the centre at the middle sample, so that mirroring does not move it.
    """
    size, half, fine = OVERSAMPLING * side, OVERSAMPLING * side // 2, FINE * side
    spectrum = half_plane(profile, size) * transfer(exposure, size)
    # Zeros at the high wavenumbers interpolate to a finer grid.
    padded = np.zeros((fine, fine // 2 + 1), np.complex64)
    padded[:half, : half + 1] = spectrum[:half]
    padded[-half:, : half + 1] = spectrum[half:]
    image = scipy.fft.fftshift(scipy.fft.irfft2(padded, s=(fine, fine)))
    return np.asarray(image[1:, 1:] * FINE**2)
