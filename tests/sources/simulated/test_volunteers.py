import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from galmorph.sdss.galaxyzoo import COLUMNS
from galmorph.sources.simulated import volunteers

TYPICAL = {
    "arm_visibility": 20.0, "signal_to_noise": 200.0, "isophote_axis_ratio": 0.75, "isophote_axis": 6.0,
    "concentration": 3.0, "merger_appearance": 0.0, "colour": 0.0, "axis_ratio": 0.75, "winding": 1,
    "tail_visibility": 0.0, "fwhm": 1.3, "redshift": 0.09,
}  # fmt: skip


def truth(count: int, **changes: float) -> pd.DataFrame:
    return pd.DataFrame({name: np.full(count, changes.get(name, value)) for name, value in TYPICAL.items()})


def mean_chances(**changes: float) -> dict[str, float]:
    chances = volunteers.chances(truth(300, **changes), np.random.default_rng(2)).mean(axis=0)
    return dict(zip(volunteers.ANSWERS, chances, strict=True))


def spiral(chances: dict[str, float]) -> float:
    return chances["CW"] + chances["ACW"] + chances["EDGE"]


@settings(deadline=None)
@given(st.floats(0, 200), st.floats(1.2, 3))
def test_spiral_votes_rise_with_what_is_seen_of_the_arms(visibility: float, factor: float) -> None:
    less, more = mean_chances(arm_visibility=visibility), mean_chances(arm_visibility=visibility * factor + 0.5)
    assert spiral(more) >= spiral(less) - 1e-12
    assert more["EL"] <= less["EL"] + 1e-12


def test_strong_arms_convince_and_no_arms_do_not() -> None:
    assert spiral(mean_chances(arm_visibility=100.0)) > 0.85
    assert mean_chances(arm_visibility=0.0, concentration=4.0)["EL"] > 0.8


def test_direction_follows_the_winding_where_it_can_be_made_out() -> None:
    clockwise, other = (mean_chances(arm_visibility=100.0, winding=winding) for winding in (1, -1))
    assert clockwise["CW"] > 5 * clockwise["ACW"]
    assert other["ACW"] > 5 * other["CW"]
    inclined = mean_chances(arm_visibility=100.0, axis_ratio=0.2)
    assert inclined["EDGE"] > 5 * inclined["CW"]


def test_the_other_answers_follow_what_calls_for_them() -> None:
    calm = mean_chances()
    assert mean_chances(isophote_axis_ratio=0.25, arm_visibility=0.0)["EDGE"] > calm["EDGE"] + 0.2
    assert mean_chances(merger_appearance=0.95)["MG"] > calm["MG"] + 0.2
    assert mean_chances(tail_visibility=60.0)["MG"] > calm["MG"] + 0.2
    assert mean_chances(signal_to_noise=20.0)["DK"] > 1.5 * calm["DK"]
    assert spiral(mean_chances(colour=1.5)) > spiral(mean_chances(colour=-1.5))
    # Unresolved, an elongated smudge is no edge-on disk.
    assert (
        mean_chances(isophote_axis_ratio=0.25, arm_visibility=0.0, isophote_axis=2.0)["EDGE"]
        < mean_chances(isophote_axis_ratio=0.25, arm_visibility=0.0, isophote_axis=9.0)["EDGE"] - 0.2
    )


def test_chances_are_probabilities() -> None:
    extreme = pd.concat([truth(50, arm_visibility=v, isophote_axis_ratio=q) for v in (0, 1e4) for q in (0.01, 1)])
    chances = volunteers.chances(extreme, np.random.default_rng(1))
    assert (chances >= 0).all()
    np.testing.assert_allclose(chances.sum(axis=1), 1)


def test_nothing_but_the_declared_columns_is_looked_at() -> None:
    table = truth(30)
    expected = volunteers.poll(table, np.random.default_rng(4))
    more = table.assign(kind="S", arm_contrast=1.0)
    pd.testing.assert_frame_equal(volunteers.poll(more, np.random.default_rng(4)), expected)
    for column in volunteers.VOTED_ON:
        with pytest.raises(KeyError, match=column):
            volunteers.poll(table.drop(columns=column), np.random.default_rng(4))


@pytest.fixture(scope="module")
def votes() -> pd.DataFrame:
    varied = pd.concat([truth(400, arm_visibility=v, concentration=c) for v in (0, 20, 80) for c in (2.7, 4.0)])
    return volunteers.poll(varied, np.random.default_rng(6))


def test_rows_are_those_of_table_2(votes: pd.DataFrame) -> None:
    assert tuple(votes.columns) == COLUMNS[3:]
    flags = votes[["SPIRAL", "ELLIPTICAL", "UNCERTAIN"]]
    assert flags.isin([0, 1]).all().all()
    assert (flags.sum(axis=1) == 1).all()
    assert (flags.sum() > 50).all()
    shares = votes[["P_EL", "P_CW", "P_ACW", "P_EDGE", "P_DK", "P_MG"]]
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=0.0031)
    # Four numbers are rounded, each by half of the third decimal at most.
    np.testing.assert_allclose(votes["P_CS"], votes[["P_CW", "P_ACW", "P_EDGE"]].sum(axis=1), atol=0.00201)
    counts = shares.to_numpy() * votes["NVOTE"].to_numpy()[:, None]
    # A share is a whole number of votes, but for the third decimal.
    np.testing.assert_allclose(counts, np.rint(counts), atol=0.042)


def test_flags_are_debiased_shares_above_the_threshold(votes: pd.DataFrame) -> None:
    clear = (votes["P_CS_DEBIASED"] - 0.8).abs() > 0.001
    assert votes["SPIRAL"].eq(1)[clear].eq(votes["P_CS_DEBIASED"][clear] > 0.8).all()
    clear = (votes["P_EL_DEBIASED"] - 0.8).abs() > 0.001
    assert votes["ELLIPTICAL"].eq(1)[clear].eq(votes["P_EL_DEBIASED"][clear] > 0.8).all()


def test_numbers_of_votes_have_two_populations() -> None:
    number = volunteers.vote_numbers(5000, np.random.default_rng(1))
    assert number.min() >= 13
    assert number.max() <= 82
    assert np.mean(number < 43) == pytest.approx(0.69, abs=0.03)


@settings(deadline=None)
@given(st.floats(0.01, 0.9), st.floats(0.01, 1), st.floats(0.0, 0.3))
def test_debiasing_keeps_the_sum_and_favours_spirals(elliptical: float, rest: float, redshift: float) -> None:
    cs = rest * (1 - elliptical)
    rng = np.random.default_rng(1)
    el_after, cs_after = volunteers.debias(np.array([elliptical]), np.array([cs]), np.array([redshift]), rng)
    assert el_after[0] + cs_after[0] == pytest.approx(elliptical + cs)
    decades = np.log10((elliptical / cs) / (el_after[0] / cs_after[0]))
    assert -1e-9 <= decades <= 1 + 1e-9


def test_debiasing_grows_with_distance_and_survives_empty_shares() -> None:
    rng = np.random.default_rng(3)
    half = np.full(500, 0.4)
    mean = [volunteers.debias(half, half, np.full(500, z), rng)[0].mean() for z in (0.01, 0.05, 0.2)]
    assert mean[0] > mean[1] + 0.03 > mean[2] + 0.06
    el, cs = volunteers.debias(np.zeros(3), np.zeros(3), np.array([0.01, 0.05, 0.2]), rng)
    assert (el == 0).all()
    assert (cs == 0).all()
