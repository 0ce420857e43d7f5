"""What a reader calls what data and parameters have short names for; a name that is not known here stays as it is."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from galmorph.report.language import mark, say

_CLASSES: Mapping[str, str] = MappingProxyType(
    {"spiral": mark("spiral"), "elliptical": mark("elliptical"), "uncertain": mark("uncertain")}
)
_PLURALS: Mapping[str, str] = MappingProxyType({"spiral": mark("spirals"), "elliptical": mark("ellipticals")})
# Why a galaxy is not in the resolution study, as `galmorph.eligible` says it.
REASONS = frozenset(
    {
        mark("no wide stamp"),
        mark("no usable PSF width"),
        mark("no pixel scale"),
        mark("no usable noise"),
        mark("PSF wider than resolution.sample.max_psf_fwhm"),
        mark("noise above resolution.sample.max_noise"),
    }
)


def class_name(galaxy_class: str) -> str:
    """Return the name of a class."""
    return say(_CLASSES[galaxy_class]) if galaxy_class in _CLASSES else galaxy_class


def plural(galaxy_class: str) -> str:
    """Return what galaxies of a class are called."""
    if galaxy_class in _PLURALS:
        return say(_PLURALS[galaxy_class])
    return say("{name} galaxies", name=class_name(galaxy_class))


def reason_name(reason: str) -> str:
    """Return why galaxies are left out of the resolution study."""
    return say(reason) if reason in REASONS else reason
