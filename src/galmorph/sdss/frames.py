"""Read SDSS frames and tsField files, and check everything in them that can be checked."""

from __future__ import annotations

import bz2
import gzip
import io
import math
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS, FITSFixedWarning
from astropy.wcs.utils import proj_plane_pixel_scales, wcs_to_celestial_frame
from isal import igzip, igzip_lib
from numpy.typing import NDArray

from galmorph.errors import GalmorphError
from galmorph.files.reading import regular_file
from galmorph.sdss.names import BANDS, PIXEL_SCALE, FrameName, parse_tsfield_name

FRAME_SHAPE = (1489, 2048)

# FRAME in the header counts the frames of the CCD. The sky drifts over the camera's rows in the order r i u z g, two
# frames apart: field 131 is FRAME 131 in r and 139 in g.
_FRAME_LAG = {"r": 0, "i": 2, "u": 4, "z": 6, "g": 8}

_SCALE_TOLERANCE = 0.03  # frames differ by less than 0.1 %

# What astropy warns of in every SDSS header, and repairs correctly: an old name of RADESYS, a date without MJD-OBS, and
# in some headers EQUINOX as text. Other warnings are not silenced.
_KNOWN_WARNINGS = (r"RADECSYS=", r"'datfix' made the change 'Set MJD-OBS", r"EQUINOX = '2000\.0")

# What astropy raises for damaged files. What it says of them differs between versions, and is not repeated.
_FITS_ERRORS = (OSError, EOFError, ValueError, TypeError, ArithmeticError, LookupError, zlib.error, fits.VerifyError)

# By the ending of a file; others are not compressed.
_OPEN: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open}
_DECOMPRESS: dict[str, Any] = {".gz": igzip.decompress, ".bz2": bz2.decompress}


class DamagedFitsError(ValueError):
    """What is wrong with a FITS file, in our own words."""


@dataclass(frozen=True)
class Frame:
    """A verified frame.

    Attributes
    ----------
    image
        (ny, nx) float32, DN, (y, x), without the soft bias.
    wcs
        Celestial coordinates of the 0-based pixels.
    name
        Release, run, camcol, field and band.
    """

    image: NDArray[np.float32]
    wcs: WCS
    name: FrameName


def read_frame(path: Path) -> Frame:
    """Read and verify a frame of DR7 (fpC) or of DR8 and later (frame).

    The pixels are camera counts (DN) in both: a DR7 frame without its soft bias but with its sky; a DR8+ frame
    divided by its calibration (nanomaggies per count, one value per column, HDU 1). The data model of DR8+ gives the
    counts of a corrected frame as image / calibration + sky; the sky (HDU 2) is not added.

    Parameters
    ----------
    path
        A file with its name in the archive, which must agree with the header.

    Raises
    ------
    GalmorphError
        If the file is missing, empty, damaged, a web page, of another shape, without celestial coordinates, or another
        frame than its name says. (DR8+ frames may have any shape that fits their calibration.)

    Examples
    --------
    >>> import tempfile
    >>> header = {"RUN": 94, "CAMCOL": 1, "FILTER": "r", "FRAME": 131, "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN"}
    >>> header |= {"CRVAL1": 150.0, "CRVAL2": 20.0, "CDELT1": -0.00011, "CDELT2": 0.00011}
    >>> image = fits.PrimaryHDU(np.full((50, 80), 0.5, np.float32), fits.Header(header))
    >>> calibration = fits.ImageHDU(np.full(80, 2.0**-8, np.float32))
    >>> path = Path(tempfile.mkdtemp()) / "frame-r-000094-1-0131.fits.bz2"
    >>> fits.HDUList([image, calibration]).writeto(path)
    >>> frame = read_frame(path)
    >>> frame.name.field, frame.image.shape, float(frame.image[0, 0])
    (131, (50, 80), 128.0)
    """
    name = _parse_name(path)
    content = read_compressed(path)
    try:
        with warnings.catch_warnings():
            # For a file that ends early astropy only warns.
            warnings.filterwarnings("error", message=r".*truncated")
            # Scaled by astropy, the pixels of DR7 would be copied twice more.
            stored = name.release == "dr7"
            check_size(content)
            with fits.HDUList.fromstring(content, do_not_scale_image_data=stored) as hdus:
                field = int(hdus[3].data["FIELD"][0]) if name.release == "dr8" and len(hdus) > 3 else None
                header = hdus[0].header
                _check_header(header, name, path, field)
                image = _dr7_image(hdus, path) if name.release == "dr7" else _dr8_image(hdus, path)
    except (*_FITS_ERRORS, Warning) as error:
        raise GalmorphError(f"{path}: not a readable frame{_detail(error)}; fetch the file again") from None
    return Frame(image, _celestial(header, path), name)


