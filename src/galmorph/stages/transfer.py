"""Stages transfer@LEVEL, remedy@REMEDY and oracle@LEVEL: runs trained at a level or as a remedy."""

from __future__ import annotations

import sys

from galmorph.files.atomic import move_into_place
from galmorph.settings.layout import fresh_folder, load_params, transfer_folder
from galmorph.settings.resolution import TRANSFER
from galmorph.settings.study import Settings
from galmorph.stages.campaign import run_and_store, save_epoch
from galmorph.stages.launch import launch
from galmorph.training.declared import campaign_of
from galmorph.training.plan import ORACLE


def train(settings: Settings, name: str) -> None:
    """Select the epoch, then train fresh runs up to it and keep their weights; fine-tuning has its epochs given."""
    remedy, trained = settings.resolution.remedies.get(name), f"{TRANSFER}/{name}"
    if remedy is None or remedy.kind == "mixed":
        run_and_store(settings, campaign_of(settings, trained, "selected"), transfer_folder(name, "selected"))
    else:
        with fresh_folder(f"epoch-{name}") as folder:
            made = folder / "selected"
            made.mkdir()
            save_epoch(made, remedy.epochs)
            move_into_place(made, transfer_folder(name, "selected"))
    # Their answers at the other levels are part of what MLflow shows of them.
    confirmed = campaign_of(settings, trained, "confirmed")
    run_and_store(settings, confirmed, transfer_folder(name, "confirmed"), log_runs=False)


def oracle(settings: Settings, name: str) -> None:
    """Train the runs of the selected phase once more, and test them at every level after every epoch."""
    run_and_store(settings, campaign_of(settings, f"{TRANSFER}/{name}", ORACLE), transfer_folder(name, ORACLE))


def main() -> None:
    """Run the stage that the command names."""
    verb, name = sys.argv[1:]
    {"train": train, "oracle": oracle}[verb](load_params(), name)


if __name__ == "__main__":
    launch(main)
