"""How the stamps of a training were cut, so that new ones are cut in the same way."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from galmorph.errors import GalmorphError
from galmorph.levels import TRANSFER, LevelSettings
from galmorph.records import Record
from galmorph.regular import regular
from galmorph.settings import CutoutSettings, Settings
from galmorph.source_settings import StampsSettings
from galmorph.stages.layout import GALAXIES, level_path

LOCK = Path("dvc.lock")


@dataclass(frozen=True)
class Cutting:
    """How stamps come to be.

    Attributes
    ----------
    cutouts, stamps
        Blocks of params.yaml.
    grid
        `resolution.grid`: what a network of a level is given.
    psf_fwhm
        That of the level that a network is for, arcsec; None where it is that of the survey.
    galaxies
        The table of the galaxies that the stamps show, relative to the project.
    certain
        Whether the training's stamps were made so, as dvc.lock says; else params.yaml is believed.
    """

    cutouts: CutoutSettings
    stamps: StampsSettings
    grid: str
    psf_fwhm: float | None
    galaxies: Path
    certain: bool


def cutting_of(name: str, record: Record, chosen: Settings, project: Path) -> Cutting:
    """Return how the stamps were cut on which a run was trained.

    A record names its stamps by their md5, and so does dvc.lock, beside the parameters with which they were made:
    whoever has edited params.yaml since still gets those of the training. Of a level of the resolution study dvc.lock
    knows the folder only, so that it is found by its name.

    Of frames a stamp is a square of the frame's pixels; so stamps that somebody else cut are, for a network that was
    trained on frames, cut down to their middle and not resampled.

    Parameters
    ----------
    name
        What was trained: a condition, or transfer/LEVEL.
    record
        Of one of its runs.
    chosen
        params.yaml as it is now.
    project
        Its folder.
    """
    stages = _stages(project / LOCK)
    level = level_of(name, record)
    made = _params(stages, "cutouts" if level is None else f"degrade@{level}")
    outs = {out.get("md5") for stage in stages.values() for out in stage.get("outs", [])}
    certain = "cutouts" in made and (level is not None or record.data.get("images") in outs)
    of_survey = _params(stages, "cutouts")
    source = of_survey.get("survey.source") if certain else chosen.survey.source
    cutouts, stamps, seen = chosen.cutouts, chosen.stamps, _declared(chosen, level)
    if certain:
        try:
            cutouts = CutoutSettings.model_validate_json(json.dumps(made["cutouts"]))
            if source == "stamps":
                stamps = StampsSettings.model_validate_json(json.dumps(of_survey["stamps"]))
            if level is not None:
                seen = LevelSettings.model_validate_json(json.dumps(made[f"resolution.levels.{level}"]))
        except (ValidationError, KeyError, TypeError):
            raise GalmorphError(f"{project / LOCK}: made by another version of the project; run dvc repro") from None
    galaxies = GALAXIES
    if level is not None and seen is not None and seen.stamps is not None:
        stamps, galaxies = seen.stamps, level_path(level).parent / GALAXIES.name
    elif source != "stamps":
        stamps = stamps.model_copy(update={"field": "centre"})
    grid = str(made.get("resolution.grid", chosen.resolution.grid))
    return Cutting(cutouts, stamps, grid, None if seen is None else seen.psf_fwhm, galaxies, certain)


def level_of(name: str, record: Record) -> str | None:
    """Return the level whose stamps a network is for: its own, or the last of a remedy."""
    if not name.startswith(f"{TRANSFER}/"):
        return None
    levels = record.parameters.get("level.levels")
    return str(levels[-1]) if levels else name.removeprefix(f"{TRANSFER}/")


def _declared(chosen: Settings, level: str | None) -> LevelSettings | None:
    return None if level is None else chosen.resolution.levels.get(level)


def _params(stages: dict[str, Any], name: str) -> dict[str, Any]:
    return dict(stages.get(name, {}).get("params", {}).get("params.yaml", {}))


def _stages(path: Path) -> dict[str, Any]:
    """Return the stages of dvc.lock; none where there is no such file."""
    try:
        read = YAML(typ="safe", pure=True).load(regular(path).read_text(encoding="utf-8"))
        stages = dict(read["stages"])
        for stage in stages.values():
            _params({"": stage}, "")
            for out in stage.get("outs", []):
                out.get("md5")
        return stages
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, YAMLError, LookupError, TypeError, AttributeError, RecursionError) as error:
        reason = str(error).partition("\n")[0]
        raise GalmorphError(f"{path}: not a lock file ({reason}); restore it with git checkout") from None
