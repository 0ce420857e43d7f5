"""Stages tested@LEVEL and remedied@REMEDY: networks of models/transfer, tested at every level and ablation."""

from __future__ import annotations

from galmorph.resolution.testing import tested_campaign
from galmorph.settings.layout import transfer_folder
from galmorph.settings.resolution import TRANSFER
from galmorph.stages.launch import launch
from galmorph.stages.work import stage_block, stage_work
from galmorph.training.declared import campaign_of, levels_to_test


def main() -> None:
    """Run the stage for its level or remedy."""
    name = stage_block()
    with stage_work(f"tested-{name}") as work:
        made = work.folder / "tested"
        campaign = campaign_of(work.settings, f"{TRANSFER}/{name}", "confirmed")
        tested_campaign(campaign, transfer_folder(name, "confirmed").resolve(), levels_to_test(work.settings), made)
        work.put((made, transfer_folder(name, "tested")))


if __name__ == "__main__":
    launch(main)
