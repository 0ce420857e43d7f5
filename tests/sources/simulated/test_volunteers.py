from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from galmorph.sdss.galaxyzoo import COLUMNS
from galmorph.sdss.names import PIXEL_SCALE
from galmorph.sources.simulated import drawing, exposure, population, volunteers
from galmorph.sources.simulated.exposure import Exposure

TYPICAL = {
    "arm_visibility": 20.0, "signal_to_noise": 200.0, "isophote_axis_ratio": 0.75, "isophote_axis": 6.0,
    "concentration": 3.0, "merger_appearance": 0.0, "colour": 0.0, "axis_ratio": 0.75, "winding": 1,
    "tail_visibility": 0.0, "fwhm": 1.3, "redshift": 0.09,
}  # fmt: skip
FLAGS = ["SPIRAL", "ELLIPTICAL", "UNCERTAIN"]


def ellipse(ratio: float, axis: float, angle: float) -> NDArray[np.float32]:
    y, x = np.indices((129, 129)) - 64.0
    u, v = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    return np.asarray(u**2 + (v / ratio) ** 2 < axis**2, np.float32)


@settings(max_examples=30)
@given(st.floats(0.3, 1.0), st.floats(15, 55), st.floats(0, np.pi))
def test_isophote_of_an_ellipse_is_the_ellipse(ratio: float, axis: float, angle: float) -> None:
    measured_ratio, measured_axis = volunteers.isophote(ellipse(ratio, axis, angle), 0.5)
    assert measured_ratio == pytest.approx(ratio, abs=0.03)
    assert measured_axis == pytest.approx(axis * PIXEL_SCALE, rel=0.03)


def test_an_empty_isophote_is_a_point() -> None:
    assert volunteers.isophote(np.zeros((9, 9), np.float32), 1.0) == (1.0, 0.0)


def test_concentration_of_known_profiles(conditions: Exposure) -> None:
    """An exponential disk has 2.7 without a PSF; the PSF only lowers it, and a large n = 4 profile stays above 4."""
    base = {"kind": "E", "magnitude": 15.0, "disk_scale": 0.0, "bulge_fraction": 1.0, "arm_contrast": 0.0,
            "axis_ratio": 0.99, "bulge_axis_ratio": 0.99, "position_angle": 0.0, "bulge_radius": 6.0,
            "tail_fraction": 0.0, "half_light_radius": 6.0}  # fmt: skip
    rng = np.random.default_rng(0)
    sharp = replace(conditions, fwhm=1.0)
    exponential, medium, de_vaucouleurs = (
        volunteers.concentration(drawing.draw(SimpleNamespace(**base, bulge_index=n), sharp, (0.1, 0.1), rng))
        for n in (1.0, 2.0, 4.0)
    )
    assert exponential == pytest.approx(2.7, abs=0.1)
    assert exponential < medium < de_vaucouleurs
    assert 4.0 < de_vaucouleurs < 5.2


def test_structure_of_low_contrast_is_not_noticed_in_bright_galaxies(conditions: Exposure) -> None:
    reference = np.full((20, 20), 1e5, np.float32)
    # A contrast of 1 % for an eye that notices 6 %: a sixth of a sigma per pixel, in 400 pixels.
    seen = volunteers.visibility(reference * np.float32(1.01), reference, conditions)
    assert seen == pytest.approx(20 / 6, rel=0.02)
    assert volunteers.visibility(reference, reference, conditions) == 0


def test_signal_to_noise_of_a_flat_patch(conditions: Exposure) -> None:
    measured = volunteers.signal_to_noise(np.full((10, 10), 30.0, np.float32), conditions)
    assert measured == pytest.approx(10 * 30 / np.sqrt((conditions.sky + 30) / 4.72 + 1.21), rel=1e-5)


def test_near_bright_galaxies_look_like_mergers() -> None:
    def appearance(*neighbours: tuple[float, float, bool], axis: float = 4.0) -> float:
        """For neighbours of a difference in magnitude and a distance in arcsec, stars or not."""
        table = pd.DataFrame(neighbours, columns=["magnitude", "x", "is_star"])
        sources = table.assign(x=500 + table["x"] / PIXEL_SCALE, y=300.0, magnitude=16 + table["magnitude"])
        galaxy = SimpleNamespace(x=500.0, y=300.0, magnitude=16.0, isophote_axis=axis)
        return volunteers.merger_appearance(galaxy, sources)

    near, faint, far = (0.3, 3.0, False), (3.5, 3.0, False), (0.3, 30.0, False)
    assert appearance(near) > 0.9
    assert appearance((0.3, 3.0, True)) == pytest.approx(0.4 * appearance(near))
    assert appearance(faint) < 0.05
    assert appearance(far) < 0.01
    assert appearance((0.3, 45.0, False), axis=100.0) == 0
    assert appearance((0.3, 9.0, False), axis=8.0) > appearance((0.3, 9.0, False), axis=4.0)
    assert appearance(far, near, faint) == appearance(near)


