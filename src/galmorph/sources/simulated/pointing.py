"""Where the camera looks: the runs, columns and fields of the simulated survey, and each frame's place on the sky.

Runs scan eastward along stripes of declination; every second field of a run is kept, and the columns of the camera
have gaps between them, so that no two frames overlap.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS
from numpy.typing import NDArray

from galmorph.errors import GalmorphError
from galmorph.sdss import FRAME_SHAPE

RERUN: Final = 40
FIRST_RUN, RUN_STEP = 1009, 8
FIRST_FIELD, FIELD_STEP = 11, 2
CAMERA_COLUMNS: Final = 6
FIELDS_PER_RUN: Final = 15
STRIPES: Final = 12  # 2.5 degrees apart, from declination -11 on
RUNS_PER_STRIPE: Final = 72  # 5 degrees of right ascension each
FRAMES: Final = CAMERA_COLUMNS * FIELDS_PER_RUN * STRIPES * RUNS_PER_STRIPE
FIELD_LENGTH: Final = 1361 * 0.396 / 3600  # degrees from one field to the next; a frame repeats 128 rows of the next
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


def pointing(index: int) -> Pointing:
    """Return the survey's frame of a number, from 0.

    Raises
    ------
    GalmorphError
        If the sky that the survey scans has no such frame.
    """
    if not 0 <= index < FRAMES:
        raise GalmorphError(
            f"simulated.galaxies: frame {index + 1} is needed, the simulated survey has {FRAMES}; "
            "ask for fewer galaxies, or put more in a frame (simulated.galaxies_per_frame)"
        )
    run, place = divmod(index, CAMERA_COLUMNS * FIELDS_PER_RUN)
    step, column = divmod(place, CAMERA_COLUMNS)
    block, stripe = divmod(run, STRIPES)
    dec = -11 + 2.5 * stripe + COLUMN_DISTANCE * (column - (CAMERA_COLUMNS - 1) / 2)
    ra = 5 * block + (0.1 + FIELD_STEP * FIELD_LENGTH * step) / np.cos(np.radians(dec))
    return Pointing(
        run=FIRST_RUN + RUN_STEP * run,
        camcol=column + 1,
        field=FIRST_FIELD + FIELD_STEP * step,
        ra=round(ra % 360, 8),
        dec=round(dec, 8),
        rotation=0.022 * float(np.sin(0.7 * run)),
        dec_first=index % 10 == 5,
    )
