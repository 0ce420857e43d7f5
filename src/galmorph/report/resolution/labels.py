"""What the chapter calls a level and a class."""

from __future__ import annotations

import math
import textwrap

from galmorph.report.resolution.results import Level

_PLURALS = {"spiral": "spirals", "elliptical": "ellipticals"}
# Characters in a line of a level's label in a figure.
_LINE = 11


def spoken(level: Level) -> str:
    """Return a level's name for a reader."""
    return level.name.replace("_", " ")


def fwhm(level: Level) -> str:
    """Return a level's FWHM in arcsec, as in 1.32″; empty where it has none."""
    return f"{level.psf_fwhm:.2f}″" if math.isfinite(level.psf_fwhm) else ""


def in_line(level: Level) -> str:
    """Return a level's name and FWHM in one line."""
    return f"{spoken(level)} ({fwhm(level)})" if fwhm(level) else spoken(level)


def stacked(level: Level) -> str:
    """Return a level's name, broken where it is long, above its FWHM."""
    lines = textwrap.wrap(spoken(level), _LINE, break_long_words=False)
    return "\n".join([*lines, fwhm(level)] if fwhm(level) else lines)


def plural(galaxy_class: str) -> str:
    """Return what galaxies of a class are called."""
    return _PLURALS.get(galaxy_class, f"{galaxy_class} galaxies")
