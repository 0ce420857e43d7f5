"""What is lost by the size of the galaxies, counted by hand."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest

from galmorph.report.resolution.loading import loss_by_size
from galmorph.report.resolution.results import Level
from galmorph.scores.evaluation import ConditionRecords
from galmorph.training.records import Evaluation
from tests.support.records import made_record

LEVELS = (
    Level("native", 1.4, 0.4, math.nan, "level"),
    Level("blur_only", 2.8, 0.4, math.nan, "ablation"),
    Level("blurred", 2.8, 0.4, math.nan, "level"),
    Level("elsewhere", 1.0, 0.4, math.nan, "survey"),
)
# Eight galaxies of the sample: half-light radii in arcsec, the largest last.
RADII = np.array([1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 4.0, 4.0])


def trained_at(name: str, right: list[list[int]]) -> ConditionRecords:
    """Networks that classify galaxy i right where right[run][i] is 1, at the level blurred."""
    records = []
    for number, answers in enumerate(right, start=1):
        truth = np.array([0, 1] * 4, np.uint8)
        guess = np.where(np.array(answers) == 1, truth, 1 - truth)
        sets = {"blurred": Evaluation(np.arange(8), truth, np.eye(2, dtype=np.float32)[guess])}
        records.append(dataclasses.replace(made_record(run=number), sets=sets))
    return ConditionRecords(name, 1, {"confirmed": records}, {"confirmed": [Path()] * len(records)})


def test_the_loss_of_each_quarter_is_paired_by_run() -> None:
    here = trained_at("native", [[0, 0, 0, 1, 1, 1, 1, 1], [0, 0, 1, 1, 1, 1, 1, 0]])
    there = trained_at("blurred", [[1, 0, 1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1, 0, 0]])
    table = loss_by_size({"native": here, "blurred": there}, LEVELS, RADII)
    assert table[["trained", "tested"]].drop_duplicates().to_numpy().tolist() == [["native", "blurred"]]
    by_part = table.set_index("part")
    # 2.8 arcsec over 4, 3, 2 and 1.
    assert by_part["ratio"].tolist() == pytest.approx([0.7, 2.8 / 3, 1.4, 2.8])
    # Part 1, the largest galaxies: run 1 loses nothing, run 2 gains half; part 4, the smallest: a half and a whole.
    assert by_part["loss_mean"].tolist() == pytest.approx([-0.25, 0.0, 0.25, 0.75])
    assert by_part["loss_std"].tolist()[3] == pytest.approx(0.5 / math.sqrt(2))
    assert by_part["galaxies"].tolist() == [2.0] * 4


def test_a_galaxy_without_a_size_is_left_out() -> None:
    radii = RADII.copy()
    radii[0] = math.nan
    networks = trained_at("native", [[1] * 8, [1] * 8])
    table = loss_by_size({"native": networks, "blurred": networks}, LEVELS, radii)
    assert table["galaxies"].sum() == 7


def test_one_level_or_no_sizes_give_nothing() -> None:
    assert loss_by_size({}, LEVELS[:2], RADII).empty
    assert loss_by_size({}, LEVELS, np.full(8, math.nan)).empty
