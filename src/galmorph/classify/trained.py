"""What a study has trained: its kept networks as an ensemble, and the preprocessing of their training's stamps."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import ValidationError

from galmorph.classify.ensemble import Ensemble, Member
from galmorph.classify.likeness import Typical, common_kind, measure
from galmorph.errors import GalmorphError, did_you_mean
from galmorph.files.datafiles import open_stamps, read_table
from galmorph.settings.layout import GALAXIES, IMAGES, MODELS, PARAMS, level_galaxies, level_path, records_folder
from galmorph.settings.lock import LOCK, LockedStage, declared_stages, read_lock, require_current
from galmorph.settings.reading import load_settings
from galmorph.settings.resolution import TRANSFER, LevelSettings, recorded_name
from galmorph.settings.study import CutoutSettings, NetworkSettings, Settings, TrainingSettings
from galmorph.settings.survey import StampsSettings
from galmorph.tracking.pyfunc import recorded_settings
from galmorph.training.declared import campaign_of, is_declared, require_declared, stage_of
from galmorph.training.records import Record, load_run, weights_name

log = logging.getLogger(__name__)


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
        if it is there.

    Returns
    -------
    Ensemble
        Of the confirmed runs whose weights were kept: the first `training.keep_weights` of a condition, all of a
        level.

    Raises
    ------
    GalmorphError
        If nothing of this name was trained, it kept no weights, params.yaml declares it with other parameters, or a
        record or its weights are missing, damaged, or of different campaigns.

    Examples
    --------
    >>> ensemble = load_ensemble("three_class")
    >>> ensemble.classes
    ('spiral', 'elliptical', 'uncertain')
    >>> [member.run for member in ensemble.members]
    [1, 2]
    """
    ensemble = read_ensemble(name, Path(project), compare=True)
    for remark in ensemble.remarks:
        log.warning("%s", remark)
    log.debug("%s: networks of the runs %s", name, ", ".join(str(member.run) for member in ensemble.members))
    return ensemble


def read_ensemble(name: str, project: Path, compare: bool = False) -> Ensemble:
    """Load an ensemble as `load_ensemble` does, but log nothing.

    Unless told to, do not compare it with params.yaml, and leave out what is typical: workers need no more.
    """
    from galmorph.training.engine import prepare_device
    from galmorph.training.network import load_weights

    settings = load_settings(project / PARAMS)
    known = known_models(project / MODELS)
    if name not in known:
        raise GalmorphError(_unknown(name, known, project / MODELS))
    folder = project / records_folder(name, "confirmed")
    # By records and by weights: of two files that belong together one may be lost.
    files = [*folder.glob("run-[0-9][0-9][0-9].npz"), *folder.glob("run-[0-9][0-9][0-9].weights.h5")]
    runs = sorted({int(path.name[4:7]) for path in files})
    records = [record for run in runs if (record := load_run(folder, run, recorded_name(name), "confirmed")).weights]
    if not records:
        raise GalmorphError(
            f"{folder}: no weights were kept; set training.keep_weights to 1 or more and run dvc repro confirm@{name}, "
            "which trains these runs again"
        )
    first = records[0]
    if other := [record.run for record in records if record.fingerprint != first.fingerprint]:
        raise GalmorphError(
            f"{folder}: run {other[0]} is of another campaign than run {first.run}; run dvc repro, or restore the "
            "folder with dvc checkout"
        )
    if compare and is_declared(settings, name):
        stage = stage_of(settings, name, "confirmed")
        compared = require_current(declared_stages(settings, name), project)
        campaign = campaign_of(settings, name, "confirmed", epochs=first.epochs, project=project)
        require_declared(first, campaign, folder, stage, compared)
    try:
        network = recorded_settings(NetworkSettings, first, "network")
        training = recorded_settings(TrainingSettings, first, "training")
    except ValidationError as error:
        changed = error.errors()[0]["loc"][0]
        raise GalmorphError(
            f"{folder}: trained by another version of the project, with another kind of {changed}; run dvc repro"
        ) from None
    made = preprocessing_of(name, first, settings, project)
    prepare_device()
    members = []
    for record in records:
        path = folder / weights_name(record.run)
        weights = load_weights(path, record.weights, network, made.cutouts.stamp_size, len(first.classes))
        members.append(Member(record.run, record.softening, weights))
    remarks = []
    if not made.certain:
        remarks.append(
            f"dvc.lock does not know the stamps that {name} was trained on: new ones are not compared with them, and "
            "are prepared as params.yaml now says, which may differ; dvc repro makes it certain"
        )
    if made.psf_fwhm is not None:
        remarks.append(
            f"{name} was trained for galaxies as a telescope with a PSF of {made.psf_fwhm:g} arcsec shows them: "
            "give it such"
        )
    scale = _pixel_scale(first, made, project)
    if scale is None and made.certain:
        remarks.append(
            f"{name}: the pixel scale of the training is unknown, so that of new stamps cannot be compared with it; "
            "galaxies at another scale are classified wrongly"
        )
    typical = _typical(first, made, training.scaling, project) if compare else None
    if compare and typical is None and made.certain:
        remarks.append(
            f"{name}: the stamps of the training are not at hand ({project / made.images}), so new ones are not "
            "compared with them; dvc checkout or dvc repro restores them"
        )
    shares = np.concatenate([record.sets["test"].probabilities for record in records]).mean(axis=0, dtype=np.float64)
    return Ensemble(
        name=name,
        classes=first.classes,
        network=network,
        training=training,
        members=tuple(members),
        cutouts=made.cutouts,
        stamps=made.stamps,
        pixel_scale=scale,
        expected=dict(zip(first.classes, shares.tolist(), strict=True)),
        tested=len(first.sets["test"].rows),
        typical=typical,
        remarks=tuple(remarks),
    )