def read_frame_wcs(path: Path) -> tuple[WCS, tuple[int, int]]:
    """Read the coordinates of a frame from its header, to find the frame that holds a position.

    Returns
    -------
    wcs, shape
        Celestial coordinates, and (ny, nx). The pixels are neither read nor verified.

    Raises
    ------
    GalmorphError
        If the header cannot be read or has no celestial coordinates.
    """
    _parse_name(path)
    try:
        with _OPEN.get(path.suffix, open)(regular_file(path), "rb") as stream:
            header = fits.Header.fromfile(stream)
        shape = (int(_card(header, "NAXIS2")), int(_card(header, "NAXIS1")))
    except _FITS_ERRORS as error:
        raise GalmorphError(f"{path}: not a readable frame{_detail(error)}; fetch the file again") from None
    return _celestial(header, path), shape


def read_psf_width(path: Path, band: str) -> float:
    """Read the effective width (FWHM) of a field's point spread function, in arcsec, from its tsField file.

    Raises
    ------
    GalmorphError
        If the file is missing or damaged, is not the tsField that its name says, or has no plausible width.
    """
    name = parse_tsfield_name(path.name)
    if name is None:
        raise GalmorphError(f"{path}: not named as a calibration; expected tsField-RRRRRR-C-rr-FFFF.fit")
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message=r".*truncated")
            content = regular_file(path).read_bytes()
            check_size(content)
            with fits.open(io.BytesIO(content), memmap=False) as hdus:
                row: Any = hdus[1].data[0]
                header = hdus[0].header
                found = (int(header["RUN"]), int(header["RERUN"]), int(header["CAMCOL"]), int(row["field"]))
                width = float(row["psf_width"][BANDS.index(band)])
    except (*_FITS_ERRORS, Warning) as error:
        raise GalmorphError(f"{path}: not a readable tsField{_detail(error)}; fetch the file again") from None
    if found != name:
        raise GalmorphError(
            f"{path}: holds run, rerun, camcol, field {found}, not what its name says; rename it or fetch it again"
        )
    if not 0.3 < width < 10:
        raise GalmorphError(f"{path}: psf_width {width} arcsec in {band}; remove this file")
    return width


def read_compressed(path: Path) -> bytes:
    """Read and decompress a gzip (.gz) or bzip2 (.bz2) file, to its end: only there is the checksum compared.

    Any other file is returned as it is.

    Raises
    ------
    GalmorphError
        If it is missing, empty, a web page, damaged or cut short.
    """
    try:
        packed = regular_file(path).read_bytes()
    except OSError as error:
        raise GalmorphError(f"{path}: cannot be read ({error.strerror or error}); put the file in place") from None
    if not packed:
        raise GalmorphError(f"{path}: empty; fetch the file again")
    if packed.lstrip()[:1] == b"<":
        raise GalmorphError(f"{path}: a web page, not a frame (the server had none?); fetch the file again")
    try:
        content: bytes = _DECOMPRESS.get(path.suffix, bytes)(packed)
        return content
    except (OSError, EOFError, ValueError, igzip_lib.IsalError):  # type: ignore[misc]
        raise GalmorphError(f"{path}: damaged or cut short; fetch the file again") from None


def check_size(content: bytes) -> None:
    """Check that the first image of a FITS file fits into it.

    Raises
    ------
    DamagedFitsError
        If it is larger, or has a negative side, over which astropy never ends.
    """
    header = fits.Header.fromfile(io.BytesIO(content))
    sides = [int(header[f"NAXIS{axis}"]) for axis in range(1, int(header["NAXIS"]) + 1)]
    if min(sides, default=0) < 0 or abs(int(header["BITPIX"])) // 8 * math.prod(sides) > len(content):
        raise DamagedFitsError(f"truncated, or a damaged header: {sides} pixels in {len(content)} bytes")


