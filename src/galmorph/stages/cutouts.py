"""Stage cutouts: data/raw -> data/cutouts."""

from __future__ import annotations

import logging

from galmorph.files.atomic import move_into_place
from galmorph.settings.layout import BLOCKS, CUTOUTS, RAW, REJECTED, fresh_folder, load_params
from galmorph.sources.stamps import cut_stamps
from galmorph.stages.launch import launch
from galmorph.stamps.cutouts import cut_survey

log = logging.getLogger("galmorph.cutouts")


def main() -> None:
    """Run the stage."""
    settings = load_params()
    with fresh_folder("cutouts") as folder:
        output = folder / "cutouts"
        if settings.survey.source == "stamps":
            accepted, rejected = cut_stamps(RAW.resolve(), output, settings.stamps, settings.cutouts, BLOCKS.resolve())
        else:
            accepted, rejected = cut_survey(RAW.resolve(), output, settings.cutouts, BLOCKS.resolve())
        log.info("cutouts: %d stamps; %d galaxies rejected, see %s", accepted, rejected, REJECTED)
        move_into_place(output, CUTOUTS)


if __name__ == "__main__":
    launch(main)
