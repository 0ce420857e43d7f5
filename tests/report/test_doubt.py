"""Networks and volunteers on uncertain galaxies: correlation, agreement, figure."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from galmorph.report import doubt
from galmorph.report.page import Book
from galmorph.report.study import Study
from galmorph.scores.evaluation import ConditionRecords
from galmorph.settings.study import Settings
from galmorph.training.records import Unlabelled
from tests.support.records import made_record
from tests.support.study import study_of

TWO_CLASS = ["two_class", "balanced", "two_class_small"]


def voted(shares: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"p_cs": shares, "nvote": 40})


def shown(*runs: list[tuple[int, float]]) -> ConditionRecords:
    """A condition whose runs gave galaxies (row, probability of a spiral)."""
    records = []
    for run, given in enumerate(runs, start=1):
        probabilities = np.array([[p, 1 - p] for _, p in given], np.float32)
        uncertain = Unlabelled(np.array([row for row, _ in given]), probabilities)
        records.append(dataclasses.replace(made_record("two_class", "confirmed", run), uncertain=uncertain))
    return ConditionRecords("two_class", 3, {"confirmed": records}, {})


@pytest.fixture(scope="module")
def some_votes(galaxies: pd.DataFrame) -> pd.DataFrame:
    """The catalogue with votes that differ; of every ninth galaxy they are unknown."""
    shares = np.random.default_rng(4).random(len(galaxies))
    shares[::9] = np.nan
    return galaxies.assign(p_cs=shares)


def test_a_score_is_the_mean_of_the_runs_rank_correlations(study: Study, some_votes: pd.DataFrame) -> None:
    data = doubt.scores(study, some_votes)
    assert data["condition"].tolist() == TWO_CLASS
    share = some_votes["p_cs"].to_numpy()
    values, parts = [], []
    for record in study.records["balanced"].phases["confirmed"]:
        assert record.uncertain is not None
        rows, probability = record.uncertain.rows, record.uncertain.probabilities[:, 0]
        known = np.isfinite(share[rows])
        values.append(stats.spearmanr(probability[known], share[rows][known]).statistic)
        parts.append(set(rows[known].tolist()))
    row = data.set_index("condition").loc["balanced"]
    assert row["runs"] == 5
    assert row["galaxies"] == pytest.approx(np.mean([len(part) for part in parts]))
    assert row["correlation_mean"] == pytest.approx(np.mean(values))
    # Corrected for the uncertain galaxies that two runs share, which is what the correlations are of.
    shared = np.mean([len(a & b) / len(a) for a, b in itertools.permutations(parts, 2)])
    assert row["overlap"] == pytest.approx(shared)
    assert 0.02 < shared < 0.1
    half = stats.t.ppf(0.975, 4) * np.std(values, ddof=1) * math.sqrt(1 / 5 + shared / (1 - shared))
    assert row["half"] == pytest.approx(half)


def test_networks_that_order_galaxies_as_the_volunteers_do_correlate_fully() -> None:
    galaxies = voted([0.1, 0.3, 0.5, 0.7])
    right = [(0, 0.01), (1, 0.02), (2, 0.03), (3, 0.99)]
    given = doubt.answers(shown(right, [(row, 1 - p) for row, p in right]), galaxies)
    found = [doubt.rank_correlation(one["probability"], one["p_cs"]) for _, one in given.groupby("run")]
    assert found == pytest.approx([1, -1])
    assert given["spiral"].tolist() == [False, False, False, True, True, True, True, False]


@pytest.mark.parametrize(
    ("first", "second"),
    [([0.1, 0.2], [0.3, 0.4]), ([0.5, 0.5, 0.5], [0.1, 0.2, 0.3]), ([0.1, 0.2, 0.3], [0.8, 0.8, 0.8])],
    ids=["two galaxies", "one probability", "one share"],
)
def test_what_has_no_order_has_no_correlation(first: list[float], second: list[float]) -> None:
    assert math.isnan(doubt.rank_correlation(pd.Series(first), pd.Series(second)))


def test_runs_without_a_correlation_are_left_out_and_counted(study: Study, some_votes: pd.DataFrame) -> None:
    condition = study.records["two_class"]
    records = list(condition.phases["confirmed"])
    assert records[0].uncertain is not None
    same = np.full_like(records[0].uncertain.probabilities, 0.5)
    records[0] = dataclasses.replace(
        records[0], uncertain=dataclasses.replace(records[0].uncertain, probabilities=same)
    )
    phases = {**condition.phases, "confirmed": records}
    changed = {**study.records, "two_class": dataclasses.replace(condition, phases=phases)}
    data = doubt.scores(dataclasses.replace(study, records=changed), some_votes).set_index("condition")
    assert data["runs"].tolist() == [4, 5, 5]
    assert data["half"].notna().all()


def test_agreement_is_that_of_all_pairs_of_networks() -> None:
    rng = np.random.default_rng(6)
    rows = pd.Series(rng.integers(0, 40, 150))
    spiral = pd.Series(rng.random(150) < 0.3 + 0.4 * (rows % 2))
    by_galaxy = []
    for _, calls in spiral.groupby(rows):
        pairs = list(itertools.combinations(calls, 2))
        if pairs:
            by_galaxy.append(np.mean([a == b for a, b in pairs]))
    found = doubt.agreement(rows, spiral)
    assert found.observed == pytest.approx(np.mean(by_galaxy))
    assert found.galaxies == len(by_galaxy)


def test_kappa_is_0_by_chance_and_1_in_full_agreement() -> None:
    rng = np.random.default_rng(7)
    rows = np.repeat(np.arange(20_000), 3)
    chance = doubt.agreement(rows, rng.random(60_000) < 0.8)
    assert chance.observed == pytest.approx(0.8**2 + 0.2**2, abs=0.01)
    assert chance.kappa == pytest.approx(0, abs=0.02)
    full = doubt.agreement(rows, rows % 2 == 0)
    assert (full.observed, full.kappa) == (1, 1)
    one_class = doubt.agreement(rows, rows >= 0)
    assert one_class.observed == 1
    assert math.isnan(one_class.kappa)
    assert doubt.agreement([1, 2, 3], [True, True, False]).galaxies == 0


def test_bins_have_the_mean_of_the_runs_means() -> None:
    galaxies = voted([0.0, 0.05, 0.1, 0.95, 1.0, math.nan])
    first = [(0, 0.2), (1, 0.4), (3, 0.9), (5, 0.5)]
    second = [(0, 0.5), (2, 0.7), (4, 1.0)]
    table = doubt.binned(doubt.answers(shown(first, second), galaxies))
    assert table["low"].tolist() == pytest.approx([0, 0.1, 0.9])
    assert table["predictions"].tolist() == [3, 1, 2]
    assert table["runs"].tolist() == [2, 1, 2]
    assert table["probability"].tolist() == pytest.approx([(0.3 + 0.5) / 2, 0.7, 0.95])
    assert table["probability_std"].iloc[0] == pytest.approx(np.std([0.3, 0.5], ddof=1))
    assert math.isnan(table["probability_std"].iloc[1])


def test_the_page_has_a_figure_and_a_table(
    make_settings: Callable[..., Settings], some_votes: pd.DataFrame, tmp_path: Path
) -> None:
    study = study_of(make_settings(conditions=("two_class", "three_class")))
    made = doubt.section(Book(study.settings, tmp_path), study, some_votes)
    assert made is not None
    (table,), (picture,) = made.tables, made.pictures
    assert "Fleiss 1971" in table.caption
    assert picture.name == "doubt_two_class"
    assert (tmp_path / "figures/doubt_two_class.svg").exists()
    bins = pd.read_csv(tmp_path / "tables/doubt_bins.csv")
    voted = doubt.answers(study.records["two_class"], some_votes)["p_cs"].notna()
    assert bins["predictions"].sum() == voted.sum()


@pytest.mark.parametrize("change", [{"p_cs": np.nan}, {"nvote": 0}], ids=["no shares", "no votes"])
def test_a_catalogue_without_votes_has_no_such_section(
    study: Study, galaxies: pd.DataFrame, tmp_path: Path, change: dict[str, Any]
) -> None:
    assert doubt.section(Book(study.settings, tmp_path), study, galaxies.assign(**change)) is None


def test_networks_that_were_shown_no_uncertain_galaxies_have_no_such_section(
    make_settings: Callable[..., Settings], some_votes: pd.DataFrame, tmp_path: Path
) -> None:
    settings = make_settings(runs=2, epochs=2, conditions=("two_class",))
    protocol = settings.protocol.model_dump() | {"evaluation": {"natural": 60, "balanced": 60, "uncertain": None}}
    without = study_of(make_settings(runs=2, epochs=2, conditions=("two_class",), protocol=protocol))
    assert without.records["two_class"].phases["confirmed"][0].uncertain is None
    assert doubt.section(Book(settings, tmp_path), without, some_votes) is None


def test_one_run_has_a_correlation_without_an_interval(
    make_settings: Callable[..., Settings], some_votes: pd.DataFrame, tmp_path: Path
) -> None:
    one = study_of(make_settings(runs=1, epochs=2, conditions=("two_class",)))
    made = doubt.section(Book(one.settings, tmp_path), one, some_votes)
    assert made is not None
    (table,) = made.tables
    assert table.shown["Half of its 95 % interval"].tolist() == ["—"]
    assert table.shown["Agreement (κ)"].tolist() == ["— (—)"]
