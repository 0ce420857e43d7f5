"""Read the records of everything that params.yaml declares, and check that they belong together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from galmorph.errors import GalmorphError
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
from galmorph.training.records import ConditionRecords, load_phase, record_name, weights_name

RESTORE = "restore models with dvc checkout, or run dvc repro"


def _consistent(condition: ConditionRecords) -> ConditionRecords:
    """Return the records of a condition after checking that they belong together.

    Raises
    ------
    GalmorphError
        If their number is not the declared one, if the phases differ in settings or data, or if the epoch in epoch.json
        is not the one that the records select and were confirmed at.
    """
    firsts = {phase: runs[0] for phase, runs in condition.phases.items()}
    reference, *_ = firsts.values()
    for phase, record in firsts.items():
        runs, made = len(condition.phases[phase]), record.parameters.get("protocol.runs")
        if made != runs:
            raise GalmorphError(
                f"{condition.name}, {phase}: trained with {made} runs, but params.yaml asks for {runs}; run dvc repro, "
                "or restore the number in params.yaml"
            )
        asked = reference.parameters | {"epochs_trained": record.epochs}
        if record.parameters != asked or any(record.data.get(name, md5) != md5 for name, md5 in reference.data.items()):
            raise GalmorphError(
                f"{condition.name}: the {phase} and {reference.phase} runs differ in settings or data; {RESTORE}"
            )
    selected = condition.phases.get("selected")
    best = selected_epoch([run.deciding_accuracy for run in selected]) if selected else condition.epoch
    confirmed = {run.epochs for run in condition.phases["confirmed"]}
    if {best} | confirmed != {condition.epoch}:
        raise GalmorphError(
            f"{condition.name}: {EPOCH} says epoch {condition.epoch}, the selected records say {best}, and the "
            f"confirmed ones have {', '.join(map(str, sorted(confirmed)))}; {RESTORE}"
        )
    return condition


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


def declared_transfers(settings: Settings) -> dict[str, ConditionRecords]:
    """Read the records of the resolution study, by level or remedy; of the confirmed phase those with all tests.

    All their networks are kept for testing: too many, at 23 MB each, to be copied into MLflow.
    """
    runs = range(1, settings.resolution.runs + 1)
    found = {}
    for name in (*settings.resolution.levels, *settings.resolution.remedies):
        remedy = settings.resolution.remedies.get(name)
        phases: tuple[str, ...] = PHASES
        most = settings.training.epochs
        if remedy is not None and remedy.kind == "fine_tuned":
            # The epochs of fine-tuning are a parameter: no runs select them.
            phases, most = ("confirmed",), remedy.epochs
        if name in settings.resolution.oracle:
            phases = (*phases, ORACLE)
        folders = {phase: transfer_folder(name, "tested" if phase == "confirmed" else phase) for phase in phases}
        trained = transfer_name(name)
        records = ConditionRecords(
            name=trained,
            epoch=read_epoch(transfer_folder(name, "selected"), most),
            phases={phase: load_phase(folder, len(runs), trained, phase) for phase, folder in folders.items()},
            files={phase: [folder / record_name(run) for run in runs] for phase, folder in folders.items()},
            data={
                "images": level_path(name) if remedy is None else mixture_path(name),
                "split": level_split(name if remedy is None else remedy.levels[-1]),
            }
            | {f"tested_{level}": level_path(level) for level in settings.resolution.seen},
        )
        found[name] = _consistent(records)
    _check_tested_levels(found, settings)
    return found


def kept_weights(settings: Settings, condition: str) -> dict[int, Path]:
    """Return the paths of a condition's kept weights, by run, as far as they and the stamps are there."""
    runs = range(1, min(settings.training.keep_weights, settings.protocol.runs) + 1)
    paths = {run: records_folder(condition, "confirmed") / weights_name(run) for run in runs}
    return {run: path for run, path in paths.items() if path.exists() and IMAGES.exists()}


def declared_records(settings: Settings) -> list[ConditionRecords]:
    """Read the records of every declared condition, in the order of params.yaml."""
    runs = range(1, settings.protocol.runs + 1)
    return [
        _consistent(
            ConditionRecords(
                name=name,
                epoch=read_epoch(records_folder(name, "selected"), settings.training.epochs),
                phases={phase: load_phase(records_folder(name, phase), len(runs), name, phase) for phase in PHASES},
                files={phase: [records_folder(name, phase) / record_name(run) for run in runs] for phase in PHASES},
                data={"images": IMAGES, "split": split_path(name)},
                weights=kept_weights(settings, name),
            )
        )
        for name in settings.conditions
    ]
