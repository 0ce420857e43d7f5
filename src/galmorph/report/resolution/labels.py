"""What the chapter calls a level, and a score of its tables."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping
from types import MappingProxyType

from galmorph.report.language import mark, say
from galmorph.report.names import plural
from galmorph.report.resolution.results import Level

# Characters in a line of a level's label in a figure.
_LINE = 11

SCORES: Mapping[str, str] = MappingProxyType(
    {
        "accuracy": mark("Accuracy ± std"),
        "tss": mark("TSS ± std"),
        "recall": mark("Recall of {galaxies} ± std"),
    }
)
CHANGES: Mapping[str, str] = MappingProxyType(
    {
        "accuracy": mark("Change of accuracy"),
        "tss": mark("Change of TSS"),
        "recall": mark("Change of recall of {galaxies}"),
    }
)


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


def heading(metric: str, of: Mapping[str, str]) -> str:
    """Return the heading of a column of a metric: one of `SCORES`, or of `CHANGES`."""
    if metric.startswith("recall_"):
        return say(of["recall"], galaxies=plural(metric.removeprefix("recall_")))
    return say(of[metric])