def _unknown(name: str, known: list[str], models: Path) -> str:
    if not known:
        return f"{models}: nothing is trained here; run dvc repro, or dvc pull, or go to the project's root"
    return f"{name}: nothing of this name is trained{did_you_mean(name, known)}; trained are: {', '.join(known)}"


@dataclass(frozen=True)
class Preprocessing:
    """How the stamps of a training were made.

    Attributes
    ----------
    cutouts, stamps
        Blocks of params.yaml.
    grid
        `resolution.grid`: what a network of a level sees.
    psf_fwhm
        That of the level that a network is for, arcsec; None where it is that of the survey.
    images, galaxies
        The stamps, and the table of the galaxies that they show, relative to the project.
    certain
        Whether dvc.lock says so of these stamps; otherwise it is what params.yaml says now.
    """

    cutouts: CutoutSettings
    stamps: StampsSettings
    grid: str
    psf_fwhm: float | None
    images: Path
    galaxies: Path
    certain: bool


def preprocessing_of(name: str, record: Record, settings: Settings, project: Path) -> Preprocessing:
    """Return how the stamps of a run's training were made.

    A record names its stamps by md5, and dvc.lock has that md5 beside the parameters that made them, so that what
    params.yaml no longer declares can be used as it was trained. For a level of the resolution study dvc.lock has only
    the md5 of its folder, so the stage is found by name.

    A stamp of a frame is a square of the frame's pixels. For a network trained on frames, stamps from elsewhere are
    therefore cropped to their centre and not resampled.

    Parameters
    ----------
    name
        What was trained: a condition, or transfer/LEVEL.
    record
        Of one of its runs.
    settings
        params.yaml as it is now.
    project
        Its folder.
    """
    stages = read_lock(project)
    level, nothing = level_of(name, record), LockedStage({}, {}, {})
    survey = stages.get("cutouts", nothing).params
    made = stages.get("cutouts" if level is None else f"degrade@{level}", nothing).params
    known = any(record.data.get("images") in stage.outs.values() for stage in stages.values())
    certain = "cutouts" in made and (level is not None or known)
    source = survey.get("survey.source") if certain else settings.survey.source
    cutouts, stamps = settings.cutouts, settings.stamps
    seen = settings.resolution.levels.get(level) if level is not None else None
    if certain:
        try:
            cutouts = CutoutSettings.model_validate_json(json.dumps(made["cutouts"]))
            if source == "stamps":
                stamps = StampsSettings.model_validate_json(json.dumps(survey["stamps"]))
            if level is not None:
                seen = LevelSettings.model_validate_json(json.dumps(made[f"resolution.levels.{level}"]))
        except (ValidationError, KeyError, TypeError):
            raise GalmorphError(f"{project / LOCK}: made by another version of the project; run dvc repro") from None
    galaxies = GALAXIES
    if level is not None and seen is not None and seen.stamps is not None:
        stamps, galaxies = seen.stamps, level_galaxies(level)
    elif source != "stamps":
        stamps = stamps.model_copy(update={"field": "centre"})
    grid = str(made.get("resolution.grid", settings.resolution.grid))
    images = IMAGES if level is None else level_path(level)
    return Preprocessing(cutouts, stamps, grid, None if seen is None else seen.psf_fwhm, images, galaxies, certain)


def level_of(name: str, record: Record) -> str | None:
    """Return the level whose stamps a network is for: its own, or the last of a remedy; None for a condition."""
    if not name.startswith(f"{TRANSFER}/"):
        return None
    levels = record.parameters.get("level.levels")
    return str(levels[-1]) if levels else name.removeprefix(f"{TRANSFER}/")


def _pixel_scale(record: Record, made: Preprocessing, project: Path) -> tuple[float, float] | None:
    """Return the least and the largest pixel scale (arcsec) of the stamps that the networks were trained on."""
    level = record.parameters.get("level.pixel_scale")
    if level is not None and made.grid == "pixels":
        return float(level), float(level)
    galaxies = project / made.galaxies
    if not made.certain or not galaxies.exists():
        return None
    scales = pd.to_numeric(read_table(galaxies, ["pixel_scale"])["pixel_scale"], errors="coerce").to_numpy(dtype=float)
    known = scales[np.isfinite(scales)]
    return (float(known.min()), float(known.max())) if known.size else None


def _typical(record: Record, made: Preprocessing, scaling: str, project: Path) -> Typical | None:
    """Return what is typical of the stamps that the networks were trained on; None where they are not at hand."""
    images, galaxies = project / made.images, project / made.galaxies
    if not made.certain or not images.exists():
        return None
    files = read_table(galaxies, ["frame"])["frame"] if galaxies.exists() else pd.Series(dtype="str")
    return Typical(measure(open_stamps(images)), scaling, record.softening, common_kind(files))
