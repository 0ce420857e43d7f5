"""Stages degrade@LEVEL and ablate@ABLATION: wide stamps -> the stamps of a level; or the stamps of another survey."""

from __future__ import annotations

import logging
from pathlib import Path

from galmorph.resolution.levels import degrade_sample, sample_pixels
from galmorph.settings.layout import RESOLUTION_SAMPLE, WIDE, level_folder
from galmorph.settings.study import Settings
from galmorph.settings.survey import SampleSettings, StampsSettings
from galmorph.settings.tracked import require_tracked
from galmorph.sources.stamps import acquire, cut_stamps
from galmorph.stages.launch import launch
from galmorph.stages.work import stage_block, stage_work

log = logging.getLogger("galmorph.degrade")

EVERY_ROW = SampleSettings.model_validate(
    {
        "rule": "first",
        "galaxies": None,
        "seed": 0,
        "limits": {"ra": None, "dec": None, "redshift": None, "nvote": None},
    }
)


def show_level(settings: Settings, name: str, made: Path, work: Path) -> None:
    """Write the galaxies of the resolution sample as a level shows them."""
    made.mkdir()
    count = degrade_sample(
        WIDE.resolve(),
        RESOLUTION_SAMPLE.resolve(),
        name,
        settings.resolution.seen[name],
        settings.resolution,
        settings.cutouts.stamp_size,
        made / "images.npy",
        work,
    )
    log.info("level %s: %d stamps", name, count)


def cut_other_survey(settings: Settings, name: str, stamps: StampsSettings, made: Path, work: Path) -> None:
    """Write the stamps of a level that is another survey, and its galaxies."""
    require_tracked(settings)
    (work / "raw").mkdir()
    acquire(stamps, EVERY_ROW, work / "raw")
    known = sample_pixels(WIDE, RESOLUTION_SAMPLE, settings.cutouts.stamp_size)
    accepted, rejected = cut_stamps(work / "raw", made, stamps, settings.cutouts, work / "blocks", known)
    (made / "wide.npy").unlink()
    log.info("level %s: %d stamps of another survey; %d rejected", name, accepted, rejected)


def main() -> None:
    """Run the stage for its level or ablation."""
    name = stage_block()
    with stage_work(f"degrade-{name}") as work:
        made, scratch = work.folder / "made", work.folder / "work"
        scratch.mkdir()
        stamps = work.settings.resolution.seen[name].stamps
        if stamps is None:
            show_level(work.settings, name, made, scratch)
        else:
            cut_other_survey(work.settings, name, stamps, made, scratch)
        work.put((made, level_folder(name)))


if __name__ == "__main__":
    launch(main)
