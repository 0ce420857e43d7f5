"""The records of the conditions that params.yaml declares."""

from __future__ import annotations

from pathlib import Path

from galmorph.content import ConditionRecords
from galmorph.errors import GalmorphError
from galmorph.levels import tuned
from galmorph.plan import ORACLE
from galmorph.protocol import PHASES, selected_epoch
from galmorph.records import load_phase, record_name, weights_name
from galmorph.settings import Settings
from galmorph.stages.layout import (
    EPOCH,
    IMAGES,
    level_path,
    level_split,
    mixture_path,
    records_folder,
    split_path,
    transfer_folder,
)
from galmorph.stages.train import read_epoch
from galmorph.transfer import transfer_name


def _of_its_epoch(condition: ConditionRecords) -> ConditionRecords:
    """Return the records of a condition, whose epoch is that which they select and were confirmed at.

    Raises
    ------
    GalmorphError
        If epoch.json says another.
    """
    selected = condition.phases.get("selected")
    best = selected_epoch([run.deciding_accuracy for run in selected]) if selected else condition.epoch
    confirmed = {run.epochs for run in condition.phases["confirmed"]}
    if {best} | confirmed != {condition.epoch}:
        raise GalmorphError(
            f"{condition.name}: {EPOCH} says epoch {condition.epoch}, the selected records say {best}, and the "
            f"confirmed ones have {', '.join(map(str, sorted(confirmed)))}; restore models with dvc checkout, or run "
            "dvc repro"
        )
    return condition


def declared_transfers(chosen: Settings) -> dict[str, ConditionRecords]:
    """Read the records of what the resolution study trains, by level or remedy; the confirmed ones as tested.

    All their networks are kept, to be tested: too many, at 23 MB each, to lie in MLflow a second time.
    """
    runs = range(1, chosen.resolution.runs + 1)
    found = {}
    for name in (*chosen.resolution.levels, *chosen.resolution.remedies):
        remedy = chosen.resolution.remedies.get(name)
        given = remedy is not None and remedy.kind == "fine_tuned"
        # What is fine-tuned has its epochs given: no runs to select them.
        phases = ("confirmed",) if given else PHASES
        if name in chosen.resolution.oracle:
            phases = (*phases, ORACLE)
        folders = {phase: transfer_folder(name, "tested" if phase == "confirmed" else phase) for phase in phases}
        most = tuned(remedy.epochs) if remedy is not None and given else chosen.training.epochs
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
            | {f"tested_{level}": level_path(level) for level in chosen.resolution.seen},
        )
        found[name] = _of_its_epoch(records)
    return found


def kept_weights(chosen: Settings, condition: str) -> dict[int, Path]:
    """Return the weights of a condition's confirmed runs that are kept and at hand, by run.

    Where only records were fetched (`dvc pull models/C/selected`), or no stamps, there is no network to be shown.
    """
    runs = range(1, min(chosen.training.keep_weights, chosen.protocol.runs) + 1)
    paths = {run: records_folder(condition, "confirmed") / weights_name(run) for run in runs}
    return {run: path for run, path in paths.items() if path.exists() and IMAGES.exists()}


def declared_records(chosen: Settings) -> list[ConditionRecords]:
    """Read the records of every declared condition, in the order of params.yaml."""
    runs = range(1, chosen.protocol.runs + 1)
    return [
        _of_its_epoch(
            ConditionRecords(
                name=name,
                epoch=read_epoch(records_folder(name, "selected"), chosen.training.epochs),
                phases={phase: load_phase(records_folder(name, phase), len(runs), name, phase) for phase in PHASES},
                files={phase: [records_folder(name, phase) / record_name(run) for run in runs] for phase in PHASES},
                data={"images": IMAGES, "split": split_path(name)},
                weights=kept_weights(chosen, name),
            )
        )
        for name in chosen.conditions
    ]
