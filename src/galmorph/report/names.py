"""What a reader calls what data and parameters have short names for; a name that is not known here stays as it is."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from galmorph.report.language import mark, say

_CLASSES: Mapping[str, str] = MappingProxyType(
    {"spiral": mark("spiral"), "elliptical": mark("elliptical"), "uncertain": mark("uncertain")}
)
_PHASES: Mapping[str, str] = MappingProxyType({"selected": mark("selected"), "confirmed": mark("confirmed")})
_MIXES: Mapping[str, str] = MappingProxyType(
    {
        "natural": mark("natural"),
        "balanced": mark("balanced"),
        "imbalanced": mark("imbalanced"),
    }
)
_SETS: Mapping[str, str] = MappingProxyType(
    {
        "own test part": mark("own test part"),
        "own test part, spirals and ellipticals": mark("own test part, spirals and ellipticals"),
        "common_natural": mark("common set, natural mix"),
        "common_balanced": mark("common set, balanced"),
    }
)
_PLURALS: Mapping[str, str] = MappingProxyType({"spiral": mark("spirals"), "elliptical": mark("ellipticals")})
# Why a galaxy is not in the resolution study, as `galmorph.resolution.sample` says it.
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


def phase_name(phase: str) -> str:
    """Return the name of a phase."""
    return say(_PHASES[phase]) if phase in _PHASES else phase


def mix_name(mix: str) -> str:
    """Return what the mix of a draw's classes is called."""
    return say(_MIXES[mix]) if mix in _MIXES else mix


def set_name(evaluated_on: str) -> str:
    """Return the name of the galaxies on which networks are evaluated."""
    return say(_SETS[evaluated_on]) if evaluated_on in _SETS else evaluated_on


def reason_name(reason: str) -> str:
    """Return why galaxies are left out of the resolution study."""
    return say(reason) if reason in REASONS else reason
