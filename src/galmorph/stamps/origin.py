"""What the name of the file that a stamp comes from says of its pixels: which way up they lie, and their unit."""

from __future__ import annotations

from galmorph.sdss.names import FrameName

PICTURES = (".png", ".jpg", ".jpeg")


def is_picture(name: str) -> bool:
    """Return whether a file is a PNG or JPEG, whose row 0 is the top; that of FITS and npy files is the bottom.

    Examples
    --------
    >>> is_picture("ngc4321.JPG"), is_picture("ngc4321.fits")
    (True, False)
    """
    return name.lower().endswith(PICTURES)


def pixel_unit(name: str) -> str:
    """Return the unit of the pixels: DN for SDSS frames; others are taken as their file has them.

    Examples
    --------
    >>> pixel_unit("fpC-001729-r3-0083.fit.gz"), pixel_unit("ngc4321.jpg"), pixel_unit("ngc4321.fits")
    ('DN', 'grey levels', 'the unit of the file')
    """
    if FrameName.parse(name) is not None:
        return "DN"
    return "grey levels" if is_picture(name) else "the unit of the file"
