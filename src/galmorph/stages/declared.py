"""The records of the conditions that params.yaml declares."""

from __future__ import annotations

from galmorph.content import ConditionRecords
from galmorph.protocol import PHASES
from galmorph.records import load_phase, record_name
from galmorph.settings import Settings
from galmorph.stages.layout import records_folder
from galmorph.stages.train import read_epoch


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
