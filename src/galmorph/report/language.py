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

from babel.messages.pofile import read_po

from galmorph.errors import GalmorphError

SOURCE = "en"

log = logging.getLogger("galmorph.report")


@dataclass(frozen=True)
class _Language:
    """A language, its catalogue, and the texts that the catalogue lacked."""

    name: str
    catalogue: Mapping[str, str]
    missing: set[str] = field(default_factory=set)


# None: the language of the templates.
_current: ContextVar[_Language | None] = ContextVar("language", default=None)


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
    known = {message.id: message.string for message in messages if message.id and message.string and not message.fuzzy}
    return MappingProxyType({str(template): str(translation) for template, translation in known.items()})


@contextmanager
def spoken_in(language: str) -> Iterator[None]:
    """Write in a language until the end of the block; what has no translation stays English, and is counted in the log.

    Raises
    ------
    GalmorphError
        If there is no such catalogue.
    """
    chosen = None if language == SOURCE else _Language(language, read_catalogue(language))
    token = _current.set(chosen)
    try:
        yield
    finally:
        _current.reset(token)
    if chosen is not None and chosen.missing:
        log.warning("%d texts have no translation (%s): %s", len(chosen.missing), language, sorted(chosen.missing))


def current() -> str:
    """Return the language that is written."""
    language = _current.get()
    return SOURCE if language is None else language.name


def mark(template: str) -> str:
    """Return a template as it is: for one that stands in a constant, so that it gets into the catalogues."""
    return template


def say(template: str, /, **values: object) -> str:
    """Return a template in the language that is written, with its places filled; without values, as it stands.

    Parameters
    ----------
    template
        English: a literal, or what was given to `mark`.
    values
        One for each place.
    """
    language = _current.get()
    text = template
    if language is not None:
        text = language.catalogue.get(template, template)
        if template not in language.catalogue:
            language.missing.add(template)
    return text.format(**values) if values else text


def sentences(parts: Iterable[str]) -> str:
    """Return whole sentences one after the other."""
    return functools.reduce(lambda first, second: say("{first} {second}", first=first, second=second), parts)


def listed(parts: Iterable[str]) -> str:
    """Return the parts of a list in one line, with commas."""
    return functools.reduce(lambda first, second: say("{first}, {second}", first=first, second=second), parts)


def joined(parts: Iterable[str]) -> str:
    """Return the parts of a list in one line, with "and" between them."""
    return functools.reduce(lambda first, second: say("{first} and {second}", first=first, second=second), parts)


def in_turn(parts: Iterable[str]) -> str:
    """Return the parts of a list in one line, with semicolons."""
    return functools.reduce(lambda first, second: say("{first}; {second}", first=first, second=second), parts)


def by(sides: Iterable[str]) -> str:
    """Return the sides of an array in one line, with the sign of multiplication."""
    return functools.reduce(lambda first, second: say("{first} × {second}", first=first, second=second), sides)


def capital(text: str) -> str:
    """Return a text with which a heading or a sentence begins: English with a capital, others as they are."""
    return text[:1].upper() + text[1:] if current() == SOURCE else text
