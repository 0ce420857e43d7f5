"""params.yaml as frozen, typed objects; an unknown or wrong key stops with its name.

The comments beside the keys in params.yaml say what each one means and why it has its value; this module says what
is allowed. Nothing here depends on the machine: workers, schedulers and stores are named by environment variables,
so that no cached result is invalidated by moving house.
"""

from __future__ import annotations

import difflib
import json
import math
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from galmorph.errors import GalmorphError
from galmorph.fields import Block, Classes, Count, Fraction, Name, Seed, distinct
from galmorph.levels import TRANSFER, LevelSettings, RemedySettings, ResolutionSettings
from galmorph.source_settings import (
    LocalSettings,
    SdssSettings,
    SimulatedSettings,
    StampsSettings,
    SurveySettings,
)


class CutoutSettings(Block):
    """From frames to stamps."""

    stamp_size: Annotated[int, Field(ge=16, le=256, multiple_of=2)]
    wide_size: Annotated[int, Field(ge=16, le=512, multiple_of=2)]
    sky_inner: Annotated[int, Field(ge=16, multiple_of=2)]
    sky_outer: Annotated[int, Field(ge=24, le=1024, multiple_of=2)]
    max_rejected_fraction: Annotated[float, Field(ge=0, lt=1)]

    @model_validator(mode="after")
    def _nested(self) -> Self:
        if self.wide_size <= self.stamp_size:
            raise ValueError("wide_size must be larger than stamp_size")
        if self.sky_inner < self.stamp_size:
            raise ValueError("sky_inner must not be smaller than stamp_size: the sky is measured around the stamp")
        if self.sky_outer < self.sky_inner + 8:
            raise ValueError("sky_outer must exceed sky_inner by 8 pixels or more")
        return self


class EvaluationSettings(Block):
    """The common evaluation sets of spirals and ellipticals, reserved in each run before any condition draws."""

    natural: Annotated[int, Field(ge=2)]
    balanced: Annotated[int, Field(ge=2, multiple_of=2)]


class ProtocolSettings(Block):
    """What is repeated, and from which seed."""

    seed: Seed
    runs: Annotated[int, Field(ge=1, le=999)]
    train_fraction: Fraction
    validation_fraction: Fraction | None
    evaluation: EvaluationSettings


class ConditionSettings(Block):
    """One condition of the study.

    A run draws `draw` galaxies from the classes `drawn_among` and keeps those of `classes`.
    """

    classes: Classes
    drawn_among: Classes
    mix: Literal["natural", "balanced"]
    draw: Annotated[int, Field(ge=4)]

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if missing := set(self.classes) - set(self.drawn_among):
            raise ValueError(f"classes has {sorted(missing)}, which drawn_among lacks")
        if self.mix == "balanced" and self.draw % len(self.drawn_among):
            raise ValueError(f"a balanced draw of {self.draw} does not divide by {len(self.drawn_among)} classes")
        return self


class ComparisonSettings(Block):
    """Two conditions set side by side."""

    conditions: Annotated[tuple[Name, Name], AfterValidator(distinct)]
    metrics: Annotated[tuple[Literal["accuracy", "tss"], ...], Field(min_length=1), AfterValidator(distinct)]


Units = Annotated[int, Field(ge=1, le=65_536)]


class NetworkSettings(Block):
    """The convolutional network."""

    filters: Annotated[tuple[Units, ...], Field(min_length=1, max_length=6)]
    kernels: Annotated[tuple[Annotated[int, Field(ge=1, le=11)], ...], Field(min_length=1, max_length=6)]
    padding: Literal["valid", "same"]
    dense: Annotated[tuple[Units, ...], Field(max_length=4)]
    dropout: Annotated[float, Field(ge=0, lt=1)]

    @model_validator(mode="after")
    def _same_length(self) -> Self:
        if len(self.filters) != len(self.kernels):
            raise ValueError(f"{len(self.filters)} filters, {len(self.kernels)} kernels: one of each per layer")
        return self

    def smallest_side(self, size: int) -> int:
        """Side in pixels of the last feature map, for stamps of `size` pixels; 0 or less where they are too small."""
        for kernel in self.kernels:
            size = (size if self.padding == "same" else size - kernel + 1) // 2
        return size


class TrainingSettings(Block):
    """How one network is trained."""

    epochs: Annotated[int, Field(ge=1, le=100_000)]
    batch_size: Count
    optimiser: Literal["adam", "sgd"]
    learning_rate: Annotated[float, Field(gt=0, le=10)]
    loss: Literal["cross_entropy", "mean_squared_error"]
    precision: Literal["float32", "mixed_bfloat16"]
    scaling: Literal["asinh", "linear", "extremes"]
    keep_weights: Annotated[int, Field(ge=0)]


