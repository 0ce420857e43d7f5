"""Read a cutout of any size from a FITS, npy, PNG or JPEG file, and make a stamp of it."""

from __future__ import annotations

import functools
import io
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
from astropy.io import fits
from isal import igzip
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from galmorph.files.reading import regular_file
from galmorph.settings.study import CutoutSettings
from galmorph.settings.survey import StampsSettings
from galmorph.stamps.cutouts import FLAT, NON_FINITE_PIXELS
from galmorph.stamps.origin import PICTURES
from galmorph.stamps.pixels import clipped_median, cut, shares
from galmorph.stamps.stampset import Stamp

# Why a cutout is rejected; a detail follows after a colon.
UNREADABLE = "stamp unreadable"
SEVERAL_IMAGES = "several images"
TRANSPARENT = "transparent pixels"
TOO_SMALL = "stamp too small"
NOT_SQUARE = "stamp not square"

_FITS = (".fits", ".fit", ".fits.gz", ".fit.gz", ".fits.fz", ".fit.fz")
ENDINGS = (*_FITS, ".npy", *PICTURES)
# Names of images in FITS files: of the sky, and of what surveys put beside it.
_SKY_IMAGES = ("SCI", "SCIENCE", "IMAGE")
_OTHER_IMAGES = re.compile(
    "AREA|BPM|CON|CTX|DQ|ERR|ERROR|EXP|FLAGS?|FLG|INVVAR|IVAR|MASK|MSK|NEXP|PSF|RMS|SEG|SIGMA|SKY|VAR|VARIANCE|WEIGHT|"
    "WGT|WHT"
)
_GREY_MODES = ("L", "I", "F", "I;16", "I;16B", "I;16L")
_CHANNELS = {"red": 0, "green": 1, "blue": 2}
_BORDER = 16  # the sky is measured on a border of this fraction of the side
_MOST_ENLARGED = 4  # a cutout of still fewer pixels a side than a stamp shows too little of a galaxy


class UnusableStampError(Exception):
    """The reason why a stamp cannot be used, for the list of rejects."""


def read_picture(path: Path, colour: str) -> NDArray[np.float32]:
    """Read one cutout.

    Parameters
    ----------
    path
        FITS, plain, gzipped or tile-compressed; npy, PNG or JPEG. Of several images in a FITS file the only one of the
        sky is read: the one called SCI, SCIENCE or IMAGE, or the only one not called MASK, ERR, WHT or the like.
    colour
        The channel of a colour picture that is used: red, green, blue, or their mean.

    Returns
    -------
    (ny, nx) float32
        (y, x); row 0 is the first row of the file: the top of a PNG or JPEG, the bottom of a FITS image.

    Raises
    ------
    UnusableStampError
        If it cannot be read as one two-dimensional image. The reason has none of the words of the libraries that read
        it, which differ from version to version, and even from run to run.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "galaxy.png"
    >>> Image.new("RGB", (3, 2), (10, 20, 60)).save(path)
    >>> read_picture(path, "mean")
    array([[30., 30., 30.],
           [30., 30., 30.]], dtype=float32)
    """
    kind, read = _reader(path.name.lower(), colour)
    try:
        content = regular_file(path).read_bytes()
    except OSError as error:
        raise UnusableStampError(f"{UNREADABLE}: {error.strerror or error}") from None
    if not content:
        raise UnusableStampError(f"{UNREADABLE}: empty")
    if content.lstrip()[:1] == b"<":
        raise UnusableStampError(f"{UNREADABLE}: a web page; fetch the file again")
    try:
        data = read(content)
    except UnusableStampError:
        raise
    except Exception:  # for damaged files these libraries raise two dozen types between them
        raise UnusableStampError(f"{UNREADABLE}: not a whole {kind} file") from None
    if data.ndim != 2 or data.dtype.kind not in "iuf" or 0 in data.shape:
        raise UnusableStampError(f"{UNREADABLE}: not a two-dimensional image of numbers")
    return data.astype(np.float32)


