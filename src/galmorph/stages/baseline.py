"""Stage baseline@CONDITION: simple classifiers on the splits of a condition -> models/CONDITION/baselines."""

from __future__ import annotations

from galmorph.baselines import run_baselines
from galmorph.settings.layout import baseline_folder
from galmorph.stages.launch import launch
from galmorph.stages.work import stage_block, stage_work


def main() -> None:
    """Run the stage for its condition."""
    name = stage_block()
    with stage_work(f"baseline-{name}") as work:
        made = work.folder / "baselines"
        run_baselines(work.settings, name, made)
        work.put((made, baseline_folder(name)))


if __name__ == "__main__":
    launch(main)
