"""The language of the report: English sentences, each looked up as a whole in a catalogue of translations.

A text is a template with named places, "{runs} runs of {epochs} epochs". `say` fills it; where the report is in another
language, it fills the translation, in which the places may stand in another order. Sentences are therefore whole
templates, never glued from parts. The catalogues are locale/LANGUAGE.po; English, the language of the templates, needs
none.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from importlib import resources
from types import MappingProxyType
from typing import Any

from babel.lists import format_list
from babel.messages.pofile import read_po

from galmorph.errors import GalmorphError

SOURCE = "en"

log = logging.getLogger("galmorph.report")


@dataclass(frozen=True)
class _Language:
    """A language, its catalogue, and the texts that the catalogue lacked."""

    name: str = SOURCE
    catalogue: Mapping[str, str] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)


_ENGLISH = _Language()
_current: ContextVar[_Language] = ContextVar("language", default=_ENGLISH)


@functools.cache
def read_catalogue(language: str) -> Mapping[str, str]:
    """Return the translations into a language, by their templates; those that are empty or marked fuzzy are left out.

    Raises
    ------
    GalmorphError
        If there is no such catalogue.
    """
    path = resources.files("galmorph.report") / "locale" / f"{language}.po"
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        raise GalmorphError(f"report.language: no catalogue {path}; docs/report.md says how to write one") from None
    messages = read_po(iter(text.splitlines(keepends=True)), locale=language)
    return MappingProxyType({str(m.id): str(m.string) for m in messages if m.id and m.string and not m.fuzzy})


@contextmanager
def in_language(language: str) -> Iterator[None]:
    """Write in a language until the end of the block; what has no translation stays English, and is counted in the log.

    Raises
    ------
    GalmorphError
        If there is no such catalogue.
    """
    new = _ENGLISH if language == SOURCE else _Language(language, read_catalogue(language))
    token = _current.set(new)
    try:
        yield
    finally:
        _current.reset(token)
    if new.missing:
        log.warning("%d texts have no translation (%s): %s", len(new.missing), language, sorted(new.missing))


def current() -> str:
    """Return the code of the language in use."""
    return _current.get().name


def mark(template: str) -> str:
    """Return a template unchanged: marks one that stands in a constant, so that it gets into the catalogues."""
    return template


def say(template: str, /, **values: object) -> str:
    """Return a template in the language in use, with its places filled; without values, as it stands.

    Parameters
    ----------
    template
        English: a literal, or what was given to `mark`.
    values
        One for each place.

    Examples
    --------
    >>> say("{runs} runs", runs=30)
    '30 runs'
    >>> with in_language("ja"):
    ...     say("spiral")
    '渦巻銀河'
    """
    language = _current.get()
    text = language.catalogue.get(template)
    if text is None:
        text = template
        if language.name != SOURCE:
            language.missing.add(template)
    return text.format(**values) if values else text


def _fold(template: str, parts: Iterable[str]) -> str:
    return functools.reduce(lambda first, second: say(template, first=first, second=second), parts)


def sentences(parts: Iterable[str]) -> str:
    """Return whole sentences one after the other."""
    return _fold(mark("{first} {second}"), parts)


def listed(parts: Iterable[str]) -> str:
    """Return a list with commas; CLDR's lists without "and" have spaces in Japanese."""
    return _fold(mark("{first}, {second}"), parts)


def joined(parts: Iterable[str]) -> str:
    """Return a list with commas, and "and" before the last part."""
    return format_list(list(parts), locale=current())


def in_turn(parts: Iterable[str]) -> str:
    """Return a list with semicolons."""
    return _fold(mark("{first}; {second}"), parts)


def by(sides: Iterable[str]) -> str:
    """Return the sides of an array with multiplication signs."""
    return _fold(mark("{first} × {second}"), sides)


def capital(text: str) -> str:
    """Return the beginning of a heading or sentence: English with a capital, other languages unchanged."""
    return text[:1].upper() + text[1:] if current() == SOURCE else text


# What a reader calls the short names of data and parameters.
_CLASSES = {"spiral": mark("spiral"), "elliptical": mark("elliptical"), "uncertain": mark("uncertain")}
_PLURALS = {"spiral": mark("spirals"), "elliptical": mark("ellipticals")}
_PHASES = {
    "selected": mark("selected"),
    "confirmed": mark("confirmed"),
    # The baselines, which have no phases.
    "magnitude_size": mark("magnitude and size"),
    "pca": mark("principal components"),
    "shape": mark("shape"),
}
_MIXES = {"natural": mark("natural"), "balanced": mark("balanced"), "imbalanced": mark("imbalanced")}
_SETS = {
    "own test part": mark("own test part"),
    "own test part, spirals and ellipticals": mark("own test part, spirals and ellipticals"),
    "common_natural": mark("common set, natural mix"),
    "common_balanced": mark("common set, balanced"),
}
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


def _named(names: Mapping[str, str], name: str) -> str:
    """Return what a reader calls it; a name that is not known stays as it is."""
    return say(names[name]) if name in names else name


def class_name(galaxy_class: str) -> str:
    """Return the name of a class."""
    return _named(_CLASSES, galaxy_class)


def level_name(level: str) -> str:
    """Return the name of a resolution level or remedy: `blur_only` is blur only."""
    return level.replace("_", " ")


def plural(galaxy_class: str) -> str:
    """Return what galaxies of a class are called."""
    known = galaxy_class in _PLURALS
    return say(_PLURALS[galaxy_class]) if known else say("{name} galaxies", name=class_name(galaxy_class))


def phase_name(phase: str) -> str:
    """Return the name of a phase, or of a baseline."""
    return _named(_PHASES, phase)


def mix_name(mix: str | Mapping[Any, int]) -> str:
    """Return what the mix of a draw's classes is called: its name, or "300 spirals, 100 ellipticals"."""
    if isinstance(mix, str):
        return _named(_MIXES, mix)
    return listed(say("{count:,} {galaxies}", count=count, galaxies=plural(name)) for name, count in mix.items())


def set_name(evaluated_on: str) -> str:
    """Return the name of the galaxies on which networks are evaluated."""
    return _named(_SETS, evaluated_on)


def reason_name(reason: str) -> str:
    """Return why galaxies are left out of the resolution study."""
    return say(reason) if reason in REASONS else reason
