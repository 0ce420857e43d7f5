"""What else is in a frame: stars, faint galaxies, and companions of the catalogued ones.

A frame holds about five hundred of them. They are stamped from a small set of templates per frame, each drawn once
through the frame's PSF on a grid finer than the pixels, so that a source lands on its fraction of a pixel by slicing.
"""

from __future__ import annotations

from typing import Any, Final

import galsim
import numpy as np
import pandas as pd
import scipy.fft
from numpy.typing import NDArray

from galmorph.sdss.names import PIXEL_SCALE
from galmorph.sources.simulated.exposure import OVERSAMPLING, Exposure, half_plane

Floats = NDArray[np.float32]

DENSITY: Final = 0.75 / 64**2  # per pixel
COUNTS_SLOPE: Final = 0.33  # d log10 N / dm
MAGNITUDES: Final = (14.5, 22.5)  # brighter stars would saturate
GALAXY_TEMPLATES: Final = 16
FINE: Final = 4  # template samples per pixel and axis
# Sides of the templates in pixels: of a faint source, and of a bright star, whose wings show further out.
SMALL, LARGE = 48, 192
BRIGHT: Final = 18.0


def draw(galaxies: pd.DataFrame, shape: tuple[int, int], rng: np.random.Generator) -> pd.DataFrame:
    """Draw the uncatalogued sources of a strip.

    Parameters
    ----------
    galaxies
        The catalogued ones, with x, y (pixels), magnitude, half_light_radius (arcsec) and what is known of companions.
    shape
        (rows, columns) of the strip.
    rng
        The only source of chance.

    Returns
    -------
    DataFrame
        x, y (0-based pixels), magnitude, is_star, template (which one), flip (0 to 3: mirrored along x, y).
    """
    height, width = shape
    count = int(rng.poisson(DENSITY * height * width))
    # Beyond the edge too: the wings of a source outside reach in.
    x, y = rng.uniform(-10, width + 9, count), rng.uniform(-10, height + 9, count)
    low, high = (10 ** (COUNTS_SLOPE * (m - MAGNITUDES[1])) for m in MAGNITUDES)
    magnitude = MAGNITUDES[1] + np.log10(rng.uniform(low, high, count)) / COUNTS_SLOPE
    star = rng.random(count) < 0.5

    host = galaxies[galaxies["companion_distance"] > 0]
    distance = (host["companion_distance"] * host["half_light_radius"] / PIXEL_SCALE).to_numpy()
    angle = host["companion_angle"].to_numpy()
    sources = pd.DataFrame(
        {
            "x": np.concatenate([x, host["x"].to_numpy() + distance * np.cos(angle)]),
            "y": np.concatenate([y, host["y"].to_numpy() + distance * np.sin(angle)]),
            "magnitude": np.concatenate([magnitude, (host["magnitude"] + host["companion_difference"]).to_numpy()]),
            "is_star": np.concatenate([star, np.zeros(len(host), bool)]),
        }
    )
    sources["template"] = rng.integers(GALAXY_TEMPLATES, size=len(sources))
    sources["flip"] = rng.integers(4, size=len(sources))
    return sources


def _template(profile: galsim.GSObject, exposure: Exposure, size: int) -> Floats:
    """Draw a profile of unit flux through PSF and pixel at FINE samples per pixel.

    Returns (n, n) float32, n odd, with the centre at the middle sample.
    """
    spectrum = half_plane(profile, size) * exposure.transfer(size)
    # Zeros at the high wavenumbers interpolate to a finer grid.
    side = size * FINE // OVERSAMPLING
    padded = np.zeros((side, side // 2 + 1), np.complex64)
    half = size // 2
    padded[:half, : half + 1] = spectrum[:half]
    padded[-half:, : half + 1] = spectrum[half:]
    image = scipy.fft.fftshift(scipy.fft.irfft2(padded, s=(side, side)))
    # An odd number of samples has one in the middle, which mirroring leaves there.
    return np.asarray(image[1:, 1:] * np.float32(FINE**2))


def _galaxies(exposure: Exposure, rng: np.random.Generator) -> list[Floats]:
    """Return templates of small galaxies, disks and spheroids in turn."""
    templates = []
    for k in range(GALAXY_TEMPLATES):
        radius = float(np.clip(0.8 * np.exp(0.45 * rng.standard_normal()), 0.3, 2.5))
        ratio, angle = float(rng.uniform(0.3, 1)), float(rng.uniform(0, np.pi)) * galsim.radians
        galaxy = galsim.Sersic(1.0 if k % 2 else 2.5, half_light_radius=radius, trunc=4 * radius)
        templates.append(_template(galaxy.shear(q=ratio, beta=angle), exposure, OVERSAMPLING * SMALL))
    return templates


def paint(scene: Floats, sources: pd.DataFrame, exposure: Exposure, rng: np.random.Generator) -> None:
    """Add sources to a noiseless frame, in place.

    Parameters
    ----------
    scene
        (y, x) float32, DN.
    sources
        As `draw` returns them.
    exposure
        The frame's circumstances.
    rng
        Of the templates' shapes.
    """
    galaxies = _galaxies(exposure, rng)
    point = galsim.DeltaFunction()
    faint_star, bright_star = (_template(point, exposure, OVERSAMPLING * side) for side in (SMALL, LARGE))
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
        half = template.shape[0] // (2 * FINE) - 1
        i, j = round(source.x), round(source.y)
        # The first sample: `half` pixels before the middle, and back by the fraction of a pixel, to the nearest sample.
        middle = template.shape[0] // 2
        column = middle - half * FINE - round((source.x - i) * FINE)
        row = middle - half * FINE - round((source.y - j) * FINE)
        reach = (2 * half + 1) * FINE
        stamp = template[row : row + reach : FINE, column : column + reach : FINE]
        add(scene, stamp * np.float32(exposure.flux(source.magnitude)), i - half, j - half)


def add(scene: Floats, stamp: Floats, x: int, y: int) -> None:
    """Add a stamp whose first pixel is (x, y) to a frame, in place; what hangs over the edge is cut off."""
    height, width = scene.shape
    x0, y0 = max(x, 0), max(y, 0)
    x1, y1 = min(x + stamp.shape[1], width), min(y + stamp.shape[0], height)
    if x0 < x1 and y0 < y1:
        scene[y0:y1, x0:x1] += stamp[y0 - y : y1 - y, x0 - x : x1 - x]
