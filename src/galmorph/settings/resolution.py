"""The resolution block of params.yaml: as which telescopes see the galaxies, and what is trained and tested there."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from galmorph.errors import did_you_mean
from galmorph.settings.fields import Block, Name, Seed, distinct
from galmorph.settings.survey import StampsSettings

# Parts of a split and sets of a record have these names.
RESERVED = ("train", "validation", "test", "common_natural", "common_balanced", "common_uncertain")

TRANSFER = "transfer"  # where the resolution study's models lie, among those of the conditions

Arcsec = Annotated[float, Field(gt=0.05, le=60)]


def _not_reserved(name: str) -> str:
    if name in RESERVED:
        raise ValueError(f"{name} is the name of something else; choose another name")
    return name


LevelName = Annotated[Name, AfterValidator(_not_reserved)]


class LevelSettings(Block):
    """A spatial resolution; all null: as the survey has it. With `stamps` another survey, of other galaxies."""

    psf_fwhm: Arcsec | None
    pixel_scale: Arcsec | None
    noise: Annotated[float, Field(gt=0, le=1e6)] | None
    stamps: StampsSettings | None = None

    @property
    def native(self) -> bool:
        """Whether the stamps are left as they are."""
        return self.psf_fwhm is None and self.pixel_scale is None and self.noise is None

    @model_validator(mode="after")
    def _scaled(self) -> Self:
        if self.stamps is not None and not self.native:
            raise ValueError(
                "another survey is seen as it is: leave psf_fwhm, pixel_scale and noise null (its own are those of "
                "stamps, or of its labels)"
            )
        if self.pixel_scale is None and not self.native:
            raise ValueError("a level without a pixel scale: give pixel_scale, or leave all three null (native)")
        return self


class MixedSettings(Block):
    """A way to train for blurred targets: each training galaxy at a level drawn among `levels`."""

    kind: Literal["mixed"]
    levels: Annotated[tuple[LevelName, ...], Field(min_length=2), AfterValidator(distinct)]
    galaxies: None
    epochs: None
    learning_rate: None

    @field_validator("galaxies", "epochs", "learning_rate", mode="before")
    @classmethod
    def _null(cls, value: object) -> None:
        if value is not None:
            raise ValueError("mixed trains as a level does: leave it null")


class FineTunedSettings(Block):
    """A way to train for blurred targets: networks of the first level, trained further on the second.

    Each goes on for `epochs` with `galaxies` of its training galaxies.
    """

    kind: Literal["fine_tuned"]
    levels: Annotated[tuple[LevelName, ...], Field(min_length=2, max_length=2), AfterValidator(distinct)]
    galaxies: Annotated[int, Field(ge=4)]
    epochs: Annotated[int, Field(ge=1)]
    learning_rate: Annotated[float, Field(gt=0, le=10)]


RemedySettings = Annotated[MixedSettings | FineTunedSettings, Field(discriminator="kind")]


class ResolutionSampleSettings(Block):
    """Which galaxies can be seen at every level, whatever the levels are."""

    max_psf_fwhm: Arcsec
    max_noise: Annotated[float, Field(gt=0)]
    max_left_out_fraction: Annotated[float, Field(ge=0, lt=1)]


class ResolutionSettings(Block):
    """Chapter 5: trained at one spatial resolution, tested at another; without levels there is no such study."""

    runs: Annotated[int, Field(ge=1, le=999)]
    draw: Annotated[int, Field(ge=4)]
    mix: Literal["natural", "balanced"]
    seed: Seed
    kernel: Literal["gaussian", "moffat"]
    grid: Literal["field", "pixels"]
    common_noise: Annotated[float, Field(gt=0, le=1e6)] | None
    sample: ResolutionSampleSettings
    levels: dict[LevelName, LevelSettings]
    ablations: dict[LevelName, LevelSettings]
    remedies: dict[LevelName, RemedySettings]
    oracle: Annotated[tuple[LevelName, ...], AfterValidator(distinct)]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.levels and self.ablations:
            raise ValueError("ablations without levels: no network is there to be tested at them")
        names = [*self.levels, *self.ablations, *self.remedies]
        if self.levels and all(level.stamps for level in self.levels.values()):
            raise ValueError("levels: every one is another survey; name a level of this one, for example native")
        for name in self.seen:
            # Records name a level's images and its split so.
            if f"{name}_split" in names:
                raise ValueError(f"{name}_split: with {name} there, it names the split of that; choose another name")
        if foreign := [name for name, level in self.ablations.items() if level.stamps]:
            raise ValueError(f"ablations.{foreign[0]}: another survey is a level, not a part of one")
        if unknown := [name for name in self.oracle if name not in self.levels]:
            raise ValueError(f"oracle: {unknown[0]} is not among levels{did_you_mean(unknown[0], self.levels)}")
        if twice := sorted(name for name in names if names.count(name) > 1):
            raise ValueError(f"{twice[0]} names two of levels, ablations and remedies")
        for name, remedy in self.remedies.items():
            if unknown := [level for level in remedy.levels if level not in self.levels]:
                guess = did_you_mean(unknown[0], self.levels)
                raise ValueError(f"remedies.{name}.levels: {unknown[0]} is not among levels{guess}")
            seen = remedy.levels if remedy.kind == "mixed" else remedy.levels[:1]
            if foreign := [level for level in seen if self.levels[level].stamps]:
                raise ValueError(
                    f"remedies.{name}.levels: {foreign[0]} is another survey, of other galaxies; only fine_tuned may "
                    "name one, as its second"
                )
        for name, level in self.seen.items():
            if level.psf_fwhm is not None and level.psf_fwhm <= self.sample.max_psf_fwhm:
                raise ValueError(
                    f"{name}: {level.psf_fwhm:g} arcsec is not wider than the PSF of every galaxy: they have up to "
                    f"{self.sample.max_psf_fwhm:g} (sample.max_psf_fwhm), and images are only ever made worse"
                )
        if self.common_noise is not None:
            if noisy := [name for name, level in self.seen.items() if level.noise is not None]:
                raise ValueError(
                    f"{noisy[0]}: its noise is that of every level, common_noise: leave its noise null, or common_noise"
                )
            if self.common_noise < self.sample.max_noise:
                raise ValueError(
                    f"common_noise: {self.common_noise:g} DN is less than the galaxies may have, "
                    f"{self.sample.max_noise:g} (sample.max_noise), and noise can only be added"
                )
        if self.mix == "balanced" and self.draw % 2:
            raise ValueError(f"a balanced draw of {self.draw} does not divide by 2 classes")
        return self

    @property
    def seen(self) -> dict[str, LevelSettings]:
        """The levels, then the ablations."""
        return self.levels | self.ablations

    @property
    def own(self) -> dict[str, LevelSettings]:
        """The levels and ablations at which the galaxies of this survey are seen: all but other surveys."""
        return {name: level for name, level in self.seen.items() if level.stamps is None}


def transfer_name(level: str) -> str:
    """Return the name of a level's or remedy's runs in records and in MLflow, where a condition's name would be."""
    return f"{TRANSFER}_{level}"


def recorded_name(trained: str) -> str:
    """Return the name that records have for a condition, or for transfer/LEVEL."""
    return transfer_name(trained.removeprefix(f"{TRANSFER}/")) if trained.startswith(f"{TRANSFER}/") else trained
