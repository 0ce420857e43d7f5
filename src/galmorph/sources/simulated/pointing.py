"""Where the camera looks: runs, columns and fields of the simulated survey, and each frame's place on the sky.

Runs scan eastward along stripes of declination. Two successive fields make a strip and share rows, as successive frames
of the archive do; the third field is left out. The camera's columns have gaps between them, so no other frames overlap.
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
from galmorph.sdss.names import FrameName, tsfield_path

Floats = NDArray[np.float64]

BAND: Final = "r"
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
ROW_CLOCK: Final = 26322  # microseconds
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

    @property
    def frame_path(self) -> str:
        """Path of the frame in the archive."""
        return FrameName("dr7", self.run, self.camcol, self.field, BAND).path(RERUN)

    @property
    def tsfield_path(self) -> str:
        """Path of the field's calibration in the archive."""
        return tsfield_path(self.run, RERUN, self.camcol, self.field)

    @property
    def night(self) -> int:
        """Number of the night of the run."""
        return self.run - FIRST_RUN

    @property
    def start(self) -> float:
        """TAI of the frame's first row, seconds since 1858-11-17."""
        return 4_476_600_000.0 + self.night * 86400.0 + (self.field - FIRST_FIELD) * FIELD_ROWS * ROW_CLOCK * 1e-6

    def wcs(self) -> WCS:
        """Return the frame's world coordinate system: +x to the north, +y to the east."""
        wcs = WCS(naxis=2)
        cos, sin = DEGREES_PER_PIXEL * np.cos(self.rotation), DEGREES_PER_PIXEL * np.sin(self.rotation)
        axes = [("RA---TAN", self.ra, [sin, cos]), ("DEC--TAN", self.dec, [cos, -sin])]
        wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.cd = zip(*(axes[::-1] if self.dec_first else axes), strict=True)
        wcs.wcs.crpix = [FRAME_SHAPE[1] / 2 + 0.5, FRAME_SHAPE[0] / 2]
        wcs.wcs.cunit = ["deg", "deg"]
        wcs.wcs.radesys = "ICRS"
        return wcs

    def sky(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Return right ascension and declination in degrees of 0-based pixel positions."""
        position: SkyCoord = self.wcs().pixel_to_world(x, y)
        return position.ra.deg, position.dec.deg


def pointing(strip: int, part: int) -> Pointing:
    """Return the first (part 0) or second (part 1) field of a strip, which are numbered from 0.

    Raises
    ------
    GalmorphError
        If the survey has no such strip.
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
    if part == 0:
        return first
    # The same sky, FIELD_ROWS further down; meridians converge, so north has another direction there.
    x, y = FRAME_SHAPE[1] / 2 - 0.5, FRAME_SHAPE[0] / 2 - 1 + FIELD_ROWS
    (ra, ra_east), (dec, dec_east) = (values.tolist() for values in first.sky(np.array([x, x + 1]), np.array([y, y])))
    return replace(
        first,
        field=first.field + 1,
        ra=ra,
        dec=dec,
        rotation=float(np.arctan2((ra_east - ra) * np.cos(np.radians(dec)), dec_east - dec)),
        dec_first=strip % 10 == 7,
    )
