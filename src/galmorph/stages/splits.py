"""Stage splits@CONDITION: galaxies.parquet -> data/splits/CONDITION.parquet."""

from __future__ import annotations

import sys

import pandas as pd

from galmorph.splits import split_condition
from galmorph.stages.launch import launch
from galmorph.stages.layout import GALAXIES, fresh_folder, replace, settings, split_path


def main() -> None:
    """Run the stage for the condition that the command names."""
    name = sys.argv[1]
    chosen = settings()
    table = split_condition(
        pd.read_parquet(GALAXIES, columns=["objid", "class"]),
        f"conditions.{name}",
        chosen.conditions[name],
        chosen.protocol,
    )
    with fresh_folder(f"splits-{name}") as folder:
        table.to_parquet(folder / "split.parquet", index=False)
        replace(folder / "split.parquet", split_path(name))


if __name__ == "__main__":
    launch(main)
