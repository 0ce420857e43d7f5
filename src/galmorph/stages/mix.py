"""Stage mix@REMEDY: levels -> the stamps on which a remedy trains."""

from __future__ import annotations

import numpy as np

from galmorph.files.datafiles import open_stamps, read_table
from galmorph.resolution.levels import mix_levels
from galmorph.settings.layout import RESOLUTION_SAMPLE, level_path, mixture_path
from galmorph.stages.launch import launch
from galmorph.stages.work import stage_block, stage_work


def main() -> None:
    """Run the stage for its remedy."""
    name = stage_block()
    with stage_work(f"mix-{name}") as work:
        remedy, made = work.settings.resolution.remedies[name], work.folder / "images.npy"
        if remedy.kind == "mixed":
            objids = read_table(RESOLUTION_SAMPLE, ["objid"])["objid"].tolist()
            mix_levels([level_path(level) for level in remedy.levels], objids, work.settings.resolution.seed, made)
        else:
            # Fine-tuning sees its target alone.
            np.save(made, open_stamps(level_path(remedy.levels[-1])))
        work.put((made, mixture_path(name)))


if __name__ == "__main__":
    launch(main)
