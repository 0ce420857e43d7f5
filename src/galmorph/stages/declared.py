"""The records of the conditions that params.yaml declares."""

from __future__ import annotations

from galmorph.content import ConditionRecords
from galmorph.plan import ORACLE
from galmorph.protocol import PHASES
from galmorph.records import load_phase, record_name
from galmorph.settings import Settings
from galmorph.stages.layout import records_folder, transfer_folder
from galmorph.stages.train import read_epoch
from galmorph.transfer import transfer_name


def declared_transfers(chosen: Settings) -> dict[str, ConditionRecords]:
    """Read the records of what the resolution study trains, by level or remedy; the confirmed ones as tested."""
    runs = range(1, chosen.resolution.runs + 1)
    found = {}
    for name in (*chosen.resolution.levels, *chosen.resolution.remedies):
        remedy = chosen.resolution.remedies.get(name)
        # What is fine-tuned has its epochs given: no runs to select them.
        phases = ("confirmed",) if remedy is not None and remedy.kind == "fine_tuned" else PHASES
        if name in chosen.resolution.oracle:
            phases = (*phases, ORACLE)
        folders = {phase: transfer_folder(name, "tested" if phase == "confirmed" else phase) for phase in phases}
        found[name] = ConditionRecords(
            name=transfer_name(name),
            epoch=read_epoch(transfer_folder(name, "selected")),
            phases={phase: load_phase(folder, len(runs)) for phase, folder in folders.items()},
            files={phase: [folder / record_name(run) for run in runs] for phase, folder in folders.items()},
        )
    return found


def declared_records(chosen: Settings) -> list[ConditionRecords]:
    """Read the records of every declared condition, in the order of params.yaml."""
    runs = range(1, chosen.protocol.runs + 1)
    return [
        ConditionRecords(
            name=name,
            epoch=read_epoch(records_folder(name, "selected")),
            phases={phase: load_phase(records_folder(name, phase), len(runs)) for phase in PHASES},
            files={phase: [records_folder(name, phase) / record_name(run) for run in runs] for phase in PHASES},
        )
        for name in chosen.conditions
    ]