def _card(header: fits.Header, name: str) -> Any:
    """Return a value of a header; DamagedFitsError if it has none of this name."""
    if name not in header:
        raise DamagedFitsError(f"no {name} in its header")
    return header[name]


def _detail(error: Exception) -> str:
    """Return what is wrong with a file, for the end of a message; only our own errors say so."""
    return f" ({error})" if isinstance(error, DamagedFitsError) else ""


def _parse_name(path: Path) -> FrameName:
    name = FrameName.parse(path.name)
    if name is None:
        raise GalmorphError(
            f"{path}: not named as a frame; expected fpC-RRRRRR-bC-FFFF.fit.gz or frame-b-RRRRRR-C-FFFF.fits.bz2"
        )
    return name


def _check_header(header: fits.Header, name: FrameName, path: Path, field: int | None) -> None:
    """Compare the header with the file name; `field` is that of the astrometry table, if there is one."""
    run, camcol, frame = (int(_card(header, key)) for key in ("RUN", "CAMCOL", "FRAME"))
    band = str(_card(header, "FILTER")).strip()
    fields = {frame, frame - _FRAME_LAG.get(band, 0)} if field is None else {field}
    if (run, camcol, band) != (name.run, name.camcol, name.band) or name.field not in fields:
        raise GalmorphError(
            f"{path}: the header is that of run {run}, camcol {camcol}, band {band}, "
            f"field {' or '.join(map(str, sorted(fields)))}, not of the file's name; rename it or fetch it again"
        )


def _dr7_image(hdus: fits.HDUList, path: Path) -> NDArray[np.float32]:
    data = hdus[0].data
    if data is None or data.shape != FRAME_SHAPE:
        shape = "no image" if data is None else f"{data.shape} pixels"
        raise GalmorphError(f"{path}: {shape} instead of {FRAME_SHAPE} (rows, columns); fetch the file again")
    # To float before any subtraction: in uint16, 996 - 1000 is 65532. Whole numbers of 16 bits are exact in float32.
    header = hdus[0].header
    image: NDArray[np.float32] = data.astype(np.float32)
    if (scale := header.get("BSCALE", 1)) != 1:
        image *= np.float32(scale)
    image += np.float32(header.get("BZERO", 0) - _card(header, "SOFTBIAS"))
    return image


def _dr8_image(hdus: fits.HDUList, path: Path) -> NDArray[np.float32]:
    data, scale = hdus[0].data, hdus[1].data
    if data is None or data.ndim != 2 or scale is None or scale.shape != data.shape[1:]:
        raise GalmorphError(f"{path}: no image with a calibration for each of its columns; fetch the file again")
    if not (np.isfinite(scale).all() and (scale > 0).all()):
        raise GalmorphError(f"{path}: the calibration has columns that are not positive; leave this frame out")
    image: NDArray[np.float32] = (data / scale).astype(np.float32)
    return image


def _celestial(header: fits.Header, path: Path) -> WCS:
    """Return the celestial coordinates of a frame's 0-based pixels.

    Raises
    ------
    GalmorphError
        If the header has none, they are not right ascension and declination in a system that astropy knows, or the
        pixel scale is not the camera's.
    """
    try:
        with warnings.catch_warnings():
            for message in _KNOWN_WARNINGS:
                warnings.filterwarnings("ignore", message=message, category=FITSFixedWarning)
            # For a singular matrix astropy only warns.
            warnings.filterwarnings("error", message="'celfix'", category=FITSFixedWarning)
            wcs = WCS(header)
            known = wcs.has_celestial and wcs.naxis == 2 and (wcs.wcs.lngtyp, wcs.wcs.lattyp) == ("RA", "DEC")
            if known:
                wcs_to_celestial_frame(wcs)
                scales = proj_plane_pixel_scales(wcs) * 3600.0
                if not np.all(np.abs(scales / PIXEL_SCALE - 1) < _SCALE_TOLERANCE):
                    raise DamagedFitsError(f"pixels of {' x '.join(f'{scale:g}' for scale in scales)} arcsec")
    except (*_FITS_ERRORS, FITSFixedWarning) as error:
        raise GalmorphError(
            f"{path}: the header's coordinates make no sense{_detail(error)}; fetch the file again"
        ) from None
    if not known:
        raise GalmorphError(f"{path}: the header has no right ascension and declination; fetch the file again")
    return wcs
