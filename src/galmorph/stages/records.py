"""Read the records of everything that params.yaml declares, and check that they belong together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from galmorph.errors import GalmorphError
from galmorph.scores.evaluation import ConditionRecords
from galmorph.settings.layout import (
    EPOCH,
    IMAGES,
    level_path,
    level_split,
    mixture_path,
    records_folder,
    split_path,
    transfer_folder,
)
from galmorph.settings.resolution import transfer_name
from galmorph.settings.study import Settings
from galmorph.stages.campaign import read_epoch
from galmorph.training.plan import ORACLE
from galmorph.training.protocol import PHASES, selected_epoch
from galmorph.training.records import load_phase, record_name, weights_name

RESTORE = "restore models with dvc checkout, or run dvc repro"


def declared_records(settings: Settings) -> list[ConditionRecords]:
    """Read the records of every declared condition, in the order of params.yaml."""
    return [
        _read(
            name,
            {phase: records_folder(name, phase) for phase in PHASES},
            settings.protocol.runs,
            read_epoch(records_folder(name, "selected"), settings.training_of(name).epochs),
            {"images": IMAGES, "split": split_path(name)},
            _kept_weights(settings, name),
        )
        for name in settings.conditions
    ]


def declared_transfers(settings: Settings) -> dict[str, ConditionRecords]:
    """Read the records of the resolution study, by level or remedy; of the confirmed phase those with all tests.

    All their networks are kept for testing: too many, at 23 MB each, to be copied into MLflow.
    """
    resolution = settings.resolution
    found = {}
    for name in (*resolution.levels, *resolution.remedies):
        remedy = resolution.remedies.get(name)
        phases, most = PHASES, settings.training.epochs
        if remedy is not None and remedy.kind == "fine_tuned":
            # The epochs of fine-tuning are a parameter: no runs select them.
            phases, most = ("confirmed",), remedy.epochs
        if name in resolution.oracle:
            phases = (*phases, ORACLE)
        data = {
            "images": level_path(name) if remedy is None else mixture_path(name),
            "split": level_split(name if remedy is None else remedy.levels[-1]),
        }
        found[name] = _read(
            transfer_name(name),
            {phase: transfer_folder(name, "tested" if phase == "confirmed" else phase) for phase in phases},
            resolution.runs,
            read_epoch(transfer_folder(name, "selected"), most),
            data | {f"tested_{level}": level_path(level) for level in resolution.seen},
        )
    _check_tested_levels(found, settings)
    return found


def _kept_weights(settings: Settings, condition: str) -> dict[int, Path]:
    """Return the paths of a condition's kept weights, by run, as far as they and the stamps are there."""
    runs = range(1, min(settings.training_of(condition).keep_weights, settings.protocol.runs) + 1)
    paths = {run: records_folder(condition, "confirmed") / weights_name(run) for run in runs}
    return {run: path for run, path in paths.items() if path.exists() and IMAGES.exists()}


def _read(
    name: str,
    folders: Mapping[str, Path],
    runs: int,
    epoch: int,
    data: Mapping[str, Path],
    weights: Mapping[int, Path] = MappingProxyType({}),
) -> ConditionRecords:
    """Read the records of a condition from the folders of its phases, and check that they belong together.

    Raises
    ------
    GalmorphError
        If their number is not the declared one, if the phases differ in settings or data, or if the epoch in epoch.json
        is not the one that the records select and were confirmed at.
    """
    phases = {phase: load_phase(folder, runs, name, phase) for phase, folder in folders.items()}
    reference = next(iter(phases.values()))[0]
    for phase, (record, *_) in phases.items():
        if (trained := record.parameters.get("protocol.runs")) != runs:
            raise GalmorphError(
                f"{name}, {phase}: trained with {trained} runs, but params.yaml asks for {runs}; run dvc repro, or "
                "restore the number in params.yaml"
            )
        expected = reference.parameters | {"epochs_trained": record.epochs}
        other_data = any(record.data.get(key, md5) != md5 for key, md5 in reference.data.items())
        if record.parameters != expected or other_data:
            raise GalmorphError(f"{name}: the {phase} and {reference.phase} runs differ in settings or data; {RESTORE}")
    best = selected_epoch([run.deciding_accuracy for run in phases["selected"]]) if "selected" in phases else epoch
    confirmed = {run.epochs for run in phases["confirmed"]}
    if {best} | confirmed != {epoch}:
        raise GalmorphError(
            f"{name}: {EPOCH} says epoch {epoch}, the selected records say {best}, and the confirmed ones have "
            f"{', '.join(map(str, sorted(confirmed)))}; {RESTORE}"
        )
    files = {phase: [folder / record_name(run) for run in range(1, runs + 1)] for phase, folder in folders.items()}
    return ConditionRecords(name, epoch, phases, files, data, weights)


def _check_tested_levels(transfers: Mapping[str, ConditionRecords], settings: Settings) -> None:
    """Raise GalmorphError unless all networks were tested at the same stamps of every level."""
    wanted = {f"tested_{level}" for level in settings.resolution.seen}
    tested = {
        name: {key: md5 for key, md5 in records.phases["confirmed"][0].data.items() if key.startswith("tested_")}
        for name, records in transfers.items()
    }
    for name, at in tested.items():
        if not wanted <= at.keys() or at != next(iter(tested.values())):
            raise GalmorphError(
                f"{transfer_folder(name, 'tested')}: not tested at the stamps of every level, or at other stamps than "
                f"the rest; {RESTORE}"
            )
