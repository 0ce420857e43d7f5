"""The intervals under a true null: a short form of `python -m validation.coverage`."""

from __future__ import annotations

import pytest

from validation.coverage import SIZES, as_drawn, paired, ranked, shares, tolerance


@pytest.mark.parametrize(("sample", "draw"), SIZES)
def test_the_corrected_interval_holds_the_truth_where_the_naive_one_does_not(sample, draw):
    repetitions = 300
    held, _ = shares(paired(sample, draw, 0.0, repetitions))
    assert 0.93 - tolerance(0.93, repetitions) < held["corrected"] < 0.98 + tolerance(0.98, repetitions)
    assert held["corrected"] > 0.95 - tolerance(0.95, repetitions)
    assert held["naive"] < held["corrected"] - 0.03


@pytest.mark.parametrize(("part", "score"), [("test", "tss"), ("common_natural", "accuracy")])
def test_so_it_does_as_the_splits_draw(part, score):
    repetitions = 30
    held, overlap = shares(trial for trial, _ in as_drawn(3_000, 200, part, score, repetitions))
    assert held["corrected"] > 0.93 - tolerance(0.93, repetitions)
    assert held["naive"] < held["corrected"]
    assert 0.04 < overlap < 0.07


def test_so_it_does_for_a_rank_correlation_on_uncertain_galaxies() -> None:
    repetitions = 40
    held, _ = shares(ranked(3_000, 100, 0.0, repetitions))
    assert held["corrected"] > 0.95 - tolerance(0.95, repetitions)
    assert held["naive"] < held["corrected"] - 0.05
