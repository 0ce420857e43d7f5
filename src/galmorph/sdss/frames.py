"""The bytes of a FITS file, whole and of a plausible size, before astropy makes anything of them.

The celestial coordinates of a frame's header: believed as far as they are those of the camera.

Reading the SDSS's frames and their calibration, and trusting neither before all of it has been checked.
"""

from __future__ import annotations

import bz2
import gzip
import io
import math
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS, FITSFixedWarning
from astropy.wcs.utils import proj_plane_pixel_scales, wcs_to_celestial_frame
from isal import igzip_lib, isal_zlib
from numpy.typing import NDArray

from galmorph.errors import GalmorphError
from galmorph.files.reading import MAX_BYTES, file_bytes, regular_file
from galmorph.sdss.names import BANDS, PIXEL_SCALE, FrameName, Release, parse_tsfield_name

BLOCK = 2880  # bytes, of which headers and data are whole multiples
# isal's stubs take its class of errors for an error.
_FAULTS: tuple[type[Exception], ...] = (OSError, EOFError, ValueError, igzip_lib.IsalError)  # type: ignore[assignment]


def decompressed(path: Path) -> bytes:
    """Return the whole content of a compressed file: only at the end of the stream is its checksum compared.

    Raises
    ------
    GalmorphError
        If it is missing, empty, a web page, damaged or cut short.
    """
    try:
        packed = file_bytes(path)
    except OSError as error:
        raise GalmorphError(f"{path}: cannot be read ({error.strerror or error}); put the file in place") from None
    if not packed:
        raise GalmorphError(f"{path}: empty; fetch the file again")
    if packed.lstrip()[:1] == b"<":
        raise GalmorphError(f"{path}: a web page, not a frame (the server had none?); fetch the file again")
    try:
        return inflated(packed, gzipped=path.suffix == ".gz")
    except _FAULTS as error:
        raise GalmorphError(f"{path}: damaged or cut short ({error}); fetch the file again") from None


def inflated(packed: bytes, *, gzipped: bool) -> bytes:
    """Decompress all streams of a file (gzip, or bzip2), to the end and no further than `MAX_BYTES`.

    Raises
    ------
    OSError, EOFError, ValueError, igzip_lib.IsalError
        If it is damaged, cut short or larger.
    """
    parts: list[bytes] = []
    room = MAX_BYTES
    while packed:
        stream = isal_zlib.decompressobj(wbits=31) if gzipped else bz2.BZ2Decompressor()
        parts.append(stream.decompress(packed, max_length=room + 1))
        room -= len(parts[-1])
        if room < 0:
            raise ValueError(f"more than {MAX_BYTES:,} bytes")
        if not stream.eof:
            raise EOFError("it ends before the end of the stream")
        packed = stream.unused_data.lstrip(b"\0")
    return parts[0] if len(parts) == 1 else b"".join(parts)


