"""Stages train@CONDITION and confirm@CONDITION: the runs of one phase -> models/CONDITION/PHASE."""

from __future__ import annotations

import sys

from galmorph.settings.layout import records_folder
from galmorph.stages.campaign import run_and_store
from galmorph.stages.launch import launch
from galmorph.stages.work import stage_block, stage_work
from galmorph.training.declared import campaign_of


def main() -> None:
    """Run the stage for its condition, and for the phase that the command names."""
    (phase,), name = sys.argv[1:], stage_block()
    with stage_work(f"{phase}-{name}") as work:
        run_and_store(work, campaign_of(work.settings, name, phase), records_folder(name, phase))


if __name__ == "__main__":
    launch(main)