def truth(count: int, **changes: float) -> pd.DataFrame:
    return pd.DataFrame({name: np.full(count, value) for name, value in (TYPICAL | changes).items()})


def mean_chances(**changes: float) -> dict[str, float]:
    chances = volunteers.chances(truth(300, **changes), np.random.default_rng(2)).mean(axis=0)
    named = dict(zip(volunteers.ANSWERS, chances, strict=True))
    return named | {"CS": named["CW"] + named["ACW"] + named["EDGE"]}


@settings(max_examples=30)
@given(st.floats(0, 200), st.floats(1.2, 3))
def test_spiral_votes_rise_with_the_visibility_of_the_arms(visibility: float, factor: float) -> None:
    less, more = mean_chances(arm_visibility=visibility), mean_chances(arm_visibility=visibility * factor + 0.5)
    assert more["CS"] >= less["CS"] - 1e-12
    assert more["EL"] <= less["EL"] + 1e-12


def test_strong_arms_convince_and_no_arms_do_not() -> None:
    assert mean_chances(arm_visibility=100.0)["CS"] > 0.85
    assert mean_chances(arm_visibility=0.0, concentration=4.0)["EL"] > 0.8


def test_direction_follows_the_winding_where_it_is_visible() -> None:
    clockwise, other = (mean_chances(arm_visibility=100.0, winding=winding) for winding in (1, -1))
    assert clockwise["CW"] > 5 * clockwise["ACW"]
    assert other["ACW"] > 5 * other["CW"]
    inclined = mean_chances(arm_visibility=100.0, axis_ratio=0.2)
    assert inclined["EDGE"] > 5 * inclined["CW"]


def test_each_answer_follows_what_suggests_it() -> None:
    typical = mean_chances()
    edge_on = mean_chances(isophote_axis_ratio=0.25, arm_visibility=0.0)
    assert edge_on["EDGE"] > typical["EDGE"] + 0.2
    assert mean_chances(merger_appearance=0.95)["MG"] > typical["MG"] + 0.2
    assert mean_chances(tail_visibility=60.0)["MG"] > typical["MG"] + 0.2
    assert mean_chances(signal_to_noise=20.0)["DK"] > 1.5 * typical["DK"]
    assert mean_chances(colour=1.5)["CS"] > mean_chances(colour=-1.5)["CS"]
    # Unresolved, an elongated smudge is no edge-on disk.
    unresolved = mean_chances(isophote_axis_ratio=0.25, arm_visibility=0.0, isophote_axis=2.0)
    assert unresolved["EDGE"] < edge_on["EDGE"] - 0.15


def test_chances_are_probabilities() -> None:
    extreme = pd.concat([truth(50, arm_visibility=v, isophote_axis_ratio=q) for v in (0, 1e4) for q in (0.01, 1)])
    chances = volunteers.chances(extreme, np.random.default_rng(1))
    assert (chances >= 0).all()
    np.testing.assert_allclose(chances.sum(axis=1), 1)


def test_votes_depend_on_the_declared_columns_only() -> None:
    expected = volunteers.poll(truth(30), np.random.default_rng(4))
    more = truth(30).assign(kind="S", arm_contrast=1.0)
    pd.testing.assert_frame_equal(volunteers.poll(more, np.random.default_rng(4)), expected)


@pytest.fixture(scope="module")
def votes() -> pd.DataFrame:
    varied = pd.concat([truth(400, arm_visibility=v, concentration=c) for v in (0, 20, 80) for c in (2.7, 4.0)])
    return volunteers.poll(varied, np.random.default_rng(6))


def test_rows_are_those_of_table_2(votes: pd.DataFrame) -> None:
    assert tuple(votes.columns) == COLUMNS[3:]
    shares = votes[["P_EL", "P_CW", "P_ACW", "P_EDGE", "P_DK", "P_MG"]]
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=0.0031)
    # Four numbers are rounded, each by half of the third decimal at most.
    np.testing.assert_allclose(votes["P_CS"], votes[["P_CW", "P_ACW", "P_EDGE"]].sum(axis=1), atol=0.00201)
    # A share is a whole number of votes, but for the third decimal.
    counts = shares.to_numpy() * votes["NVOTE"].to_numpy()[:, None]
    np.testing.assert_allclose(counts, np.rint(counts), atol=0.042)


def test_one_flag_is_set_by_the_debiased_shares(votes: pd.DataFrame) -> None:
    assert votes[FLAGS].isin([0, 1]).all().all()
    assert (votes[FLAGS].sum(axis=1) == 1).all()
    assert (votes[FLAGS].sum() > 50).all()
    for flag, share in (("SPIRAL", votes["P_CS_DEBIASED"]), ("ELLIPTICAL", votes["P_EL_DEBIASED"])):
        clear = (share - 0.8).abs() > 0.001
        assert votes[flag].eq(1)[clear].eq(share[clear] > 0.8).all()