def _reader(name: str, colour: str) -> tuple[str, Callable[[bytes], NDArray[np.generic]]]:
    """Return what kind of file a name ends like, and the function that reads its content."""
    if name.endswith(_FITS):
        return "FITS", _read_fits
    if name.endswith(".npy"):
        return "npy", _read_npy
    return "PNG or JPEG", functools.partial(_read_coloured, colour=colour)


def make_stamp(
    picture: NDArray[np.float32],
    row: int,
    name: str,
    psf_fwhm: float,
    pixel_scale: float,
    settings: StampsSettings,
    cutouts: CutoutSettings,
) -> Stamp:
    """Resample or crop a cutout to a stamp, and subtract its sky.

    The sky and the noise are the clipped median and standard deviation of a border, 1/16 of the side wide, of the
    cutout (field: centre) or of what is resampled (field: whole, or a fraction): in each case at the pixel scale of the
    stamp.

    Raises
    ------
    UnusableStampError
        If the cutout is too small, not square, not finite, or the same in all its pixels.
    """
    ny, nx = picture.shape
    size = cutouts.stamp_size
    wide = None
    if settings.field != "centre":
        if nx != ny:
            raise UnusableStampError(f"{NOT_SQUARE}: {nx} x {ny} pixels, of which stamps.field centre takes the middle")
        shown = picture if settings.field == "whole" else central(picture, settings.field)
        if (side := len(shown)) < (least := size // _MOST_ENLARGED):
            raise UnusableStampError(
                f"{TOO_SMALL}: {side} x {side} pixels; to be enlarged to cutouts.stamp_size, {size}, it needs {least}"
            )
        image = measured = resample(shown, size, settings.resampling)
        pixel_scale *= side / size
    else:
        middle = cut(picture, nx // 2, ny // 2, size)
        if middle is None:
            raise UnusableStampError(f"{TOO_SMALL}: {nx} x {ny} pixels, cutouts.stamp_size is {size}")
        image, measured, shown = middle, picture, middle
        wide = cut(picture, nx // 2, ny // 2, cutouts.wide_size)
    if not np.isfinite(measured).all():
        raise UnusableStampError(NON_FINITE_PIXELS)
    if shown.min() == shown.max():
        raise UnusableStampError(FLAT)
    sky, noise = clipped_median(_border(measured))
    with np.errstate(over="ignore"):
        image = image - np.float32(sky)
        wide = None if wide is None else wide - np.float32(sky)
    if not (np.isfinite(noise) and np.isfinite(image).all() and (wide is None or np.isfinite(wide).all())):
        raise UnusableStampError(f"{NON_FINITE_PIXELS}: too large for 32 bits without their sky")
    return Stamp(row, image, wide, name, (nx - 1) / 2, (ny - 1) / 2, psf_fwhm, pixel_scale, sky, noise)


def central(picture: NDArray[np.float32], fraction: float) -> NDArray[np.float32]:
    """Return the central part of a square picture, a fraction of each side: of whole pixels, with the same centre.

    Examples
    --------
    >>> central(np.zeros((423, 423), np.float32), 0.5).shape
    (211, 211)
    """
    margin = round(len(picture) * (1 - fraction) / 2)
    return picture[margin : len(picture) - margin, margin : len(picture) - margin]


def resample(picture: NDArray[np.float32], size: int, method: str) -> NDArray[np.float32]:
    """Resample a square picture.

    Parameters
    ----------
    picture
        (n, n) float32.
    method
        area: the average over the area of each new pixel, with old pixels at its edge weighted by their overlap.
        spline: cubic splines; pixels are squares, so the edges of the picture keep their place.

    Returns
    -------
    (size, size) float32
    """
    count = picture.shape[0]
    pixels = picture.astype(np.float64)
    if method == "area":
        weights = shares(np.arange(count + 1.0), np.arange(size + 1) * count / size) * size / count
        return (weights @ pixels @ weights.T).astype(np.float32)
    return ndimage.zoom(pixels, size / count, order=3, mode="nearest", grid_mode=True).astype(np.float32)


def _border(image: NDArray[np.float32]) -> NDArray[np.float32]:
    width = max(2, min(image.shape) // _BORDER)
    inside = np.zeros(image.shape, dtype=bool)
    inside[width:-width, width:-width] = True
    return image[~inside]


def _read_npy(content: bytes) -> NDArray[np.generic]:
    if content.startswith(b"PK"):
        raise UnusableStampError(f"{UNREADABLE}: an npz archive, not one array; save the array with numpy.save")
    array: NDArray[np.generic] = np.load(io.BytesIO(content), allow_pickle=False)
    return array


def _read_fits(content: bytes) -> NDArray[np.generic]:
    if content.startswith(b"\x1f\x8b"):  # gzip, whatever the name says
        content = igzip.decompress(content)
    with fits.open(io.BytesIO(_whole_blocks(content)), memmap=False) as hdus:
        kinds = (fits.PrimaryHDU, fits.ImageHDU, fits.CompImageHDU)
        images = [hdu for hdu in hdus if isinstance(hdu, kinds) and hdu.header["NAXIS"] == 2]
        of_sky = [hdu for hdu in images if hdu.name in _SKY_IMAGES]
        found = of_sky or [hdu for hdu in images if not _OTHER_IMAGES.fullmatch(hdu.name)]
        if len(found) > 1:
            names = ", ".join(hdu.name or "one without a name" for hdu in found)
            raise UnusableStampError(f"{SEVERAL_IMAGES}: {names}; call the one of the galaxy SCI (EXTNAME)")
        if not found:
            beside = ", ".join(hdu.name for hdu in images)
            raise UnusableStampError(
                f"{UNREADABLE}: not a two-dimensional image of numbers" + (f", but {beside}" if beside else "")
            )
        pixels: NDArray[np.generic] = found[0].data
    return pixels


def _whole_blocks(content: bytes) -> bytes:
    """Return a FITS file with its last block filled up, and without zeros behind it.

    astropy reads over missing pixels and over what follows the last block.
    """
    stream = io.BytesIO(content)
    while (start := stream.tell()) < len(content) and (start == 0 or content.startswith(b"XTENSION", start)):
        header = fits.Header.fromfile(stream)
        sides = [header[f"NAXIS{axis + 1}"] for axis in range(header["NAXIS"])]
        if min(*sides, header.data_size, 0) < 0:  # over a negative side astropy never ends
            raise UnusableStampError(f"{UNREADABLE}: its header is damaged")
        if stream.tell() + header.data_size > len(content):
            raise UnusableStampError(f"{UNREADABLE}: cut short, or its header is damaged")
        stream.seek(header.data_size_padded, io.SEEK_CUR)
    end = stream.tell()
    if content[end:].strip(b"\0"):
        raise UnusableStampError(
            f"{UNREADABLE}: {len(content) - end} bytes behind its last block, at byte {end}; remove them, or save the "
            "image again"
        )
    return content[:end].ljust(end, b"\0")


def _read_coloured(content: bytes, colour: str) -> NDArray[np.generic]:
    # Without formats Pillow would pass a PostScript file to Ghostscript.
    with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as picture:
        if picture.format == "PNG" and content[24] == 16 and picture.mode not in _GREY_MODES:
            raise UnusableStampError(
                f"{UNREADABLE}: 16 bits a colour, of which 8 would be read; save it as FITS or npy"
            )
        if picture.has_transparency_data and np.asarray(picture.convert("RGBA"))[..., 3].min() < 255:
            raise UnusableStampError(
                f"{TRANSPARENT}: nobody sees the colours that the file holds there; save it without transparency"
            )
        if picture.mode in _GREY_MODES:
            return np.asarray(picture)
        if picture.mode in ("1", "LA", "La"):
            return np.asarray(picture.convert("L"))
        channels = np.asarray(picture.convert("RGB"), dtype=np.float32)
    if colour == "mean":
        mean: NDArray[np.float32] = channels.mean(axis=2)
        return mean
    return channels[:, :, _CHANNELS[colour]]
