import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from galmorph.sources.simulated import survey, volunteers
from validation import votes
from validation.shape import magnitude_and_size


@pytest.fixture
def table(tmp_path):
    """Write a Table 2 of 200 simulated galaxies and return its path."""
    galaxies = pd.DataFrame(np.ones((200, len(volunteers.VOTED_ON))), columns=volunteers.VOTED_ON)
    galaxies["arm_visibility"] = np.geomspace(0.3, 300, 200)
    galaxies = galaxies.assign(objid=range(587722981741363200, 587722981741363400), ra=10.0, dec=1.0)
    catalogue = pd.concat([galaxies, volunteers.poll(galaxies, np.random.default_rng(1))], axis=1)
    survey.write_table2(catalogue, tmp_path / "GalaxyZoo1_DR_table2.csv")
    return tmp_path / "GalaxyZoo1_DR_table2.csv"


def test_a_table_is_at_no_distance_from_itself(table, capsys, monkeypatch, tmp_path):
    figure = tmp_path / "votes.png"
    monkeypatch.setattr("sys.argv", ["votes", str(table), "--survey", str(table.parent), "--figure", str(figure)])
    votes.main()
    printed = capsys.readouterr().out
    assert printed.count(" 0.000 |") >= len(votes.SHARES)
    for name in votes.CLASSES:
        assert name in printed
    assert figure.stat().st_size > 5000


@given(st.lists(st.floats(0, 1), min_size=1), st.lists(st.floats(0, 1), min_size=1))
def test_the_distance_is_a_share_of_rows_and_symmetric(one, two):
    a, b = votes.histogram(pd.Series(one)), votes.histogram(pd.Series(two))
    assert a.sum() == pytest.approx(1)
    assert 0 <= votes.distance(a, b) <= 1 + 1e-12
    assert votes.distance(a, b) == votes.distance(b, a)


def test_rows_that_have_to_move_are_counted():
    assert (
        votes.distance(votes.histogram(pd.Series([0.05] * 3 + [0.95])), votes.histogram(pd.Series([0.05] * 4))) == 0.25
    )


def test_magnitude_and_size_of_a_gaussian():
    y, x = np.indices((64, 64)) - 32
    images = []
    for sigma, flux in ((3.0, 1000.0), (6.0, 1000.0), (3.0, 2000.0)):
        images.append(flux / (2 * np.pi * sigma**2) * np.exp(-(x**2 + y**2) / (2 * sigma**2)))
    measured = magnitude_and_size(np.array(images, np.float32))
    # Half of a Gaussian's flux lies within 1.177 sigma.
    np.testing.assert_allclose(measured[:, 1], [1.177 * 3, 1.177 * 6, 1.177 * 3], atol=0.5)
    np.testing.assert_allclose(measured[:, 0] - measured[0, 0], [0, 0, -2.5 * np.log10(2)], atol=0.01)
