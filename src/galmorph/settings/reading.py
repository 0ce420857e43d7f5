"""Reading params.yaml: an unknown or wrong key stops with its name, and with what is allowed."""

from __future__ import annotations

import difflib
import json
import reprlib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from galmorph.errors import GalmorphError
from galmorph.files.reading import regular_file
from galmorph.settings.resolution import LevelSettings, MixedSettings
from galmorph.settings.study import ComparisonSettings, ConditionSettings, Settings

_BRIEFLY = reprlib.Repr()
_BRIEFLY.maxstring = 80


def _describe(error: Any, data: Any) -> str:
    """One line for one pydantic complaint: the key, what is wrong, what is allowed."""
    location = [str(part) for part in error["loc"] if part != "[key]"]
    if location[:2] == ["resolution", "remedies"]:
        del location[3:4]  # pydantic puts the kind of a remedy between its name and its key
    key = ".".join(location)
    if error["type"] == "union_tag_not_found":
        return f"{key}.kind: missing"
    if error["type"] == "union_tag_invalid":
        context = error["ctx"]
        return f"{key}.kind: input should be one of {context['expected_tags']}, not {_BRIEFLY.repr(context['tag'])}"
    if error["type"] == "extra_forbidden":
        known = _known_keys(location[:-1])
        guess = difflib.get_close_matches(location[-1], known, n=1)
        return f"{key}: unknown key" + (f" (did you mean {guess[0]}?)" if guess else f" (known: {', '.join(known)})")
    if error["type"] == "missing":
        return f"{key}: missing"
    message = error["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    value = error["input"]
    shown = "" if isinstance(value, dict | list) else f", not {_BRIEFLY.repr(value)}"
    return f"{key}: {message}{shown}" if key else message


def _known_keys(location: list[str]) -> list[str]:
    """Return the keys of the block at `location`."""
    model: type[BaseModel] = Settings
    blocks: dict[str, type[BaseModel]] = {
        "conditions": ConditionSettings,
        "comparisons": ComparisonSettings,
        "resolution.levels": LevelSettings,
        "resolution.ablations": LevelSettings,
        "resolution.remedies": MixedSettings,
    }
    for depth in (1, 2):
        if len(location) > depth and (named := blocks.get(".".join(location[:depth]))):
            return list(named.model_fields)
    for part in location:
        annotation = model.model_fields[part].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    return list(model.model_fields)


MOST_VALUES = 100_000


def _larger_than(most: int, data: Any) -> bool:
    """Return whether nested data has more values than `most`, where a YAML alias counts as what it stands for."""
    count, waiting = 0, [data]
    while waiting:
        value = waiting.pop()
        count += 1
        if count > most:
            return True
        waiting.extend(value.values() if isinstance(value, dict) else value if isinstance(value, list) else ())
    return False


def _no_words(data: Any) -> tuple[str, Any] | None:
    """Return the first key that is no text (true, null, 12), with its place; DVC leaves such keys out."""
    waiting = [("", data)]
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, dict):
            for key, item in value.items():
                where = f"{place}.{key}" if place else str(key)
                if not isinstance(key, str):
                    return where, key
                waiting.append((where, item))
    return None


def parse_settings(data: Any, source: str = "params.yaml") -> Settings:
    """Check a mapping as read from YAML.

    Parameters
    ----------
    data
        What the file holds.
    source
        Its name, for messages.

    Raises
    ------
    GalmorphError
        With one line per wrong key.
    """
    if _larger_than(MOST_VALUES, data):
        raise GalmorphError(
            f"{source}: more than {MOST_VALUES:,} values, aliases written out; copy one of presets/ over it"
        )
    if odd := _no_words(data):
        raise GalmorphError(
            f"{source}: {odd[0]}: YAML reads this name as {type(odd[1]).__name__}, not as a word; choose another"
        )
    try:
        # Through JSON, because there a YAML list may stand for a tuple while every other type stays strict.
        return Settings.model_validate_json(json.dumps(data))
    except ValidationError as error:
        lines = [_describe(item, data) for item in error.errors()]
        raise GalmorphError(f"{source}: " + f"\n{source}: ".join(lines)) from None
    except (TypeError, ValueError, RecursionError) as error:
        raise GalmorphError(f"{source}: {error}; use plain numbers, words and lists") from None


def load_settings(path: Path) -> Settings:
    """Read and check a params file.

    Raises
    ------
    GalmorphError
        If the file is missing, is not YAML, or holds a key that is unknown, missing or wrong.
    """
    try:
        data = YAML(typ="safe", pure=True).load(regular_file(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise GalmorphError(f"{path}: no such file; run galmorph in the project's root") from None
    except UnicodeDecodeError:
        raise GalmorphError(f"{path}: not UTF-8 text") from None
    except OSError as error:
        raise GalmorphError(f"{path}: cannot be read ({error.strerror or error})") from None
    # ruamel.yaml's own, and what escapes from it: a date that does not exist, a number of 5,000 digits, deep nesting.
    except (YAMLError, ValueError, LookupError, ArithmeticError, RecursionError) as error:
        raise GalmorphError(f"{path}: not valid YAML: {error}") from None
    if not isinstance(data, dict):
        raise GalmorphError(f"{path}: empty, or not a mapping; copy one of presets/ over it")
    return parse_settings(data, path.name)
