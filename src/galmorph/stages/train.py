"""Stages train@CONDITION and confirm@CONDITION: the runs of one phase -> models/CONDITION/PHASE."""

from __future__ import annotations

import sys

from galmorph.settings.layout import IMAGES, load_params, records_folder, split_path
from galmorph.stages.campaign import read_epoch, run_and_store
from galmorph.stages.launch import launch
from galmorph.training.plan import Campaign


def main() -> None:
    """Run the stage for the phase and the condition that the command names."""
    phase, name = sys.argv[1:]
    settings = load_params()
    training = settings.training_of(name)
    campaign = Campaign(
        name=name,
        condition=settings.conditions[name],
        phase=phase,
        epochs=training.epochs
        if phase == "selected"
        else read_epoch(records_folder(name, "selected"), training.epochs),
        # Whole paths: a worker of a cluster has another working directory, on the same file system.
        images=IMAGES.resolve(),
        split=split_path(name).resolve(),
        network=settings.network_of(name),
        training=training,
        protocol=settings.protocol,
    )
    run_and_store(settings, campaign, records_folder(name, phase))


if __name__ == "__main__":
    launch(main)
