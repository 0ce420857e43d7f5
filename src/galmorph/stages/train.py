"""Stages train@CONDITION and confirm@CONDITION: the runs of one phase -> models/CONDITION/PHASE."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

from galmorph.campaign import Campaign, run_campaign
from galmorph.errors import GalmorphError
from galmorph.protocol import selected_epoch
from galmorph.records import load_phase, load_record
from galmorph.stages.launch import launch
from galmorph.stages.layout import (
    EPOCH,
    IMAGES,
    PARTIAL,
    records_folder,
    replace,
    settings,
    split_path,
)
from galmorph.stages.store import open_store

log = logging.getLogger("galmorph.train")


def read_epoch(condition: str) -> int:
    """Return the selected epoch of a condition, as its train stage left it."""
    path = records_folder(condition, "selected") / EPOCH
    try:
        return int(json.loads(path.read_text(encoding="utf-8"))["epoch"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise GalmorphError(f"{path}: no selected epoch ({error}); run dvc repro") from None


def write_epoch(folder: Path, runs: int) -> int:
    """Select the epoch from the records in `folder`, and write it there."""
    records = load_phase(folder, runs)
    epoch = selected_epoch([record.history["test_accuracy"] for record in records])
    (folder / EPOCH).write_text(json.dumps({"epoch": epoch}) + "\n", encoding="utf-8")
    return epoch


def main() -> None:
    """Run the stage for the phase and the condition that the command names."""
    phase, name = sys.argv[1:]
    chosen = settings()
    campaign = Campaign(
        name=name,
        condition=chosen.conditions[name],
        phase=phase,
        epochs=chosen.training.epochs if phase == "selected" else read_epoch(name),
        images=IMAGES,
        split=split_path(name),
        network=chosen.network,
        training=chosen.training,
        protocol=chosen.protocol,
    )
    store = open_store(chosen)
    folder = PARTIAL / campaign.fingerprint
    run_campaign(campaign, folder, lambda path: store.add(load_record(path), path))
    if phase == "selected":
        epoch = write_epoch(folder, chosen.protocol.runs)
        log.info("%s: epoch %d of %d has the highest mean test accuracy", name, epoch, campaign.epochs)
    replace(folder, records_folder(name, phase))


if __name__ == "__main__":
    launch(main)
