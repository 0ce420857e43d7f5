"""What the choice of the epoch adds: by hand on small records, and in the made study."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from galmorph.report import optimism
from galmorph.report.study import Study
from galmorph.scores.evaluation import ConditionRecords
from galmorph.settings.study import Settings
from galmorph.training.records import Evaluation
from tests.support.records import made_record
from tests.support.study import study_of


def test_no_galaxy_is_scored_at_an_epoch_that_it_has_chosen() -> None:
    # Twenty galaxies, two epochs, two runs that test them all; half of them are right in the first epoch only, the
    # other half in the second only. The choosing half cannot know.
    halves = optimism.chosen_on_half(two_runs(np.zeros((2, 20), np.uint8)), seed=3)[1]
    assert halves.confusion().tolist() == [[[20, 0], [0, 0]]] * 2
    order = np.random.default_rng(0).permutation(20)
    predicted = np.ones((2, 20), np.uint8)
    predicted[0, order[:10]] = 0
    predicted[1, order[10:]] = 0
    (first, second), crossed = optimism.chosen_on_half(two_runs(predicted), seed=3)
    # Whichever epoch a half prefers, the other half is worse there: the score lies below one half.
    assert {first, second} == {1, 2}
    assert (crossed.predicted == crossed.truth).mean() < 0.5


def two_runs(predicted: NDArray[np.uint8]) -> ConditionRecords:
    """Two runs with the same predictions, (epochs, n), for galaxies that are all spirals."""
    n = predicted.shape[1]
    test = Evaluation(np.arange(n), np.zeros(n, np.uint8), np.empty((0, 2), np.float32))
    record = dataclasses.replace(made_record(), predicted=predicted, sets={"test": test})
    return ConditionRecords("two_class", 1, {"selected": [record, record]}, {})


def test_the_table_is_the_scores_and_their_differences(study: Study) -> None:
    results = {name: study.results[name] for name in ("two_class", "balanced")}
    data = optimism.optimism(dataclasses.replace(study, results=results))
    assert list(zip(data["condition"], data["metric"], strict=True)) == [
        (name, metric) for name in ("two_class", "balanced") for metric in ("accuracy", "tss")
    ]
    row: Any = data.iloc[2]
    selected = results["balanced"].selected.scores["accuracy"].tolist()
    confirmed = results["balanced"].confirmed.scores["accuracy"].tolist()
    assert row["selected_mean"] == pytest.approx(statistics.fmean(selected))
    assert row["confirmed_excess"] == pytest.approx(statistics.fmean(selected) - statistics.fmean(confirmed))
    assert row["halves_excess"] == pytest.approx(row["selected_mean"] - row["halves_mean"])
    variances = [
        statistics.variance(values) * (1 / 5 + rho / (1 - rho))
        for values, rho in ((selected, row["overlap_selected"]), (confirmed, row["overlap_confirmed"]))
    ]
    freedom = sum(variances) ** 2 / sum(v**2 / 4 for v in variances)
    assert row["confirmed_half"] == pytest.approx(float(stats.t.ppf(0.975, freedom)) * sum(variances) ** 0.5)
    # All of them: none is picked for its size.
    said = optimism.sentence(data)
    assert "less the one with the epoch chosen on half of the test part" in said
    assert "for two classes; " in said
    assert f"{row['halves_excess']:+.3f} ± ".replace("-", "−").replace("+0.000", "0.000") in said
    assert "chosen on half of the test part, scored on the other half" in optimism.table(data).caption


def test_one_run_is_given_without_an_interval(make_settings: Callable[..., Settings]) -> None:
    data = optimism.optimism(study_of(make_settings(runs=1, conditions=("balanced",))))
    assert data["halves_half"].isna().all()
    assert " ± —" in optimism.sentence(data)
    assert optimism.sentence(data.assign(halves_excess=np.nan)) == optimism.NONE_KNOWN
