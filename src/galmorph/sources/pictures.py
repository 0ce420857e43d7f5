"""Read one cutout from a FITS, npy, PNG or JPEG file."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
from astropy.io import fits
from isal import igzip
from numpy.typing import NDArray
from PIL import Image

from galmorph.files.reading import file_bytes
from galmorph.sdss.frames import check_size

UNREADABLE = "stamp unreadable"

_FITS = (".fits", ".fit", ".fits.gz", ".fit.gz")
_PICTURES = (".png", ".jpg", ".jpeg")
ENDINGS = (*_FITS, ".npy", *_PICTURES)
_GREY_MODES = ("L", "I", "F", "I;16", "I;16B", "I;16L")
_CHANNELS = {"red": 0, "green": 1, "blue": 2}


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
        content = file_bytes(path)
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
