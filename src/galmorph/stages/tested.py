"""Stages tested@LEVEL and remedied@REMEDY: networks of models/transfer, tested at every level and ablation."""

from __future__ import annotations

import sys

from galmorph.files.atomic import move_into_place
from galmorph.resolution.testing import tested_campaign
from galmorph.settings.layout import fresh_folder, load_params, transfer_folder
from galmorph.settings.resolution import TRANSFER
from galmorph.stages.launch import launch
from galmorph.training.declared import campaign_of, levels_to_test


def main() -> None:
    """Run the stage for the level or remedy that the command names."""
    (name,) = sys.argv[1:]
    settings = load_params()
    with fresh_folder(f"tested-{name}") as folder:
        made = folder / "tested"
        campaign = campaign_of(settings, f"{TRANSFER}/{name}", "confirmed")
        tested_campaign(campaign, transfer_folder(name, "confirmed").resolve(), levels_to_test(settings), made)
        move_into_place(made, transfer_folder(name, "tested"))


if __name__ == "__main__":
    launch(main)