def test_numbers_of_votes_have_two_populations() -> None:
    number = volunteers.vote_numbers(5000, np.random.default_rng(1))
    assert number.min() >= 13
    assert number.max() <= 82
    assert np.mean(number < 43) == pytest.approx(0.69, abs=0.03)


@given(st.floats(0.01, 0.9), st.floats(0.01, 1), st.floats(0.0, 0.3))
def test_debiasing_keeps_the_sum_and_favours_spirals(elliptical: float, rest: float, redshift: float) -> None:
    el, cs, z = (np.array([value]) for value in (elliptical, rest * (1 - elliptical), redshift))
    el_after, cs_after = volunteers.debias(el, cs, z, np.random.default_rng(1))
    assert el_after + cs_after == pytest.approx(el + cs)
    assert -1e-9 <= np.log10((el / cs) / (el_after / cs_after)) <= 1 + 1e-9


def test_debiasing_grows_with_distance_and_survives_empty_shares() -> None:
    rng = np.random.default_rng(3)
    half = np.full(500, 0.4)
    mean = [volunteers.debias(half, half, np.full(500, z), rng)[0].mean() for z in (0.01, 0.05, 0.2)]
    assert mean[0] > mean[1] + 0.03 > mean[2] + 0.06
    assert not np.any(volunteers.debias(np.zeros(3), np.zeros(3), np.array([0.01, 0.05, 0.2]), rng))


def looked_at(galaxies: pd.DataFrame, exposure_of: Callable[[Any], Exposure]) -> Any:
    """Return the mean votes of 20 crowds on galaxies, each seen alone under its conditions."""
    seen = []
    rows: Any = galaxies.itertuples()
    for number, galaxy in enumerate(rows):
        conditions = exposure_of(galaxy)
        drawn = drawing.draw(galaxy, conditions, (0.05, -0.1), np.random.default_rng(number))
        seen.append(volunteers.measure(drawn, conditions) | {"fwhm": conditions.fwhm, "merger_appearance": 0.0})
    table = pd.concat([galaxies.reset_index(drop=True), pd.DataFrame(seen)], axis=1)
    return pd.concat([volunteers.poll(table, np.random.default_rng(seed)) for seed in range(20)]).mean()


@pytest.fixture(scope="module")
def spirals() -> pd.DataFrame:
    drawn = population.draw(600, np.random.default_rng(4))
    face_on = drawn[(drawn["kind"] == "S") & (drawn["axis_ratio"] > 0.6) & (drawn["half_light_radius"] > 2.5)]
    return face_on.head(20).assign(tail_fraction=0.0, arm_contrast=0.9)


def test_a_spiral_becomes_uncertain_as_the_seeing_grows_against_its_size(
    spirals: pd.DataFrame, conditions: Exposure
) -> None:
    def votes_through(ratio: float) -> Any:
        return looked_at(spirals, lambda galaxy: replace(conditions, fwhm=ratio * galaxy.half_light_radius))

    votes = [votes_through(ratio) for ratio in (0.25, 0.5, 1.0)]
    assert votes[0]["UNCERTAIN"] < votes[1]["UNCERTAIN"] < votes[2]["UNCERTAIN"]
    assert votes[0]["SPIRAL"] > votes[1]["SPIRAL"] > votes[2]["SPIRAL"]
    assert votes[2]["UNCERTAIN"] - votes[0]["UNCERTAIN"] > 0.2
    # A blurred spiral drifts to elliptical.
    assert votes[2]["P_EL"] > votes[0]["P_EL"] + 0.1


def test_a_blurred_elliptical_stays_one(conditions: Exposure) -> None:
    drawn = population.draw(100, np.random.default_rng(5))
    round_ = drawn[drawn["kind"] == "E"].head(12).assign(tail_fraction=0.0)
    assert looked_at(round_, lambda galaxy: replace(conditions, fwhm=2.0))["SPIRAL"] < 0.05


def test_votes_for_spiral_rise_with_the_contrast_of_the_arms(spirals: pd.DataFrame, conditions: Exposure) -> None:
    shares = [
        looked_at(spirals.assign(arm_contrast=contrast), lambda galaxy: conditions)["P_CS"]
        for contrast in (0.05, 0.5, 1.8)
    ]
    assert shares == sorted(shares)
    assert shares[-1] - shares[0] > 0.3


def test_classes_have_the_shares_of_the_real_table() -> None:
    rng = np.random.default_rng(20081101)
    votes = looked_at(population.draw(200, rng), lambda galaxy: exposure.draw(1, 1.43, rng)[0])
    assert 0.20 < votes["SPIRAL"] < 0.33
    assert 0.06 < votes["ELLIPTICAL"] < 0.15
    assert votes[["P_EL", "P_CS"]].tolist() == pytest.approx([0.55, 0.35], abs=0.06)
