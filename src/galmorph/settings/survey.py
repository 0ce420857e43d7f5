"""The blocks of params.yaml that say where galaxies come from: the survey, its sample, and each source's own."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from galmorph.settings.fields import Arcsec, Block, Count, Seed, Share, matching


def _above_the_pixel_scale(seeing: float) -> float:
    # Single frames go down to 0.75 of the survey's median, and a PSF's core is narrower than its effective width.
    if seeing < 0.8:
        raise ValueError("0.8 or more: in the best frames the PSF would be sharper than a pixel of 0.396 arcsec")
    return seeing


def _ascending(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        raise ValueError("the least value comes first, then the most")
    return bounds


def _address(text: str) -> str:
    if text.startswith(("http://", "https://")):
        try:
            _ = urlsplit(text).port
        except ValueError:
            raise ValueError("no address: its host or port is not one") from None
    return text


def _part(value: object) -> object:
    fraction = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 1
    if not (fraction or value in ("whole", "centre")):
        raise ValueError("must be whole, centre, or a fraction of the side, above 0 and at most 1")
    return value


# A path, or the address of a file.
Place = Annotated[str, matching(r"[^\x00]+", "must be the path or the address of a file"), AfterValidator(_address)]
Angle = Annotated[float, Field(ge=0, le=360)]
Range = Annotated[tuple[float, float], AfterValidator(_ascending)]


class LimitsSettings(Block):
    """Least and most of some columns, both included; a galaxy whose value is unknown lies outside."""

    ra: tuple[Angle, Angle] | None
    dec: Range | None
    redshift: Range | None
    nvote: Range | None


class SampleSettings(Block):
    """Which rows of the catalogue are requested."""

    rule: Literal["first", "random", "in_frames"]
    galaxies: Count | None
    seed: Seed
    limits: LimitsSettings

    @property
    def limited(self) -> bool:
        """Whether there are limits."""
        return any(bounds is not None for _, bounds in self.limits)


class SurveySettings(Block):
    """The survey in use."""

    name: Annotated[
        str,
        matching(
            "[A-Za-z0-9][A-Za-z0-9 ._-]{0,59}",
            "must be letters, digits, blanks and . _ -, a letter or digit first, at most 60 characters",
        ),
    ]
    source: Literal["simulated", "sdss", "local", "stamps"]
    sample: SampleSettings


class TypesSettings(Block):
    """Shares of the galaxies' types within the flux limits of the embedded survey."""

    elliptical: Share
    lenticular: Share
    spiral: Share

    @model_validator(mode="after")
    def _whole(self) -> Self:
        total = self.elliptical + self.lenticular + self.spiral
        if abs(total - 1) > 1e-6:
            raise ValueError(f"the shares of the types add up to {total:g}; they must add up to 1")
        return self


class SimulatedSettings(Block):
    """The embedded survey."""

    seed: Seed
    galaxies: Count
    galaxies_per_frame: Annotated[int, Field(ge=1, le=60)]
    band: Literal["r"]
    seeing: Annotated[float, Field(le=3), AfterValidator(_above_the_pixel_scale)]
    types: TypesSettings | None


class SdssSettings(Block):
    """The archive on the network."""

    release: Literal["dr7", "dr17"]
    archive: (
        Annotated[
            str,
            matching(r"https?://[^\s?#]+", "must be an address that begins with http:// or https://, without ? and #"),
            AfterValidator(_address),
        ]
        | None
    )
    catalogue: Place
    redshifts: Place | None
    band: Literal["u", "g", "r", "i", "z"]
    max_missing_fraction: Annotated[float, Field(ge=0, lt=1)]


class LocalSettings(Block):
    """Frames and catalogue that are already on disk."""

    frames: Place
    catalogue: Place
    redshifts: Place | None
    band: Literal["u", "g", "r", "i", "z"]


class StampsSettings(Block):
    """Cutouts that somebody else made."""

    folder: Place
    labels: Place
    colour: Literal["red", "green", "blue", "mean"]
    field: Annotated[Literal["whole", "centre"] | float, BeforeValidator(_part)]
    resampling: Literal["area", "spline"]
    pixel_scale: Arcsec | None
    psf_fwhm: Arcsec | None
