"""Stage splits@CONDITION: galaxies.parquet -> data/splits/CONDITION.parquet."""

from __future__ import annotations

import sys

from galmorph.files.atomic import move_into_place
from galmorph.files.datafiles import read_table
from galmorph.settings.layout import GALAXIES, fresh_folder, load_params, split_path
from galmorph.splits import split_condition
from galmorph.stages.launch import launch


def main() -> None:
    """Run the stage for the condition that the command names."""
    name = sys.argv[1]
    settings = load_params()
    table = split_condition(
        read_table(GALAXIES, ["objid", "class"]),
        f"conditions.{name}",
        settings.conditions[name],
        settings.protocol,
    )
    with fresh_folder(f"splits-{name}") as folder:
        table.to_parquet(folder / "split.parquet", index=False)
        move_into_place(folder / "split.parquet", split_path(name))


if __name__ == "__main__":
    launch(main)
