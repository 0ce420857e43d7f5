"""Reading one cutout, whatever it is kept in."""

from __future__ import annotations

import io
import math
import warnings
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray
from PIL import Image

from galmorph.files.reading import MAX_BYTES, file_bytes
from galmorph.sdss.frames import check_sizes, inflated

UNREADABLE = "stamp unreadable"

_FITS = (".fits", ".fit", ".fits.gz", ".fit.gz")
_PICTURES = (".png", ".jpg", ".jpeg")
ENDINGS = (*_FITS, ".npy", *_PICTURES)
_WHOLE = ("L", "I", "F", "I;16", "I;16B", "I;16L")  # modes of one number a pixel, read as it is
_CHANNELS = {"red": 0, "green": 1, "blue": 2}


class UnusableStampError(Exception):
    """Why one stamp cannot be used; it becomes the reason of a reject."""


def read_picture(path: Path, colour: str) -> NDArray[np.float32]:
    """Read one cutout.

    Parameters
    ----------
    path
        FITS (its first image), npy, PNG or JPEG.
    colour
        What is taken of a colour picture: red, green, blue, or mean. Grey is used as it is.

    Returns
    -------
    (ny, nx) float32
        Row 0 is the first row of the file.

    Raises
    ------
    UnusableStampError
        If it cannot be read as a two-dimensional image.
    """
    ending = path.name.lower()
    try:
        content = file_bytes(path)
        if ending.endswith(_FITS):
            data = _read_fits(inflated(content, gzipped=True) if ending.endswith(".gz") else content)
        elif ending.endswith(".npy"):
            data = np.load(io.BytesIO(content), allow_pickle=False)
        else:
            data = _read_coloured(content, colour)
    except Exception as error:  # on damaged or hostile input these libraries raise two dozen types between them
        raise UnusableStampError(f"{UNREADABLE}: {_without_place(error, path)}") from None
    if data is None or data.ndim != 2 or data.dtype.kind not in "iuf" or 0 in data.shape:
        raise UnusableStampError(f"{UNREADABLE}: not a two-dimensional image of numbers")
    return data.astype(np.float32)


def _without_place(error: Exception, path: Path) -> str:
    return str(error).replace(str(path), path.name).strip() or type(error).__name__


def _read_fits(content: bytes) -> NDArray[np.generic] | None:
    check_sizes(content)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=r".*truncated")
        with fits.open(io.BytesIO(content), memmap=False) as hdus:
            image = next((hdu for hdu in hdus if hdu.is_image and hdu.header["NAXIS"] > 0), None)
            if image is None:
                return None
            if math.prod(image.shape) > MAX_BYTES:  # of a compressed image: `check_sizes` knows what it is packed in
                raise ValueError(f"more than {MAX_BYTES:,} pixels")
            data: NDArray[np.generic] = image.data
            return data


def _read_coloured(content: bytes, colour: str) -> NDArray[np.generic]:
    # By name alone a PostScript would be run.
    with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as picture:
        if picture.width * picture.height * len(picture.getbands()) * 4 > MAX_BYTES:
            raise ValueError(f"{picture.width} x {picture.height} pixels")
        if getattr(picture, "n_frames", 1) > 1:
            raise ValueError("more than one picture")
        if picture.format == "PNG" and content[24] == 16 and picture.mode not in _WHOLE:
            raise ValueError("16 bits a colour, of which 8 would be read; save it as FITS or npy")
        picture.load()
        if picture.mode in _WHOLE:
            return np.asarray(picture)
        if picture.mode in ("1", "LA", "La"):
            return np.asarray(picture.convert("L"))
        channels = np.asarray(picture.convert("RGB"), dtype=np.float32)
    if colour == "mean":
        mean: NDArray[np.float32] = channels.mean(axis=2)
        return mean
    return channels[:, :, _CHANNELS[colour]]
