"""What a project has trained, and one of these as an ensemble.

How the stamps of a training were cut, so that new ones are cut in the same way.
"""

from __future__ import annotations

import difflib
import json
import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from galmorph.classify.ensemble import Ensemble, Member
from galmorph.errors import GalmorphError
from galmorph.files.datafiles import read_table
from galmorph.files.reading import regular_file
from galmorph.settings.layout import GALAXIES, MODELS, PARAMS, level_path, records_folder
from galmorph.settings.reading import load_settings
from galmorph.settings.resolution import TRANSFER, LevelSettings, recorded_name
from galmorph.settings.study import CutoutSettings, NetworkSettings, Settings, TrainingSettings
from galmorph.settings.survey import StampsSettings
from galmorph.training.protocol import EVALUATION_CLASSES
from galmorph.training.records import Record, load_run, weights_name

log = logging.getLogger(__name__)

Trained = TypeVar("Trained", NetworkSettings, TrainingSettings)


def known_models(models: Path) -> list[str]:
    """Return the names of what has confirmed runs in a folder of models: CONDITION, and transfer/LEVEL."""
    conditions = [path.parent for path in sorted(models.glob("*/confirmed")) if path.parent.name != TRANSFER]
    levels = [path.parent for path in sorted(models.glob(f"{TRANSFER}/*/confirmed"))]
    return [path.relative_to(models).as_posix() for path in (*conditions, *levels)]


def load_ensemble(name: str, project: Path | str = ".") -> Ensemble:
    """Load the networks that a condition kept.

    Parameters
    ----------
    name
        A condition, or transfer/LEVEL for what was trained at a level of the resolution study (or as a remedy).
    project
        The folder of a finished study: params.yaml, dvc.lock and models/ are read, and data/cutouts/galaxies.parquet
        where it is there.

    Returns
    -------
    Ensemble
        Of the confirmed runs whose weights were kept: the first `training.keep_weights` of a condition, all of a
        level.

    Raises
    ------
    GalmorphError
        If nothing of this name was trained, it kept no weights, was trained on other classes than params.yaml now
        says, or a record or its weights are missing, torn, or of different campaigns.
    """
    ensemble = read_ensemble(name, Path(project))
    for remark in ensemble.remarks:
        log.warning("%s", remark)
    runs = ", ".join(str(member.run) for member in ensemble.members)
    log.debug("%s: networks of the runs %s", name, runs)
    return ensemble


def read_ensemble(name: str, root: Path) -> Ensemble:
    """Load an ensemble as `load_ensemble` does, and leave its remarks to the caller: workers have nobody to tell."""
    chosen = load_settings(root / PARAMS)
    known = known_models(root / MODELS)
    if name not in known:
        raise GalmorphError(_unknown(name, known, root / MODELS))
    folder = root / records_folder(name, "confirmed")
    # Of both: of two files that belong together one may be lost.
    files = [*folder.glob("run-[0-9][0-9][0-9].npz"), *folder.glob("run-[0-9][0-9][0-9].weights.h5")]
    runs = sorted({int(path.name[4:7]) for path in files})
    everything = [load_run(folder, run, recorded_name(name), "confirmed") for run in runs]
    records = [record for record in everything if record.weights]
    if not records:
        raise GalmorphError(
            f"{folder}: no weights were kept; set training.keep_weights to 1 or more and run dvc repro confirm@{name}, "
            "which trains these runs again"
        )
    _refuse_other_campaigns(folder, records)
    first = records[0]
    _refuse_other_classes(name, first, chosen)
    network = _settings(NetworkSettings, first, "network", folder)
    cutting = cutting_of(name, first, chosen, root)
    members = tuple(
        Member(record.run, record.softening, _weights(folder / weights_name(record.run), network, cutting, record))
        for record in records
    )
    return Ensemble(
        name=name,
        classes=first.classes,
        network=network,
        training=_settings(TrainingSettings, first, "training", folder),
        members=members,
        cutouts=cutting.cutouts,
        stamps=cutting.stamps,
        pixel_scale=_pixel_scale(first, cutting, root),
        remarks=tuple(_remarks(name, cutting)),
    )


