"""Stage parts@LEVEL: who trains and is tested at a level, in each run."""

from __future__ import annotations

import sys

from galmorph.errors import GalmorphError
from galmorph.files.atomic import move_into_place
from galmorph.files.datafiles import read_table
from galmorph.settings.layout import RESOLUTION_SPLIT, fresh_folder, level_galaxies, level_split, load_params
from galmorph.splits import split_condition
from galmorph.stages.launch import launch
from galmorph.training.plan import transfer_draw


def main() -> None:
    """Run the stage for the level that the command names."""
    (name,) = sys.argv[1:]
    settings = load_params()
    resolution = settings.resolution
    if resolution.levels[name].stamps is None:
        split = read_table(RESOLUTION_SPLIT)
    else:
        galaxies = read_table(level_galaxies(name))
        try:
            split = split_condition(galaxies, "resolution", *transfer_draw(settings))
        except GalmorphError as error:
            raise GalmorphError(f"resolution level {name}, which is another survey: {error}") from None
    with fresh_folder(f"parts-{name}") as folder:
        split.to_parquet(folder / "split.parquet", index=False)
        move_into_place(folder / "split.parquet", level_split(name))


if __name__ == "__main__":
    launch(main)
