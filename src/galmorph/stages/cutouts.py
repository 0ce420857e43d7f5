"""Stage cutouts: data/raw -> data/cutouts."""

from __future__ import annotations

import logging

from galmorph.cutouts import cut_survey
from galmorph.sources.stamps import cut_stamps
from galmorph.stages.launch import launch
from galmorph.stages.layout import CUTOUTS, RAW, REJECTED, fresh_folder, replace, settings

log = logging.getLogger("galmorph.cutouts")


def main() -> None:
    """Run the stage."""
    chosen = settings()
    with fresh_folder("cutouts") as folder:
        made = folder / "cutouts"
        if chosen.survey.source == "stamps":
            accepted, rejected = cut_stamps(RAW, made, chosen.stamps, chosen.cutouts)
        else:
            accepted, rejected = cut_survey(RAW.resolve(), made, chosen.cutouts)
        log.info("cutouts: %d stamps; %d galaxies rejected, see %s", accepted, rejected, REJECTED)
        replace(made, CUTOUTS)


if __name__ == "__main__":
    launch(main)
