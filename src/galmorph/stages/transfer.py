"""Stages transfer@LEVEL, remedy@REMEDY and oracle@LEVEL: runs trained at a level or as a remedy."""

from __future__ import annotations

import sys

from galmorph.settings.layout import transfer_folder
from galmorph.settings.resolution import TRANSFER
from galmorph.stages.campaign import run_and_store, save_epoch
from galmorph.stages.launch import launch
from galmorph.stages.work import Work, stage_block, stage_work
from galmorph.training.declared import campaign_of
from galmorph.training.plan import ORACLE


def train(work: Work, name: str) -> None:
    """Select the epoch, then train fresh runs up to it and keep their weights; fine-tuning has its epochs given."""
    settings = work.settings
    remedy, trained = settings.resolution.remedies.get(name), f"{TRANSFER}/{name}"
    if remedy is None or remedy.kind == "mixed":
        run_and_store(work, campaign_of(settings, trained, "selected"), transfer_folder(name, "selected"))
    else:
        made = work.folder / "selected"
        made.mkdir()
        save_epoch(made, remedy.epochs)
        work.put((made, transfer_folder(name, "selected")))
    # Their answers at the other levels are part of what MLflow shows of them.
    confirmed = campaign_of(settings, trained, "confirmed")
    run_and_store(work, confirmed, transfer_folder(name, "confirmed"), log_runs=False)


def oracle(work: Work, name: str) -> None:
    """Train the runs of the selected phase once more, and test them at every level after every epoch."""
    run_and_store(work, campaign_of(work.settings, f"{TRANSFER}/{name}", ORACLE), transfer_folder(name, ORACLE))


def main() -> None:
    """Run the stage that the command names."""
    (verb,), name = sys.argv[1:], stage_block()
    with stage_work(f"{verb}-{name}") as work:
        {"train": train, "oracle": oracle}[verb](work, name)


if __name__ == "__main__":
    launch(main)
