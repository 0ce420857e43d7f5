"""The campaigns that params.yaml declares, and whether records are theirs."""

from __future__ import annotations

import json
import reprlib
from collections.abc import Collection
from pathlib import Path
from typing import Any

from galmorph.errors import GalmorphError, own_words
from galmorph.files.reading import file_md5, regular_file
from galmorph.settings.layout import (
    EPOCH,
    IMAGES,
    RESOLUTION_SPLIT,
    level_path,
    level_split,
    mixture_path,
    records_folder,
    split_path,
    transfer_folder,
)
from galmorph.settings.lock import difference
from galmorph.settings.resolution import TRANSFER, transfer_name
from galmorph.settings.study import Settings, TrainingSettings
from galmorph.training.plan import ORACLE, Campaign, Origin, fingerprint_of, transfer_draw
from galmorph.training.records import Record, load_run


def read_epoch(folder: Path, most: int) -> int:
    """Read the selected epoch from the folder of a selected phase.

    Raises
    ------
    GalmorphError
        If epoch.json is missing or damaged, or names no epoch from 1 to `most`.
    """
    path = folder / EPOCH
    try:
        epoch = json.loads(regular_file(path).read_text(encoding="utf-8"))["epoch"]
        if type(epoch) is not int or not 1 <= epoch <= most:
            raise GalmorphError(f"{reprlib.repr(epoch)} is not an epoch from 1 to {most}")
        return epoch
    except (GalmorphError, OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise GalmorphError(
            f"{path}: cannot read the selected epoch{own_words(error)}; restore it with dvc checkout"
        ) from None


def campaign_of(
    settings: Settings, name: str, phase: str, *, epochs: int | None = None, project: Path = Path()
) -> Campaign:
    """Return a phase of a condition, or of transfer/NAME for a level or remedy, as the parameters and data now make it.

    Parameters
    ----------
    settings
        The params.yaml of the project.
    name, phase
        What is trained.
    epochs
        The selected epoch; None: read from the selected phase where the phase needs it.
    project
        The folder of the study.
    """
    if name.startswith(f"{TRANSFER}/"):
        return _transfer_campaign(settings, name.removeprefix(f"{TRANSFER}/"), phase, epochs, project)
    training = settings.training_of(name)
    return Campaign(
        name=name,
        condition=settings.conditions[name],
        phase=phase,
        epochs=_epochs(training, phase, epochs, project / records_folder(name, "selected")),
        # Whole paths: a worker of a cluster has another working directory, on the same file system.
        images=(project / IMAGES).resolve(),
        split=(project / split_path(name)).resolve(),
        network=settings.network_of(name),
        training=training,
        protocol=settings.protocol,
    )


def _epochs(training: TrainingSettings, phase: str, epochs: int | None, selected: Path) -> int:
    if phase != "confirmed":
        return training.epochs
    return read_epoch(selected, training.epochs) if epochs is None else epochs


def _transfer_campaign(settings: Settings, name: str, phase: str, epochs: int | None, project: Path) -> Campaign:
    resolution = settings.resolution
    remedy = resolution.remedies.get(name)
    # Whose galaxies train: another survey, as a level or as the target of fine-tuning, has a split of its own.
    galaxies = name if remedy is None else remedy.levels[-1]
    # Every network is kept, to be tested at levels that are yet to be declared.
    training: dict[str, Any] = {"keep_weights": resolution.runs}
    start = None
    if remedy is not None and remedy.kind == "fine_tuned":
        folder = (project / transfer_folder(remedy.levels[0], "confirmed")).resolve()
        before = transfer_name(remedy.levels[0])
        start = Origin(folder, before, load_run(folder, 1, before, "confirmed").fingerprint, remedy.galaxies)
        training["learning_rate"] = remedy.learning_rate
        epochs = remedy.epochs
    else:
        epochs = _epochs(settings.training, phase, epochs, project / transfer_folder(name, "selected"))
    condition, protocol = transfer_draw(settings)
    return Campaign(
        name=transfer_name(name),
        condition=condition,
        phase=phase,
        epochs=epochs,
        images=(project / (level_path(name) if remedy is None else mixture_path(name))).resolve(),
        split=(project / level_split(galaxies)).resolve(),
        network=settings.network,
        training=settings.training.model_copy(update=training),
        protocol=protocol,
        level=remedy or resolution.levels[name],
        start=start,
        watched=levels_to_test(settings, project) if phase == ORACLE else {},
    )


def levels_to_test(settings: Settings, project: Path = Path()) -> dict[str, tuple[Path, Path]]:
    """Return the images and the split of every level and ablation; whole paths, for the workers."""
    return {
        level: (
            (project / level_path(level)).resolve(),
            (project / (level_split(level) if level in settings.resolution.levels else RESOLUTION_SPLIT)).resolve(),
        )
        for level in settings.resolution.seen
    }


def stage_of(settings: Settings, name: str, phase: str) -> str:
    """Return the stage of dvc.yaml that trains a phase of a condition, or of transfer/NAME."""
    trained = name.removeprefix(f"{TRANSFER}/")
    if trained == name:
        return f"{'train' if phase == 'selected' else 'confirm'}@{name}"
    if phase == ORACLE:
        return f"{ORACLE}@{trained}"
    return f"{'remedy' if trained in settings.resolution.remedies else 'transfer'}@{trained}"


def is_declared(settings: Settings, name: str) -> bool:
    """Return whether params.yaml declares a condition, or a level or remedy for transfer/NAME."""
    trained = name.removeprefix(f"{TRANSFER}/")
    resolution = settings.resolution
    return name in settings.conditions if trained == name else trained in {**resolution.levels, **resolution.remedies}


def changed_since(record: Record, campaign: Campaign) -> str | None:
    """Return what differs between a record and the campaign that is declared now; None if nothing does.

    Parameters, data and code are compared, by the fingerprint. Data that are not at hand (only models were pulled) are
    taken to be as the record says.
    """
    data = {
        name: file_md5(path) if path.exists() else record.data.get(name, "") for name, path in campaign.files.items()
    }
    if campaign.start is not None:
        data["start"] = campaign.start.fingerprint
    if record.fingerprint == fingerprint_of(campaign.name, campaign.phase, campaign.parameters, data):
        return None
    for key in dict.fromkeys([*record.parameters, *campaign.parameters]):
        if (found := difference(key, record.parameters.get(key), campaign.parameters.get(key))) is not None:
            return found
    others = [name for name, md5 in data.items() if record.data.get(name) != md5]
    return f"its {others[0]} is not what it was" if others else "the code of galmorph.training has changed"


def require_declared(record: Record, campaign: Campaign, place: Path, stage: str, compared: Collection[str]) -> None:
    """Refuse a record of other parameters, data or code than its campaign now has.

    Parameters
    ----------
    record
        Of any run of the phase.
    campaign
        What `campaign_of` returns.
    place
        The record's folder, for the message.
    stage
        The stage that trains it.
    compared
        The stages that `require_current` found as dvc.lock says. DVC finds nothing to do for them.

    Raises
    ------
    GalmorphError
        With what differs, and the stage to run.
    """
    if (changed := changed_since(record, campaign)) is None:
        return
    # DVC finds such a stage up to date.
    remedy = f"dvc repro --force --single-item {stage}, then dvc repro" if stage in compared else "dvc repro"
    raise GalmorphError(
        f"{place}: not what params.yaml, data and code make of it now: {changed}; run {remedy} (stage {stage}), or "
        "bring back what was changed"
    )
