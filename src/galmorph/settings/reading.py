"""Reading and checking params.yaml, with messages that name the key and what is allowed."""

from __future__ import annotations

import json
import re
import reprlib
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import YAMLError

from galmorph.errors import GalmorphError, did_you_mean
from galmorph.files.reading import regular_file
from galmorph.settings.study import Settings

# What a value must be, by pydantic's name of the error and with the limits that it gives; pydantic's own sentences are
# for programmers.
_WORDS = {
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing_size": "must be a whole number of fewer digits",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "string_type": "must be text",
    "none_required": "must be null",
    "tuple_type": "must be a list",
    "model_type": "must be a block of keys",
    "dict_type": "must be a block of keys",
    "too_short": "must have at least {min_length} entries",
    "too_long": "must have at most {max_length} entries",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "literal_error": "must be {expected}",
}
_SHORT = reprlib.Repr()
_SHORT.maxstring = 80


def load_settings(path: Path) -> Settings:
    """Read and check a params file.

    Raises
    ------
    GalmorphError
        If the file is missing, is not YAML, repeats a key, or has a key that is unknown, missing or invalid.
    """
    return parse_settings(read_params(path), path.name)


def read_params(path: Path) -> dict[str, Any]:
    """Read a params file as DVC does: nested mappings, lists and scalars.

    Raises
    ------
    GalmorphError
        If the file is missing, is not YAML, or repeats a key.
    """
    try:
        # ruamel.yaml reads YAML 1.2 (1e-3 is a number, no is a word) and refuses duplicate keys.
        data = YAML(typ="safe", pure=True).load(regular_file(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise GalmorphError(f"{path}: no such file; run galmorph in the project's root") from None
    except UnicodeDecodeError:
        raise GalmorphError(f"{path}: not UTF-8 text") from None
    except OSError as error:
        raise GalmorphError(f"{path}: cannot be read ({error.strerror or error})") from None
    except (YAMLError, ValueError) as error:  # ValueError: ruamel.yaml's for a date such as 2001-99-99
        mark = getattr(error, "problem_mark", None)
        place = "" if mark is None else f"line {mark.line + 1}: "
        what = "a key for the second time" if isinstance(error, DuplicateKeyError) else "not valid YAML"
        raise GalmorphError(f"{path}: {place}{what}; correct it, or copy one of presets/ over the file") from None
    if not isinstance(data, dict):
        raise GalmorphError(f"{path}: empty, or not a mapping; copy one of presets/ over it")
    return data


def parse_settings(data: dict[str, Any], source: str = "params.yaml") -> Settings:
    """Check the content of a params file.

    Parameters
    ----------
    data
        Nested mappings, lists and scalars, as read from YAML.
    source
        Name of the file, for messages.

    Raises
    ------
    GalmorphError
        With one line per wrong key.

    Examples
    --------
    >>> data = YAML(typ="safe").load(Path("params.yaml"))
    >>> parse_settings(data).conditions["two_class"].classes
    ('spiral', 'elliptical')
    >>> data["training"]["epoch"] = data["training"].pop("epochs")
    >>> parse_settings(data)
    Traceback (most recent call last):
        ...
    galmorph.errors.GalmorphError: params.yaml: training.epochs: missing
    params.yaml: training.epoch: unknown key (did you mean epochs?)
    """
    try:
        _refuse_other_types(data, source)
    except RecursionError:
        raise GalmorphError(f"{source}: a block that holds itself (by an alias, *NAME); write it out") from None
    data = _with_changed_blocks(data)
    try:
        # Via JSON, where a list is valid for a tuple while all other types stay strict.
        return Settings.model_validate_json(json.dumps(data))
    except ValidationError as error:
        lines = [_describe(details) for details in error.errors()]
        raise GalmorphError(f"{source}: " + f"\n{source}: ".join(lines)) from None


def _with_changed_blocks(data: dict[Any, Any]) -> dict[Any, Any]:
    """Return the parameters with the blocks network and training of each condition that changes keys of them."""
    conditions = data.get("conditions")
    if not isinstance(conditions, dict):
        return data
    changed = {}
    for name, condition in conditions.items():
        own = dict(condition) if isinstance(condition, dict) else {}
        blocks = {
            block: data[block] | own[block]
            for block in ("network", "training")
            if isinstance(own.get(block), dict) and isinstance(data.get(block), dict)
        }
        changed[name] = own | blocks if blocks else condition
    return data | {"conditions": changed}


def _refuse_other_types(block: dict[Any, Any], source: str, above: str = "") -> None:
    """Refuse names that YAML reads as numbers, true or null, which DVC leaves out, and values that JSON has not."""
    for name, value in block.items():
        if not isinstance(name, str):
            raise GalmorphError(
                f"{source}: {above}{name}: YAML reads this name as {type(name).__name__}; choose another name"
            )
        if isinstance(value, dict):
            _refuse_other_types(value, source, f"{above}{name}.")
            continue
        try:
            json.dumps(value)
        except (TypeError, ValueError):
            raise GalmorphError(
                f"{source}: {above}{name}: neither a plain number or word nor a list of such; correct it (a date goes "
                "in quotes)"
            ) from None


def _describe(error: ErrorDetails) -> str:
    """Return one line for an error of pydantic: the key, what is wrong, what is allowed."""
    location = [str(part) for part in error["loc"] if part != "[key]"]
    if location[:2] == ["resolution", "remedies"]:
        del location[3:4]  # pydantic inserts the kind of a remedy between its name and its key
    key = ".".join(location)
    if error["type"] == "union_tag_not_found":
        return f"{key}.kind: missing"
    if error["type"] == "union_tag_invalid":
        context = error["ctx"]
        return f"{key}.kind: must be one of {context['expected_tags']}, not {_SHORT.repr(context['tag'])}"
    if error["type"] == "extra_forbidden":
        known = _known_keys(location[:-1])
        return f"{key}: unknown key" + (did_you_mean(location[-1], known) or f" (known: {', '.join(known)})")
    if error["type"] == "missing":
        return f"{key}: missing"
    value, context = error["input"], error.get("ctx", {})
    words = _WORDS.get(error["type"])
    message = words.format(**context) if words else error["msg"].removeprefix("Value error, ")
    shown = "" if isinstance(value, dict | list) else f", not {_SHORT.repr(value)}"
    if error["type"] == "literal_error":
        shown += did_you_mean(str(value), re.findall("'([^']*)'", context["expected"]))
    return f"{key}: {message}{shown}" if key else message


def _known_keys(location: list[str]) -> list[str]:
    """Return the keys of the block at `location`."""
    found: list[Any] = [Settings]
    for part in location:
        inner = []
        for annotation in found:
            if get_origin(annotation) is dict:  # of blocks whose names the user chooses
                inner += _alternatives(get_args(annotation)[1])
            elif part in annotation.model_fields:
                inner += _alternatives(annotation.model_fields[part].annotation)
        found = inner
    return list(dict.fromkeys(key for model in found for key in model.model_fields))


def _alternatives(annotation: Any) -> list[Any]:
    """Return the models and dictionaries that an annotation allows."""
    if get_origin(annotation) is dict or (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return [annotation]
    return [found for part in get_args(annotation) for found in _alternatives(part)]
