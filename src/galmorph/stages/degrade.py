"""Stages degrade@LEVEL, ablate@LEVEL and mix@REMEDY: wide stamps -> a level; levels -> what a remedy trains on."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import numpy as np

from galmorph.files.atomic import put
from galmorph.files.datafiles import open_stamps, read_table
from galmorph.resolution.levels import degrade_sample, mix_levels
from galmorph.settings.layout import (
    RESOLUTION_SAMPLE,
    WIDE,
    fresh_folder,
    level_folder,
    level_path,
    mixture_path,
    settings,
)
from galmorph.settings.study import Settings
from galmorph.settings.survey import SampleSettings, StampsSettings
from galmorph.sources.stamps import acquire, cut_stamps
from galmorph.stages.launch import launch

log = logging.getLogger("galmorph.degrade")

EVERY_ROW = SampleSettings.model_validate(
    {
        "rule": "first",
        "galaxies": None,
        "seed": 0,
        "limits": {"ra": None, "dec": None, "redshift": None, "nvote": None},
    }
)


def show_level(chosen: Settings, name: str, made: Path, work: Path) -> None:
    """Write the galaxies of the resolution sample as a level shows them."""
    made.mkdir()
    count = degrade_sample(
        WIDE.resolve(),
        RESOLUTION_SAMPLE.resolve(),
        name,
        chosen.resolution.seen[name],
        chosen.resolution,
        chosen.cutouts.stamp_size,
        made / "images.npy",
        work,
    )
    log.info("level %s: %d stamps", name, count)


def cut_other_survey(chosen: Settings, name: str, stamps: StampsSettings, made: Path, work: Path) -> None:
    """Write the stamps of a level that is another survey, and its galaxies."""
    acquire(stamps, EVERY_ROW, work / "raw")
    accepted, rejected = cut_stamps(work / "raw", made, stamps, chosen.cutouts, work / "blocks")
    (made / "wide.npy").unlink()
    log.info("level %s: %d stamps of another survey; %d rejected", name, accepted, rejected)


def mix(chosen: Settings, name: str, made: Path) -> None:
    """Write what a remedy trains on."""
    remedy = chosen.resolution.remedies[name]
    made.mkdir()
    if remedy.kind == "mixed":
        objids = read_table(RESOLUTION_SAMPLE, ["objid"])["objid"].tolist()
        mix_levels([level_path(level) for level in remedy.levels], objids, chosen.resolution.seed, made / "images.npy")
    else:
        # What is fine-tuned sees its target alone.
        np.save(made / "images.npy", open_stamps(level_path(remedy.levels[-1])))


def main() -> None:
    """Run the stage for the level, ablation or remedy that the command names."""
    kind, name = sys.argv[1:]
    chosen = settings()
    with fresh_folder(f"degrade-{name}") as folder:
        made, work = folder / "made", folder / "work"
        work.mkdir()
        if kind == "mixture":
            mix(chosen, name, made)
            put(made / "images.npy", mixture_path(name))
            return
        stamps = chosen.resolution.seen[name].stamps
        if stamps is None:
            show_level(chosen, name, made, work)
        else:
            cut_other_survey(chosen, name, stamps, made, work)
        put(made, level_folder(name))


if __name__ == "__main__":
    launch(main)
