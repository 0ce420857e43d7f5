"""Types of the fields of params.yaml, and the base class of its blocks."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

ClassName = Literal["spiral", "elliptical", "uncertain"]
CLASS_NAMES: tuple[ClassName, ...] = ("spiral", "elliptical", "uncertain")

# Keys that DVC's run cache leaves out when it compares parameters, as if they were sizes of files: a stage whose
# parameter of such a name changed would be restored with the results of the old value.
BLIND_KEYS = ("size", "nfiles")


def _seen_by_dvc(name: str) -> str:
    if name in BLIND_KEYS:
        raise ValueError("hides its changes from DVC; choose another name")
    return name


def matching(pattern: str, words: str) -> AfterValidator:
    """Return a validator of text that must match a regular expression as a whole; `words` says so to people."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(words)
        return text

    return AfterValidator(check)


# Names become folder names, MLflow run names and DVC stage names.
Name = Annotated[
    str,
    matching("[a-z][a-z0-9_]{0,39}", "a name is of a to z, 0 to 9 and _, a letter first, at most 40 characters"),
    AfterValidator(_seen_by_dvc),
]
Share = Annotated[float, Field(ge=0, le=1)]
Fraction = Annotated[float, Field(gt=0, lt=1)]
# Of a pixel or a PSF, arcsec. Pixels of up to 36 arcsec lie below when they are given in degrees.
ARCSEC_BOUNDS = (0.01, 60.0)
Arcsec = Annotated[float, Field(ge=ARCSEC_BOUNDS[0], le=ARCSEC_BOUNDS[1])]
Count = Annotated[int, Field(ge=1, le=100_000_000)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]


def distinct(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return values that differ from one another, or raise ValueError."""
    if len(set(values)) != len(values):
        raise ValueError("names something twice")
    return values


Classes = Annotated[tuple[ClassName, ...], Field(min_length=2), AfterValidator(distinct)]


class Block(BaseModel):
    """A block of params.yaml: frozen, and refusing keys that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
