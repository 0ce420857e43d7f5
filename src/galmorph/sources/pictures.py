"""Read a cutout of any size from a FITS, npy, PNG or JPEG file, and make a stamp of it."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
from astropy.io import fits
from isal import igzip
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from galmorph.files.reading import regular_file
from galmorph.sdss.frames import check_size
from galmorph.settings.study import CutoutSettings
from galmorph.settings.survey import StampsSettings
from galmorph.stamps.cutouts import NON_FINITE_PIXELS
from galmorph.stamps.pixels import clipped_median, cut, shares
from galmorph.stamps.stampset import Stamp

# Why a cutout is rejected; a detail follows after a colon.
UNREADABLE = "stamp unreadable"
TOO_SMALL = "stamp too small"
NOT_SQUARE = "stamp not square"

_FITS = (".fits", ".fit", ".fits.gz", ".fit.gz")
_PICTURES = (".png", ".jpg", ".jpeg")
ENDINGS = (*_FITS, ".npy", *_PICTURES)
_GREY_MODES = ("L", "I", "F", "I;16", "I;16B", "I;16L")
_CHANNELS = {"red": 0, "green": 1, "blue": 2}
_BORDER = 16  # the sky is measured on a border of this fraction of the side


class UnusableStampError(Exception):
    """The reason why a stamp cannot be used, for the list of rejects."""


def read_picture(path: Path, colour: str) -> NDArray[np.float32]:
    """Read one cutout.

    Parameters
    ----------
    path
        FITS (its first image), npy, PNG or JPEG.
    colour
        The channel of a colour picture that is used: red, green, blue, or their mean.

    Returns
    -------
    (ny, nx) float32
        (y, x); row 0 is the first row of the file.

    Raises
    ------
    UnusableStampError
        If it cannot be read as a two-dimensional image.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "galaxy.png"
    >>> Image.new("RGB", (3, 2), (10, 20, 60)).save(path)
    >>> read_picture(path, "mean")
    array([[30., 30., 30.],
           [30., 30., 30.]], dtype=float32)
    """
    ending = path.name.lower()
    try:
        content = regular_file(path).read_bytes()
        if ending.endswith(_FITS):
            data = _read_fits(igzip.decompress(content) if ending.endswith(".gz") else content)
        elif ending.endswith(".npy"):
            data = np.load(io.BytesIO(content), allow_pickle=False)
        else:
            data = _read_coloured(content, colour)
    except Exception as error:  # for damaged files these libraries raise two dozen types between them
        reason = str(error).replace(str(path), path.name).strip() or type(error).__name__
        raise UnusableStampError(f"{UNREADABLE}: {reason}") from None
    if data is None or data.ndim != 2 or data.dtype.kind not in "iuf" or 0 in data.shape:
        raise UnusableStampError(f"{UNREADABLE}: not a two-dimensional image of numbers")
    return data.astype(np.float32)


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
    cutout (field: centre) or the resampled cutout (field: whole): in both cases at the pixel scale of the stamp.

    Raises
    ------
    UnusableStampError
        If the cutout is too small, not square, or not finite.
    """
    ny, nx = picture.shape
    size = cutouts.stamp_size
    wide = None
    if settings.field == "whole":
        if nx != ny:
            raise UnusableStampError(f"{NOT_SQUARE}: {nx} x {ny} pixels, of which stamps.field centre takes the middle")
        image = measured = resample(picture, size, settings.resampling)
        pixel_scale *= nx / size
    else:
        middle = cut(picture, nx // 2, ny // 2, size)
        if middle is None:
            raise UnusableStampError(f"{TOO_SMALL}: {nx} x {ny} pixels, cutouts.stamp_size is {size}")
        image, measured = middle, picture
        wide = cut(picture, nx // 2, ny // 2, cutouts.wide_size)
    if not np.isfinite(measured).all():
        raise UnusableStampError(NON_FINITE_PIXELS)
    sky, noise = clipped_median(_border(measured))
    with np.errstate(over="ignore"):
        image = image - np.float32(sky)
        wide = None if wide is None else wide - np.float32(sky)
    if not (np.isfinite(noise) and np.isfinite(image).all() and (wide is None or np.isfinite(wide).all())):
        raise UnusableStampError(f"{NON_FINITE_PIXELS}: too large for 32 bits without their sky")
    return Stamp(row, image, wide, name, (nx - 1) / 2, (ny - 1) / 2, psf_fwhm, pixel_scale, sky, noise)


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


def _read_fits(content: bytes) -> NDArray[np.generic] | None:
    check_size(content)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=r".*truncated")
        with fits.open(io.BytesIO(content), memmap=False) as hdus:
            image = next((hdu for hdu in hdus if hdu.is_image and hdu.header["NAXIS"] > 0), None)
            return None if image is None else image.data


def _read_coloured(content: bytes, colour: str) -> NDArray[np.generic]:
    # Without formats Pillow would pass a PostScript file to Ghostscript.
    with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as picture:
        if picture.format == "PNG" and content[24] == 16 and picture.mode not in _GREY_MODES:
            raise ValueError("16 bits a colour, of which 8 would be read; save it as FITS or npy")
        if picture.mode in _GREY_MODES:
            return np.asarray(picture)
        if picture.mode in ("1", "LA", "La"):
            return np.asarray(picture.convert("L"))
        channels = np.asarray(picture.convert("RGB"), dtype=np.float32)
    if colour == "mean":
        mean: NDArray[np.float32] = channels.mean(axis=2)
        return mean
    return channels[:, :, _CHANNELS[colour]]
