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
from galmorph.records import Record
from galmorph.settings import CutoutSettings, Settings
from galmorph.source_settings import StampsSettings

LOCK = Path("dvc.lock")


@dataclass(frozen=True)
class Cutting:
    """How stamps come to be.

    Attributes
    ----------
    cutouts, stamps
        Blocks of params.yaml.
    certain
        Whether the training's stamps were made so, as dvc.lock says; else params.yaml is believed.
    """

    cutouts: CutoutSettings
    stamps: StampsSettings
    certain: bool


def cutting_of(record: Record, chosen: Settings, project: Path) -> Cutting:
    """Return how the stamps were cut on which a run was trained.

    A record names its stamps by their md5, and so does dvc.lock, beside the parameters with which they were made:
    whoever has edited params.yaml since still gets those of the training.

    Of frames a stamp is a square of the frame's pixels; so stamps that somebody else cut are, for a network that was
    trained on frames, cut down to their middle and not resampled.
    """
    stages = _stages(project / LOCK)
    cut = stages.get("cutouts", {})
    params = cut.get("params", {}).get("params.yaml", {})
    outs = {out.get("md5") for stage in stages.values() for out in stage.get("outs", [])}
    certain = "cutouts" in params and record.data.get("images") in outs
    source = params.get("survey.source") if certain else chosen.survey.source
    cutouts, stamps = chosen.cutouts, chosen.stamps
    if certain:
        try:
            cutouts = CutoutSettings.model_validate_json(json.dumps(params["cutouts"]))
            if source == "stamps":
                stamps = StampsSettings.model_validate_json(json.dumps(params["stamps"]))
        except (ValidationError, KeyError, TypeError):
            raise GalmorphError(f"{project / LOCK}: made by another version of the project; run dvc repro") from None
    if source != "stamps":
        stamps = stamps.model_copy(update={"field": "centre"})
    return Cutting(cutouts, stamps, certain)


def _stages(path: Path) -> dict[str, Any]:
    """Return the stages of dvc.lock; none where there is no such file."""
    try:
        read = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
        return dict(read["stages"])
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, YAMLError, KeyError, TypeError) as error:
        reason = str(error).partition("\n")[0]
        raise GalmorphError(f"{path}: not a lock file ({reason}); restore it with git checkout") from None