def _remarks(name: str, cutting: Cutting) -> Iterator[str]:
    if not cutting.certain:
        yield (
            f"dvc.lock does not know the stamps that {name} was trained on: whether new ones are cut in the same way "
            "cannot be told, and params.yaml is believed; dvc repro makes it certain"
        )
    if cutting.psf_fwhm is not None:
        yield (
            f"{name} was trained for galaxies as a telescope with a PSF of {cutting.psf_fwhm:g} arcsec shows them: "
            "give it such"
        )


def _unknown(name: str, known: list[str], models: Path) -> str:
    if not known:
        return f"{models}: nothing is trained here; run dvc repro, or dvc pull, or go to the project's root"
    guess = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {guess[0]}? " if guess else ""
    return f"{name}: nothing of this name is trained; {hint}trained are: {', '.join(known)}"


def _refuse_other_campaigns(folder: Path, records: list[Record]) -> None:
    for record in records:
        if record.fingerprint != records[0].fingerprint:
            raise GalmorphError(
                f"{folder}: run {record.run} is of another campaign than run {records[0].run}; run dvc repro, or "
                "restore the folder with dvc checkout"
            )


def _refuse_other_classes(name: str, record: Record, chosen: Settings) -> None:
    condition = chosen.conditions.get(name)
    declared = EVALUATION_CLASSES if name.startswith(f"{TRANSFER}/") else condition and condition.classes
    if declared and tuple(declared) != record.classes:
        raise GalmorphError(
            f"{name}: trained on the classes {', '.join(record.classes)}, params.yaml now says {', '.join(declared)} "
            f"(conditions.{name}.classes); run dvc repro, or bring params.yaml to what was trained"
        )


def _settings(kind: type[Trained], record: Record, name: str, folder: Path) -> Trained:
    """Return a block of params.yaml as it was when a run was trained."""
    prefix = f"{name}."
    found = {key.removeprefix(prefix): value for key, value in record.parameters.items() if key.startswith(prefix)}
    try:
        return kind.model_validate_json(json.dumps(found))
    except ValidationError as error:
        wrong = error.errors()[0]
        raise GalmorphError(
            f"{folder}: trained by another version of the project ({name}.{wrong['loc'][0]}: {wrong['msg'].lower()}); "
            "run dvc repro"
        ) from None


def _weights(path: Path, network: NetworkSettings, cutting: Cutting, record: Record) -> list[NDArray[np.float32]]:
    from galmorph.training.engine import prepare_device
    from galmorph.training.network import load_weights

    prepare_device()
    try:
        with warnings.catch_warnings():
            # With this warning Keras leaves layers that it does not find in the file as they happen to be.
            warnings.filterwarnings("error", message="Skipping nested container", category=UserWarning)
            weights = load_weights(path, record.weights, network, cutting.cutouts.stamp_size, len(record.classes))
    except UserWarning as error:
        raise GalmorphError(f"{path}: not the weights of this network ({error}); run dvc repro") from None
    if not all(np.isfinite(values).all() for values in weights):
        raise GalmorphError(f"{path}: weights that are no numbers; restore the file with dvc checkout")
    return weights


def _pixel_scale(record: Record, cutting: Cutting, root: Path) -> tuple[float, float] | None:
    """Return the least and the most pixel scale of the stamps as the networks were shown them, arcsec."""
    level = record.parameters.get("level.pixel_scale")
    if level is not None and cutting.grid == "pixels":
        return float(level), float(level)
    galaxies = root / cutting.galaxies
    if not cutting.certain or not galaxies.exists():
        return None
    scales = pd.to_numeric(read_table(galaxies, ["pixel_scale"])["pixel_scale"], errors="coerce").to_numpy(dtype=float)
    known = scales[np.isfinite(scales)]
    return (float(known.min()), float(known.max())) if known.size else None


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
    """Return how the stamps of a run's training were cut.

    A record names its stamps by md5, and dvc.lock has that md5 beside the parameters that made them, so that a later
    edit of params.yaml changes nothing here. Of a level of the resolution study dvc.lock has only the folder, which is
    found by its name.

    A stamp of a frame is a square of the frame's pixels. For a network trained on frames, stamps from elsewhere are
    therefore cropped to their centre and not resampled.

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
        read = YAML(typ="safe", pure=True).load(regular_file(path).read_text(encoding="utf-8"))
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
