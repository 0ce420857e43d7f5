"""Read the records of everything that params.yaml declares, and check that they belong together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from galmorph.errors import GalmorphError
from galmorph.resolution.testing import transfer_name
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
from galmorph.settings.resolution import tuned
from galmorph.settings.study import Settings
from galmorph.stages.campaign import read_epoch
from galmorph.tracking.content import ConditionRecords
from galmorph.training.plan import ORACLE
from galmorph.training.protocol import PHASES, selected_epoch
from galmorph.training.records import load_phase, record_name, weights_name

RESTORE = "restore models with dvc checkout, or run dvc repro"


def _of_one_making(condition: ConditionRecords) -> ConditionRecords:
    """Return the records of a condition, of as many runs as were made, all of the same settings, data and epoch.

    Raises
    ------
    GalmorphError
        If they are fewer or more, if one phase was made with other settings or data than another, or if epoch.json
        says another epoch than the records select and were confirmed at.
    """
    firsts = {phase: runs[0] for phase, runs in condition.phases.items()}
    one, *_ = firsts.values()
    for phase, record in firsts.items():
        runs, made = len(condition.phases[phase]), record.parameters.get("protocol.runs")
        if made != runs:
            raise GalmorphError(
                f"{condition.name}, {phase}: of {made} runs, where params.yaml asks for {runs}; run dvc repro, or put "
                "the number back"
            )
        asked = one.parameters | {"epochs_trained": record.epochs}
        if record.parameters != asked or any(record.data.get(name, md5) != md5 for name, md5 in one.data.items()):
            raise GalmorphError(
                f"{condition.name}: its {phase} runs are of other settings or data than its {one.phase} runs; {RESTORE}"
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


def _refuse_tests_elsewhere(transfers: Mapping[str, ConditionRecords], settings: Settings) -> None:
    wanted = {f"tested_{level}" for level in settings.resolution.seen}
    tested = {
        name: {key: md5 for key, md5 in records.phases["confirmed"][0].data.items() if key.startswith("tested_")}
        for name, records in transfers.items()
    }
    for name, at in tested.items():
        if not wanted <= at.keys() or at != next(iter(tested.values())):
            raise GalmorphError(
                f"{transfer_folder(name, 'tested')}: not tested at the stamps of every level, or not at those of the "
                f"others; {RESTORE}"
            )


def declared_transfers(settings: Settings) -> dict[str, ConditionRecords]:
    """Read the records of what the resolution study trains, by level or remedy; the confirmed ones as tested.

    All their networks are kept, to be tested: too many, at 23 MB each, to lie in MLflow a second time.
    """
    runs = range(1, settings.resolution.runs + 1)
    found = {}
    for name in (*settings.resolution.levels, *settings.resolution.remedies):
        remedy = settings.resolution.remedies.get(name)
        given = remedy is not None and remedy.kind == "fine_tuned"
        # What is fine-tuned has its epochs given: no runs to select them.
        phases = ("confirmed",) if given else PHASES
        if name in settings.resolution.oracle:
            phases = (*phases, ORACLE)
        folders = {phase: transfer_folder(name, "tested" if phase == "confirmed" else phase) for phase in phases}
        most = tuned(remedy.epochs) if remedy is not None and given else settings.training.epochs
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
        found[name] = _of_one_making(records)
    _refuse_tests_elsewhere(found, settings)
    return found


def kept_weights(settings: Settings, condition: str) -> dict[int, Path]:
    """Return the weights of a condition's confirmed runs that are kept and at hand, by run.

    Where only records were fetched (`dvc pull models/C/selected`), or no stamps, there is no network to be shown.
    """
    runs = range(1, min(settings.training.keep_weights, settings.protocol.runs) + 1)
    paths = {run: records_folder(condition, "confirmed") / weights_name(run) for run in runs}
    return {run: path for run, path in paths.items() if path.exists() and IMAGES.exists()}


def declared_records(settings: Settings) -> list[ConditionRecords]:
    """Read the records of every declared condition, in the order of params.yaml."""
    runs = range(1, settings.protocol.runs + 1)
    return [
        _of_one_making(
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
