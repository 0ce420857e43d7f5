"""Stage cutouts: data/raw -> data/cutouts."""

from __future__ import annotations

import logging

from galmorph.settings.layout import BLOCKS, CUTOUTS, RAW, REJECTED
from galmorph.sources.stamps import cut_stamps
from galmorph.stages.launch import launch
from galmorph.stages.work import stage_work
from galmorph.stamps.cutouts import cut_survey

log = logging.getLogger("galmorph.cutouts")


def main() -> None:
    """Run the stage."""
    with stage_work("cutouts") as work:
        settings, output = work.settings, work.folder / "cutouts"
        if settings.survey.source == "stamps":
            accepted, rejected = cut_stamps(RAW.resolve(), output, settings.stamps, settings.cutouts, BLOCKS.resolve())
        else:
            accepted, rejected = cut_survey(RAW.resolve(), output, settings.cutouts, BLOCKS.resolve())
        log.info("cutouts: %d stamps; %d galaxies rejected, see %s", accepted, rejected, REJECTED)
        work.put((output, CUTOUTS))


if __name__ == "__main__":
    launch(main)
