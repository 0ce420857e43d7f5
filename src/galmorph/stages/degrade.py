"""Stages degrade@LEVEL, ablate@LEVEL and mix@REMEDY: wide stamps -> a level; levels -> what a remedy trains on."""

from __future__ import annotations

import logging
import sys

import pandas as pd

from galmorph.degrading import degrade_sample, mix_levels
from galmorph.stages.launch import launch
from galmorph.stages.layout import (
    RESOLUTION_SAMPLE,
    WIDE,
    fresh_folder,
    level_path,
    mixture_path,
    replace,
    settings,
)

log = logging.getLogger("galmorph.degrade")


def main() -> None:
    """Run the stage for the level, ablation or remedy that the command names."""
    kind, name = sys.argv[1:]
    chosen = settings()
    resolution = chosen.resolution
    with fresh_folder(f"degrade-{name}") as folder:
        made = folder / "stamps.npy"
        if kind == "level":
            count = degrade_sample(
                WIDE.resolve(),
                RESOLUTION_SAMPLE.resolve(),
                name,
                resolution.seen[name],
                resolution,
                chosen.cutouts.stamp_size,
                made,
                folder,
            )
            log.info("level %s: %d stamps", name, count)
            replace(made, level_path(name))
        else:
            remedy = resolution.remedies[name]
            objids = pd.read_parquet(RESOLUTION_SAMPLE, columns=["objid"])["objid"].tolist()
            # What is fine-tuned sees its target alone.
            levels = remedy.levels if remedy.kind == "mixed" else remedy.levels[-1:]
            mix_levels([level_path(level) for level in levels], objids, resolution.seed, made)
            replace(made, mixture_path(name))


if __name__ == "__main__":
    launch(main)
