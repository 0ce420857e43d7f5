"""The celestial coordinates of a frame's header: believed as far as they are those of the camera."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS, FITSFixedWarning
from astropy.wcs.utils import proj_plane_pixel_scales, wcs_to_celestial_frame

from galmorph.errors import GalmorphError
from galmorph.sdss import PIXEL_SCALE

_SCALE_TOLERANCE = 0.03  # frames differ by less than 0.1 %

# What astropy says about every SDSS header, and repairs rightly: an old name of RADESYS, a date without MJD-OBS, and
# in some headers EQUINOX as text. Any other complaint is let through.
_KNOWN_COMPLAINTS = (r"RADECSYS=", r"'datfix' made the change 'Set MJD-OBS", r"EQUINOX = '2000\.0")

# What astropy raises over a file that is damaged.
FITS_FAULTS = (OSError, EOFError, ValueError, TypeError, ArithmeticError, LookupError, zlib.error, fits.VerifyError)


@contextmanager
def _known_complaints_silenced() -> Iterator[None]:
    with warnings.catch_warnings():
        for message in _KNOWN_COMPLAINTS:
            warnings.filterwarnings("ignore", message=message, category=FITSFixedWarning)
        yield


def celestial(header: fits.Header, path: Path) -> WCS:
    """Return the celestial coordinates of a frame's 0-based pixels.

    Raises
    ------
    GalmorphError
        If the header has none, or others than the camera can have seen: not of right ascension and declination in a
        system that astropy knows, or with pixels that are not of its size.
    """
    try:
        with _known_complaints_silenced():
            # A singular matrix is only warned of.
            warnings.filterwarnings("error", message="'celfix'", category=FITSFixedWarning)
            wcs = WCS(header)
            known = wcs.has_celestial and wcs.naxis == 2 and (wcs.wcs.lngtyp, wcs.wcs.lattyp) == ("RA", "DEC")
            if known:
                wcs_to_celestial_frame(wcs)
                scales = proj_plane_pixel_scales(wcs) * 3600.0
                if not np.all(np.abs(scales / PIXEL_SCALE - 1) < _SCALE_TOLERANCE):
                    raise ValueError(f"pixels of {' x '.join(f'{scale:g}' for scale in scales)} arcsec")
    except (*FITS_FAULTS, FITSFixedWarning) as error:
        reason = str(error).strip().replace("\n", " ")
        raise GalmorphError(
            f"{path}: the header's coordinates make no sense ({reason}); fetch the file again"
        ) from None
    if not known:
        raise GalmorphError(f"{path}: the header has no right ascension and declination; fetch the file again")
    return wcs
