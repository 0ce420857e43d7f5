"""Stage resolution: galaxies.parquet -> data/resolution, the sample and the splits of the resolution study."""

from __future__ import annotations

import logging

from galmorph.files.datafiles import open_stamps, read_table
from galmorph.resolution.sample import half_light_radii, resolution_sample
from galmorph.settings.layout import (
    GALAXIES,
    IMAGES,
    RESOLUTION_LEFT_OUT,
    RESOLUTION_SAMPLE,
    RESOLUTION_SPLIT,
)
from galmorph.splits import split_condition
from galmorph.stages.launch import launch
from galmorph.stages.work import stage_work
from galmorph.training.plan import transfer_draw

log = logging.getLogger("galmorph.resolution")


def main() -> None:
    """Run the stage."""
    with stage_work("resolution") as work:
        settings, folder = work.settings, work.folder
        galaxies = read_table(GALAXIES)
        images = open_stamps(IMAGES)
        if not settings.resolution.levels:
            # There is no such study: its files say so by being empty.
            sample = left_out = split = galaxies.iloc[:0]
        else:
            # In arcsec, of the native images; rounded, so that its last digits do not depend on the processor.
            galaxies["half_light_radius"] = (half_light_radii(images) * galaxies["pixel_scale"]).round(3)
            sample, left_out = resolution_sample(galaxies, settings.resolution)
            split = split_condition(sample, "resolution", *transfer_draw(settings))
        sample.to_parquet(folder / "sample.parquet", index=False)
        split.to_parquet(folder / "split.parquet", index=False)
        left_out.to_csv(folder / "left_out.csv", index=False, lineterminator="\n")
        work.put(
            (folder / "sample.parquet", RESOLUTION_SAMPLE),
            (folder / "split.parquet", RESOLUTION_SPLIT),
            (folder / "left_out.csv", RESOLUTION_LEFT_OUT),
        )
    log.info("resolution: %d galaxies; %d left out, see %s", len(sample), len(left_out), RESOLUTION_LEFT_OUT)


if __name__ == "__main__":
    launch(main)
