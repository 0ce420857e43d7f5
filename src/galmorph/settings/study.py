"""params.yaml as frozen, typed objects.

The comments beside the keys in params.yaml say what each one means and why it has its value; this module says what
is allowed. What depends on the machine is an environment variable: moving to another one invalidates no cached result.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from galmorph.errors import did_you_mean
from galmorph.settings.fields import Block, Classes, ClassName, Count, Fraction, Name, Seed, distinct
from galmorph.settings.resolution import TRANSFER, ResolutionSettings
from galmorph.settings.survey import LocalSettings, SdssSettings, SimulatedSettings, StampsSettings, SurveySettings


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


TRAINING_GALAXIES = "training galaxies"
NUMERIC_KEYS = ("draw", "network.dropout", "training.epochs", "training.batch_size", "training.learning_rate")


def _mix(value: object) -> object:
    numbers = isinstance(value, dict) and all(type(count) is int and count > 0 for count in value.values())
    if not (numbers or value in ("natural", "balanced")):
        raise ValueError("must be natural, balanced, or a number of galaxies, 1 or more, for each class")
    return value


class EvaluationSettings(Block):
    """The common evaluation sets, reserved in each run before any condition draws.

    Two of spirals and ellipticals, and one of uncertain galaxies (None: there is none).
    """

    natural: Annotated[int, Field(ge=2)]
    balanced: Annotated[int, Field(ge=2, multiple_of=2)]
    uncertain: Annotated[int, Field(ge=3)] | None


class ProtocolSettings(Block):
    """What is repeated, and from which seed."""

    seed: Seed
    runs: Annotated[int, Field(ge=1, le=999)]
    train_fraction: Fraction
    validation_fraction: Fraction | None
    evaluation: EvaluationSettings


class SeriesSettings(Block):
    """Conditions along an axis: "training galaxies", or a key of theirs whose values are numbers."""

    x: str
    conditions: Annotated[tuple[Name, ...], Field(min_length=2), AfterValidator(distinct)]

    @field_validator("x")
    @classmethod
    def _known(cls, x: str) -> str:
        if x not in (TRAINING_GALAXIES, *NUMERIC_KEYS):
            raise ValueError(f"must be {TRAINING_GALAXIES}, or one of {', '.join(NUMERIC_KEYS)}")
        return x


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


class TrainingSettings(Block):
    """How one network is trained."""

    epochs: Annotated[int, Field(ge=1, le=100_000)]
    batch_size: Count
    optimiser: Literal["adam", "sgd"]
    learning_rate: Annotated[float, Field(gt=0, le=10)]
    loss: Literal["cross_entropy", "mean_squared_error"]
    precision: Literal["float32", "mixed_bfloat16"]
    scaling: Literal["asinh", "linear", "extremes"]
    class_weight: Literal["none", "balanced"]
    augmentation: Literal["none", "flips", "flips_and_turns"]
    keep_weights: Annotated[int, Field(ge=0)]


class ConditionSettings(Block):
    """One condition of the study.

    A run draws `draw` galaxies from the classes `drawn_among` and keeps those of `classes`. `network` and `training`
    are those of the study with the keys that the condition changes, complete (`reading.parse_settings`), or None.
    """

    classes: Classes
    drawn_among: Classes
    mix: Annotated[Literal["natural", "balanced"] | dict[ClassName, int], BeforeValidator(_mix)]
    draw: Annotated[int, Field(ge=4)]
    network: NetworkSettings | None = None
    training: TrainingSettings | None = None

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if missing := set(self.classes) - set(self.drawn_among):
            raise ValueError(f"classes has {sorted(missing)}, which drawn_among lacks")
        if self.mix == "balanced" and self.draw % len(self.drawn_among):
            raise ValueError(f"a balanced draw of {self.draw} does not divide by {len(self.drawn_among)} classes")
        if isinstance(self.mix, dict) and (set(self.mix), sum(self.mix.values())) != (set(self.drawn_among), self.draw):
            raise ValueError(
                f"mix has {sum(self.mix.values())} galaxies of {', '.join(self.mix)}; give a number for each class of "
                f"drawn_among, {self.draw} (draw) in all"
            )
        return self

    @property
    def tested_on_common_sets(self) -> bool:
        """Whether its networks know spirals and ellipticals."""
        return {"spiral", "elliptical"} <= set(self.classes)

    @property
    def tested_on_uncertain(self) -> bool:
        """Whether its networks know spirals and ellipticals and nothing else."""
        return {"spiral", "elliptical"} == set(self.classes)

    @property
    def drawing(self) -> dict[str, Any]:
        """The keys that decide what is drawn, which condition.network and condition.training do not."""
        return self.model_dump(mode="json", exclude={"network", "training"})


def _not_among(name: str, conditions: Iterable[str]) -> str:
    return f"{name} is not among conditions{did_you_mean(name, conditions)}"


class ComparisonSettings(Block):
    """Two conditions set side by side."""

    conditions: Annotated[tuple[Name, Name], AfterValidator(distinct)]
    metrics: Annotated[tuple[Literal["accuracy", "tss"], ...], Field(min_length=1), AfterValidator(distinct)]


class ReportSettings(Block):
    """What the report shows; nothing here reaches a trained number."""

    language: Literal["en", "ja"]
    examples: Annotated[int, Field(ge=1, le=24)]
    redshift_bin: Annotated[float, Field(ge=1e-4, le=1)]
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
    series: dict[Name, SeriesSettings]
    network: NetworkSettings
    training: TrainingSettings
    resolution: ResolutionSettings
    report: ReportSettings

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for name, comparison in self.comparisons.items():
            if unknown := [c for c in comparison.conditions if c not in self.conditions]:
                raise ValueError(f"comparisons.{name}.conditions: {_not_among(unknown[0], self.conditions)}")
        for name, series in self.series.items():
            if unknown := [c for c in series.conditions if c not in self.conditions]:
                raise ValueError(f"series.{name}.conditions: {_not_among(unknown[0], self.conditions)}")
            if lacking := [c for c in series.conditions if not self.conditions[c].tested_on_common_sets]:
                raise ValueError(
                    f"series.{name}.conditions: {lacking[0]} lacks spiral or elliptical, so that it is not tested on "
                    "the common evaluation sets"
                )
        if TRANSFER in self.conditions:
            raise ValueError(f"conditions.{TRANSFER}: the folder of the resolution study has this name; choose another")
        draws = {f"conditions.{name}": condition.draw for name, condition in self.conditions.items()}
        for name, draw in (draws | {"resolution": self.resolution.draw}).items():
            train = math.floor(self.protocol.train_fraction * draw + 0.5)
            if not 0 < train < draw:
                raise ValueError(f"{name}.draw: {draw} leaves an empty part")
        own = {f"conditions.{name}.": condition for name, condition in self.conditions.items()}
        trainings = {"": self.training} | {key: one.training for key, one in own.items() if one.training}
        if kept := [key for key, training in trainings.items() if training.keep_weights > self.protocol.runs]:
            raise ValueError(f"{kept[0]}training.keep_weights: more than protocol.runs")
        networks = {"": self.network} | {key: one.network for key, one in own.items() if one.network}
        for key, network in networks.items():
            side = self.cutouts.stamp_size  # of the last feature map, in the end
            for kernel in network.kernels:
                side = (side if network.padding == "same" else side - kernel + 1) // 2
            if side < 1:
                raise ValueError(
                    f"{key}network.kernels: nothing is left of a stamp of {self.cutouts.stamp_size} pixels "
                    "(cutouts.stamp_size)"
                )
        sample = self.survey.sample
        if sample.rule == "in_frames" and self.survey.source != "local":
            raise ValueError("survey.sample.rule: in_frames goes with survey.source local only")
        if self.survey.source == "simulated" and ((sample.rule, sample.galaxies) != ("first", None) or sample.limited):
            raise ValueError(
                "survey.sample: the simulated survey is all sample; leave rule first, galaxies and limits null, and "
                "set simulated.galaxies"
            )
        return self

    def network_of(self, condition: str) -> NetworkSettings:
        """Return the network of a condition."""
        return self.conditions[condition].network or self.network

    def training_of(self, condition: str) -> TrainingSettings:
        """Return how networks of a condition are trained."""
        return self.conditions[condition].training or self.training

    def decisive(self, condition: str) -> dict[str, Any]:
        """Return the settings that decide the results of a condition, by dotted key: classes, draw, ..."""
        block = self.conditions[condition]
        drawn: dict[str, Any] = {"classes": set(block.classes), "drawn_among": set(block.drawn_among)}
        drawn |= {"mix": block.mix, "draw": block.draw}
        network = {f"network.{key}": value for key, value in self.network_of(condition)}
        training = {f"training.{key}": value for key, value in self.training_of(condition) if key != "keep_weights"}
        return drawn | network | training
