"""Where the camera looks: the runs, columns and fields of the simulated survey, and each frame's place on the sky.

Runs scan eastward along stripes of declination. Two successive fields are kept, the third left out: the two share the
rows in which, as in the archive, one frame repeats the next. The columns of the camera have gaps between them, so that
no other frames overlap.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS
from numpy.typing import NDArray

from galmorph.errors import GalmorphError
from galmorph.sdss.frames import FRAME_SHAPE

RERUN: Final = 40
FIRST_RUN, RUN_STEP = 1009, 8
FIRST_FIELD: Final = 11
STRIP_FIELDS: Final = 2  # successive fields of one strip
STRIP_STEP: Final = 3  # fields from one strip to the next in the same column
CAMERA_COLUMNS: Final = 6
STRIPS_PER_COLUMN: Final = 10
STRIPES: Final = 12  # 2.5 degrees apart, from declination -11 on
RUNS_PER_STRIPE: Final = 72  # 5 degrees of right ascension each
STRIPS: Final = CAMERA_COLUMNS * STRIPS_PER_COLUMN * STRIPES * RUNS_PER_STRIPE
FIELD_ROWS: Final = 1361  # rows from one field to the next; a frame repeats the first 128 rows of the next
COLUMN_DISTANCE: Final = 25.17 / 60  # degrees between neighbouring camera columns
DEGREES_PER_PIXEL: Final = 1.1e-4


@dataclass(frozen=True)
class Pointing:
    """One field of one camera column.

    Attributes
    ----------
    run, camcol, field
        As in the archive.
    ra, dec
        Of the reference pixel, degrees.
    rotation
        Of the sky against the frame, radians.
    dec_first
        Whether the header names declination first, as in a tenth of the archive.
    """

    run: int
    camcol: int
    field: int
    ra: float
    dec: float
    rotation: float
    dec_first: bool

    def wcs(self) -> WCS:
        """Return the frame's world coordinate system: +x to the north, +y to the east."""
        wcs = WCS(naxis=2)
        cos, sin = DEGREES_PER_PIXEL * np.cos(self.rotation), DEGREES_PER_PIXEL * np.sin(self.rotation)
        ra_row, dec_row = np.array([sin, cos]), np.array([cos, -sin])
        ra_axis, dec_axis = ("RA---TAN", self.ra, ra_row), ("DEC--TAN", self.dec, dec_row)
        axes = (dec_axis, ra_axis) if self.dec_first else (ra_axis, dec_axis)
        wcs.wcs.ctype = [axis[0] for axis in axes]
        wcs.wcs.crval = [axis[1] for axis in axes]
        wcs.wcs.cd = np.stack([axis[2] for axis in axes])
        wcs.wcs.crpix = [FRAME_SHAPE[1] / 2 + 0.5, FRAME_SHAPE[0] / 2]
        wcs.wcs.cunit = ["deg", "deg"]
        wcs.wcs.radesys = "ICRS"
        return wcs

    def sky(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return right ascension and declination in degrees of 0-based pixel positions."""
        position: SkyCoord = self.wcs().pixel_to_world(x, y)
        return position.ra.deg, position.dec.deg


def pointing(strip: int, part: int) -> Pointing:
    """Return a frame of the survey: of a strip by its number, from 0, the first (0) or the second (1) field.

    Raises
    ------
    GalmorphError
        If the sky that the survey scans has no such strip.
    """
    if not 0 <= strip < STRIPS:
        raise GalmorphError(
            f"simulated.galaxies: frame {STRIP_FIELDS * strip + part + 1} is needed, the simulated survey has "
            f"{STRIP_FIELDS * STRIPS}; ask for fewer galaxies, or put more in a frame (simulated.galaxies_per_frame)"
        )
    run, place = divmod(strip, CAMERA_COLUMNS * STRIPS_PER_COLUMN)
    step, column = divmod(place, CAMERA_COLUMNS)
    block, stripe = divmod(run, STRIPES)
    field = STRIP_STEP * step
    dec = -11 + 2.5 * stripe + COLUMN_DISTANCE * (column - (CAMERA_COLUMNS - 1) / 2)
    ra = 5 * block + (0.1 + DEGREES_PER_PIXEL * FIELD_ROWS * field) / np.cos(np.radians(dec))
    first = Pointing(
        run=FIRST_RUN + RUN_STEP * run,
        camcol=column + 1,
        field=FIRST_FIELD + field,
        ra=round(ra % 360, 8),
        dec=round(dec, 8),
        rotation=0.022 * float(np.sin(0.7 * run)),
        dec_first=strip % 10 == 2,
    )
    return _next(first, dec_first=strip % 10 == 7) if part else first


def _next(first: Pointing, *, dec_first: bool) -> Pointing:
    """Return the field that follows in the scan: the same pixels of the sky, FIELD_ROWS further down."""
    x, y = FRAME_SHAPE[1] / 2 - 0.5, FRAME_SHAPE[0] / 2 - 1 + FIELD_ROWS
    ra, dec = first.sky(np.array([x, x + 1]), np.array([y, y]))
    east, north = (ra[1] - ra[0]) * np.cos(np.radians(dec[0])), dec[1] - dec[0]
    return replace(
        first,
        field=first.field + 1,
        ra=float(ra[0]),
        dec=float(dec[0]),
        # Meridians converge: north is not where it was at the first field.
        rotation=float(np.arctan2(east, north)),
        dec_first=dec_first,
    )
