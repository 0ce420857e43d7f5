"""Stage parts@LEVEL: who trains and is tested at a level, in each run."""

from __future__ import annotations

from galmorph.errors import GalmorphError
from galmorph.files.datafiles import read_table
from galmorph.settings.layout import RESOLUTION_SPLIT, level_galaxies, level_split
from galmorph.splits import split_condition
from galmorph.stages.launch import launch
from galmorph.stages.work import stage_block, stage_work
from galmorph.training.plan import transfer_draw


def main() -> None:
    """Run the stage for its level."""
    name = stage_block()
    with stage_work(f"parts-{name}") as work:
        if work.settings.resolution.levels[name].stamps is None:
            split = read_table(RESOLUTION_SPLIT)
        else:
            galaxies = read_table(level_galaxies(name))
            try:
                split = split_condition(galaxies, "resolution", *transfer_draw(work.settings))
            except GalmorphError as error:
                raise GalmorphError(f"resolution level {name}, which is another survey: {error}") from None
        made = work.folder / "split.parquet"
        split.to_parquet(made, index=False)
        work.put((made, level_split(name)))


if __name__ == "__main__":
    launch(main)
