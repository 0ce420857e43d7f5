"""Stage splits@CONDITION: galaxies.parquet -> data/splits/CONDITION.parquet."""

from __future__ import annotations

from galmorph.files.datafiles import read_table
from galmorph.settings.layout import GALAXIES, split_path
from galmorph.splits import split_condition
from galmorph.stages.launch import launch
from galmorph.stages.work import stage_block, stage_work


def main() -> None:
    """Run the stage for its condition."""
    name = stage_block()
    with stage_work(f"splits-{name}") as work:
        table = split_condition(
            read_table(GALAXIES, ["objid", "class"]),
            f"conditions.{name}",
            work.settings.conditions[name],
            work.settings.protocol,
        )
        made = work.folder / "split.parquet"
        table.to_parquet(made, index=False)
        work.put((made, split_path(name)))


if __name__ == "__main__":
    launch(main)