def check_sizes(content: bytes) -> None:
    """Refuse headers that claim more than the file holds; over a side of less than no pixels astropy never ends.

    Raises
    ------
    ValueError
    """
    stream = io.BytesIO(content)
    while stream.tell() < len(content):
        header = fits.Header.fromfile(stream)
        axes = int(header["NAXIS"])
        sides = [int(header[f"NAXIS{axis}"]) for axis in range(1, axes + 1)]
        further, groups = int(header.get("PCOUNT", 0)), int(header.get("GCOUNT", 1))
        if min([axes, further, groups, *sides]) < 0:
            raise ValueError("a header with a negative size")
        data = abs(int(header["BITPIX"])) // 8 * groups * (further + (math.prod(sides) if sides else 0))
        if stream.tell() + data > len(content):
            raise ValueError(
                f"a header that claims {data} bytes, where {len(content) - stream.tell()} are left; truncated"
            )
        stream.seek(-(-data // BLOCK) * BLOCK, io.SEEK_CUR)


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


FRAME_SHAPE = (1489, 2048)

# The camera drifts over the sky with its rows in the order r i u z g, two frames apart, and FRAME in the header counts
# the frames of the CCD: that of field 131 is 131 in r and 139 in g.
_FRAME_LAG = {"r": 0, "i": 2, "u": 4, "z": 6, "g": 8}


@dataclass(frozen=True)
class Frame:
    """A frame, verified.

    Attributes
    ----------
    image
        (ny, nx) float32, DN, (y, x); the soft bias is removed.
    wcs
        Celestial coordinates of the 0-based pixels.
    sky_subtracted
        False for DR7; True for DR8+, whose frames hold light above the sky only.
    name
        The file's name.
    """

    image: NDArray[np.float32]
    wcs: WCS
    run: int
    camcol: int
    field: int
    band: str
    release: Release
    sky_subtracted: bool
    name: str


@dataclass(frozen=True)
class FieldCalibration:
    """What a tsField file says of one band of one field.

    Attributes
    ----------
    psf_width
        Effective width of the point spread function, arcsec (FWHM).
    gain
        Electrons per DN.
    dark_variance
        Variance of the dark current and the read noise, DN^2.
    aa, kk, airmass
        Zero point, extinction per airmass (mag), and airmass.
    """

    psf_width: float
    gain: float
    dark_variance: float
    aa: float
    kk: float
    airmass: float


def _named(path: Path) -> FrameName:
    name = FrameName.parse(path.name)
    if name is None:
        raise GalmorphError(
            f"{path}: not named as a frame; expected fpC-RRRRRR-bC-FFFF.fit.gz or frame-b-RRRRRR-C-FFFF.fits.bz2"
        )
    return name


def _check_header(header: fits.Header, name: FrameName, path: Path, field: int | None) -> None:
    """Compare the header with the file name; `field` is that of the calibration table, where there is one."""
    found = (int(header["RUN"]), int(header["CAMCOL"]), str(header["FILTER"]).strip())
    lag = _FRAME_LAG.get(found[2], 0)
    fields = {int(header["FRAME"]), int(header["FRAME"]) - lag} if field is None else {field}
    if found != (name.run, name.camcol, name.band) or name.field not in fields:
        raise GalmorphError(
            f"{path}: the header is that of run {found[0]}, camcol {found[1]}, band {found[2]}, "
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
    image += np.float32(header.get("BZERO", 0) - header["SOFTBIAS"])
    return image


def _dr8_image(hdus: fits.HDUList, path: Path) -> NDArray[np.float32]:
    data, scale = hdus[0].data, hdus[1].data
    if data is None or data.ndim != 2 or scale is None or scale.shape != data.shape[1:]:
        raise GalmorphError(f"{path}: no image with a calibration for each of its columns; fetch the file again")
    if not (np.isfinite(scale).all() and (scale > 0).all()):
        raise GalmorphError(f"{path}: the calibration has columns that are not positive; leave this frame out")
    image: NDArray[np.float32] = (data / scale).astype(np.float32)
    return image


def read_frame(path: Path) -> Frame:
    """Read a frame, and trust none of it before all of it has been checked.

    The pixels come in the counts of the camera (DN) in both releases: a DR7 frame without its soft bias, its sky
    left in; a DR8+ frame divided by its calibration (nanomaggies per count, one value a column, HDU 1). The data
    model of DR8+ gives a corrected frame's counts as image / calibration + sky; the sky (HDU 2) stays out.

    Parameters
    ----------
    path
        A file named as the archive names it: the name says what the header must agree with.

    Raises
    ------
    GalmorphError
        If the file is missing, empty, damaged, a web page, of another shape, without celestial coordinates, or of
        another frame than its name says. (DR8+ frames may be trimmed: any shape that their calibration fits.)
    """
    name = _named(path)
    content = decompressed(path)
    try:
        with warnings.catch_warnings():
            # A FITS file that ends early is only warned of.
            warnings.filterwarnings("error", message=r".*truncated")
            # As they are stored: scaled by astropy, the pixels of DR7 would be copied twice more.
            stored = name.release == "dr7"
            check_sizes(content)
            with fits.HDUList.fromstring(content, do_not_scale_image_data=stored) as hdus:
                field = int(hdus[3].data["FIELD"][0]) if name.release == "dr8" and len(hdus) > 3 else None
                header = hdus[0].header
                _check_header(header, name, path, field)
                image = _dr7_image(hdus, path) if name.release == "dr7" else _dr8_image(hdus, path)
    except (*FITS_FAULTS, Warning) as error:
        raise GalmorphError(f"{path}: not a readable frame ({error}); fetch the file again") from None
    return Frame(
        image=image,
        wcs=celestial(header, path),
        run=name.run,
        camcol=name.camcol,
        field=name.field,
        band=name.band,
        release=name.release,
        sky_subtracted=name.release == "dr8",
        name=path.name,
    )


def read_frame_wcs(path: Path) -> tuple[WCS, tuple[int, int]]:
    """Read the coordinates of a frame from its header alone, to find the frame that holds a position.

    Returns
    -------
    wcs, shape
        Celestial coordinates, and (ny, nx). Nothing is verified: whoever wants pixels calls `read_frame`.

    Raises
    ------
    GalmorphError
        If the header cannot be read or has no celestial coordinates.
    """
    _named(path)
    try:
        with (gzip if path.suffix == ".gz" else bz2).open(regular_file(path)) as stream:
            header = fits.Header.fromfile(stream)
        shape = (int(header["NAXIS2"]), int(header["NAXIS1"]))
    except FITS_FAULTS as error:
        raise GalmorphError(f"{path}: not a readable frame ({error}); fetch the file again") from None
    return celestial(header, path), shape


def read_tsfield(path: Path, band: str) -> FieldCalibration:
    """Read one band of a field's calibration.

    Raises
    ------
    GalmorphError
        If the file is missing, is not the tsField that its name says, or holds no usable width.
    """
    name = parse_tsfield_name(path.name)
    if name is None:
        raise GalmorphError(f"{path}: not named as a calibration; expected tsField-RRRRRR-C-rr-FFFF.fit")
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message=r".*truncated")
            content = file_bytes(path)
            check_sizes(content)
            with fits.open(io.BytesIO(content), memmap=False) as hdus:
                row: Any = hdus[1].data[0]
                header = hdus[0].header
                found = (int(header["RUN"]), int(header["RERUN"]), int(header["CAMCOL"]), int(row["field"]))
                index = BANDS.index(band)
                columns = ("psf_width", "gain", "dark_variance", "aa", "kk", "airmass")
                values = {column: float(row[column][index]) for column in columns}
    except (*FITS_FAULTS, Warning) as error:
        raise GalmorphError(f"{path}: not a readable tsField ({error}); fetch the file again") from None
    if found != name:
        raise GalmorphError(
            f"{path}: holds run, rerun, camcol, field {found}, not what its name says; rename it or fetch it again"
        )
    if not (np.isfinite(values["psf_width"]) and 0.3 < values["psf_width"] < 10):
        raise GalmorphError(f"{path}: psf_width {values['psf_width']} arcsec in {band}; remove this file")
    return FieldCalibration(**values)
