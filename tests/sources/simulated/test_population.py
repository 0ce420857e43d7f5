import numpy as np
import pandas as pd
import pytest

from galmorph.settings.survey import TypesSettings
from galmorph.sources.simulated import population


@pytest.fixture(scope="module")
def galaxies() -> pd.DataFrame:
    return population.draw(6000, np.random.default_rng(5))


def test_magnitudes_follow_from_luminosity_and_distance_and_keep_the_limits(galaxies: pd.DataFrame) -> None:
    assert galaxies["magnitude"].between(*population.MAGNITUDES).all()
    assert galaxies["redshift"].between(*population.REDSHIFTS).all()
    # An independent distance: the luminosity distance in this cosmology, z (1 + z/2 (1 - q0)) with q0 = -0.55.
    near = galaxies[galaxies["redshift"] < 0.05]
    z = near["redshift"]
    megaparsecs = 299792.458 / 70 * z * (1 + z / 2 * 1.55)
    k = np.where(near["kind"] == "S", 0.8, 1.1) * z
    expected = near["absolute_magnitude"] + 5 * np.log10(megaparsecs) + 25 + k
    np.testing.assert_allclose(near["magnitude"], expected, atol=0.02)


def test_types_and_distances_are_those_of_a_flux_limited_survey(galaxies: pd.DataFrame) -> None:
    share = galaxies["kind"].value_counts(normalize=True)
    assert share["S"] == pytest.approx(0.53, abs=0.03)
    assert share["E"] == pytest.approx(0.29, abs=0.03)
    assert galaxies["redshift"].median() == pytest.approx(0.09, abs=0.006)
    # Bright galaxies are more often of early type.
    bright = galaxies["absolute_magnitude"] < galaxies["absolute_magnitude"].median()
    assert (galaxies["kind"] != "S")[bright].mean() > (galaxies["kind"] != "S")[~bright].mean() + 0.1


def test_only_disks_have_scale_lengths_and_only_spirals_have_arms(galaxies: pd.DataFrame) -> None:
    elliptical, spiral = galaxies["kind"] == "E", galaxies["kind"] == "S"
    assert (galaxies["disk_scale"] == 0).eq(elliptical).all()
    assert (galaxies["bulge_fraction"] == 1).eq(elliptical).all()
    assert (galaxies["arm_contrast"] > 0).eq(spiral).all()
    assert (galaxies["arm_count"][spiral] >= 2).all()
    assert galaxies["bulge_index"].between(1.2, 6).all()
    assert galaxies["axis_ratio"].between(0.12, 1).all()
    assert galaxies.notna().all().all()


def test_arm_contrast_is_bimodal(galaxies: pd.DataFrame) -> None:
    contrast = galaxies["arm_contrast"][galaxies["kind"] == "S"]
    # 60 % around 0.75 and 40 % around 0.12, with little between.
    assert (contrast > 0.4).mean() == pytest.approx(0.58, abs=0.04)
    assert (contrast < 0.25).mean() == pytest.approx(0.37, abs=0.04)


def test_tails_need_a_companion(galaxies: pd.DataFrame) -> None:
    assert (galaxies["companion_distance"] > 0).mean() == pytest.approx(0.05, abs=0.01)
    torn = galaxies["tail_fraction"] > 0
    assert torn.any()
    assert (galaxies.loc[torn, "companion_distance"] > 0).all()


@pytest.mark.parametrize("early", [True, False])
def test_sizes_grow_with_luminosity(early: bool) -> None:
    rng = np.random.default_rng(1)
    kind = np.full(400, early)
    small, large = (np.median(population.half_light_radius(np.full(400, M), kind, rng)) for M in (-19.0, -22.0))
    assert large > 1.8 * small


def test_types_have_the_requested_shares() -> None:
    requested = TypesSettings(elliptical=0.5, lenticular=0.0, spiral=0.5)
    kind = population.draw(4000, np.random.default_rng(1), requested)["kind"]
    assert (kind == "E").mean() == pytest.approx(0.5, abs=0.03)
    assert not (kind == "S0").any()
    only_spirals = TypesSettings(elliptical=0, lenticular=0, spiral=1)
    assert (population.draw(50, np.random.default_rng(1), only_spirals)["kind"] == "S").all()