class ReportSettings(Block):
    """What the report shows; nothing here reaches a trained number."""

    language: Literal["en", "ja"]
    examples: Annotated[int, Field(ge=1, le=24)]
    redshift_bin: Annotated[float, Field(gt=0, le=1)]
    png_dpi: Annotated[int, Field(ge=50, le=600)]


class Settings(Block):
    """The whole of params.yaml."""

    survey: SurveySettings
    simulated: SimulatedSettings
    sdss: SdssSettings
    local: LocalSettings
    stamps: StampsSettings
    cutouts: CutoutSettings
    protocol: ProtocolSettings
    conditions: Annotated[dict[Name, ConditionSettings], Field(min_length=1)]
    comparisons: dict[Name, ComparisonSettings]
    network: NetworkSettings
    training: TrainingSettings
    resolution: ResolutionSettings
    report: ReportSettings

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for name, comparison in self.comparisons.items():
            if unknown := [c for c in comparison.conditions if c not in self.conditions]:
                raise ValueError(f"comparisons.{name}.conditions: {unknown[0]} is not among conditions")
        if TRANSFER in self.conditions:
            raise ValueError(f"conditions.{TRANSFER}: the folder of the resolution study has this name; choose another")
        draws = {f"conditions.{name}": condition.draw for name, condition in self.conditions.items()}
        for name, draw in (draws | {"resolution": self.resolution.draw}).items():
            train = math.floor(self.protocol.train_fraction * draw + 0.5)
            if not 0 < train < draw:
                raise ValueError(f"{name}.draw: {draw} leaves an empty part")
        if self.training.keep_weights > self.protocol.runs:
            raise ValueError("training.keep_weights: more than protocol.runs")
        if self.network.smallest_side(self.cutouts.stamp_size) < 1:
            raise ValueError(
                f"network.kernels: nothing is left of a stamp of {self.cutouts.stamp_size} pixels (cutouts.stamp_size)"
            )
        if self.survey.sample.rule == "in_frames" and self.survey.source != "local":
            raise ValueError("survey.sample.rule: in_frames goes with survey.source local only")
        sample = self.survey.sample
        if self.survey.source == "simulated" and ((sample.rule, sample.galaxies) != ("first", None) or sample.limited):
            raise ValueError(
                "survey.sample: the simulated survey is all sample; leave rule first, galaxies and limits null, and "
                "set simulated.galaxies"
            )
        return self


def _describe(error: Any, data: Any) -> str:
    """One line for one pydantic complaint: the key, what is wrong, what is allowed."""
    location = [str(part) for part in error["loc"] if part != "[key]"]
    key = ".".join(location)
    if error["type"] == "extra_forbidden":
        known = _known_keys(location[:-1])
        guess = difflib.get_close_matches(location[-1], known, n=1)
        return f"{key}: unknown key" + (f" (did you mean {guess[0]}?)" if guess else f" (known: {', '.join(known)})")
    if error["type"] == "missing":
        return f"{key}: missing"
    message = error["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    value = error["input"]
    shown = "" if isinstance(value, dict | list) else f", not {value!r}"
    return f"{key}: {message}{shown}" if key else message


def _known_keys(location: list[str]) -> list[str]:
    """Return the keys of the block at `location`."""
    model: type[BaseModel] = Settings
    blocks: dict[str, type[BaseModel]] = {
        "conditions": ConditionSettings,
        "comparisons": ComparisonSettings,
        "resolution.levels": LevelSettings,
        "resolution.ablations": LevelSettings,
        "resolution.remedies": RemedySettings,
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
    try:
        # Through JSON, because there a YAML list may stand for a tuple while every other type stays strict.
        return Settings.model_validate_json(json.dumps(data))
    except ValidationError as error:
        lines = [_describe(item, data) for item in error.errors()]
        raise GalmorphError(f"{source}: " + f"\n{source}: ".join(lines)) from None
    except TypeError as error:
        raise GalmorphError(f"{source}: {error}; use plain numbers, words and lists") from None


def load_settings(path: Path) -> Settings:
    """Read and check a params file.

    Raises
    ------
    GalmorphError
        If the file is missing, is not YAML, or holds a key that is unknown, missing or wrong.
    """
    try:
        data = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise GalmorphError(f"{path}: no such file; run galmorph in the project's root") from None
    except UnicodeDecodeError:
        raise GalmorphError(f"{path}: not UTF-8 text") from None
    except YAMLError as error:
        raise GalmorphError(f"{path}: not valid YAML: {error}") from None
    if not isinstance(data, dict):
        raise GalmorphError(f"{path}: empty, or not a mapping; copy one of presets/ over it")
    return parse_settings(data, path.name)
