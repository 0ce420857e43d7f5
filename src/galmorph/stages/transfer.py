"""Stages transfer@LEVEL, remedy@REMEDY and oracle@LEVEL: runs trained at a level or as a remedy."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from galmorph.files.atomic import move_into_place
from galmorph.settings.layout import (
    RESOLUTION_SPLIT,
    fresh_folder,
    level_path,
    level_split,
    load_params,
    mixture_path,
    transfer_folder,
)
from galmorph.settings.resolution import transfer_name
from galmorph.settings.study import Settings
from galmorph.stages.campaign import read_epoch, run_and_store, save_epoch
from galmorph.stages.launch import launch
from galmorph.training.plan import ORACLE, Campaign, Origin, transfer_draw
from galmorph.training.records import load_run


def transfer_campaign(settings: Settings, name: str, phase: str) -> Campaign:
    """Return a phase of what is trained at the level, or as the remedy, of a name."""
    resolution = settings.resolution
    remedy = resolution.remedies.get(name)
    # Whose galaxies train: another survey, as a level or as the target of fine-tuning, has a split of its own.
    galaxies = name if remedy is None else remedy.levels[-1]
    # Every network is kept, to be tested at levels that are yet to be declared.
    training: dict[str, Any] = {"keep_weights": resolution.runs}
    start = None
    if remedy is not None and remedy.kind == "fine_tuned":
        folder, before = transfer_folder(remedy.levels[0], "confirmed").resolve(), transfer_name(remedy.levels[0])
        start = Origin(folder, before, load_run(folder, 1, before, "confirmed").fingerprint, remedy.galaxies)
        training["learning_rate"] = remedy.learning_rate
        epochs = remedy.epochs
    else:
        epochs = settings.training.epochs
        if phase == "confirmed":
            epochs = read_epoch(transfer_folder(name, "selected"), epochs)
    condition, protocol = transfer_draw(settings)
    return Campaign(
        name=transfer_name(name),
        condition=condition,
        phase=phase,
        epochs=epochs,
        images=(level_path(name) if remedy is None else mixture_path(name)).resolve(),
        split=level_split(galaxies).resolve(),
        network=settings.network,
        training=settings.training.model_copy(update=training),
        protocol=protocol,
        level=remedy or resolution.levels[name],
        start=start,
        watched=levels_to_test(settings) if phase == ORACLE else {},
    )


def levels_to_test(settings: Settings) -> dict[str, tuple[Path, Path]]:
    """Return the images and the split of every level and ablation; whole paths, for the workers."""
    return {
        level: (
            level_path(level).resolve(),
            (level_split(level) if level in settings.resolution.levels else RESOLUTION_SPLIT).resolve(),
        )
        for level in settings.resolution.seen
    }


def train(settings: Settings, name: str) -> None:
    """Select the epoch, then train fresh runs up to it and keep their weights; fine-tuning has its epochs given."""
    remedy = settings.resolution.remedies.get(name)
    if remedy is None or remedy.kind == "mixed":
        run_and_store(settings, transfer_campaign(settings, name, "selected"), transfer_folder(name, "selected"))
    else:
        with fresh_folder(f"epoch-{name}") as folder:
            made = folder / "selected"
            made.mkdir()
            save_epoch(made, remedy.epochs)
            move_into_place(made, transfer_folder(name, "selected"))
    # Their answers at the other levels are part of what MLflow shows of them.
    confirmed = transfer_campaign(settings, name, "confirmed")
    run_and_store(settings, confirmed, transfer_folder(name, "confirmed"), log_runs=False)


def oracle(settings: Settings, name: str) -> None:
    """Train the runs of the selected phase once more, and test them at every level after every epoch."""
    run_and_store(settings, transfer_campaign(settings, name, ORACLE), transfer_folder(name, ORACLE))


def main() -> None:
    """Run the stage that the command names."""
    verb, name = sys.argv[1:]
    {"train": train, "oracle": oracle}[verb](load_params(), name)


if __name__ == "__main__":
    launch(main)
