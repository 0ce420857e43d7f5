import numpy as np
import pandas as pd
import pytest

from galmorph.errors import GalmorphError
from galmorph.sdss.galaxyzoo import read_table2
from galmorph.settings.survey import LimitsSettings
from galmorph.sources.sample import choose_sample, within
from tests.support.frames import table2_row, write_table2
from tests.support.parameters import NO_LIMITS, sample


@pytest.fixture
def catalogue(tmp_path):
    rows = [table2_row(number, 10.0 + number, 5.0) for number in range(1, 7)]
    return read_table2(write_table2(tmp_path / "catalogue.csv", rows))


def test_sample_rules(catalogue):
    assert choose_sample(catalogue, sample("first", 2))["objid"].tolist() == [1, 2]
    assert choose_sample(catalogue, sample("first"))["objid"].tolist() == [1, 2, 3, 4, 5, 6]
    chosen = choose_sample(catalogue, sample("random", 4))
    assert chosen["objid"].is_monotonic_increasing
    assert (chosen.index + 1).tolist() == chosen["objid"].tolist()
    again = choose_sample(catalogue, sample("random", 4))
    pd.testing.assert_frame_equal(chosen, again)
    others = {tuple(choose_sample(catalogue, sample("random", 3, seed))["objid"]) for seed in range(10)}
    assert len(others) > 3


def test_more_than_there_are(catalogue):
    for rule in ("first", "random"):
        with pytest.raises(GalmorphError, match=r"survey\.sample\.galaxies: 7 requested, 6 to choose from"):
            choose_sample(catalogue, sample(rule, 7))
    with pytest.raises(GalmorphError, match="sample is empty"):
        choose_sample(catalogue.iloc[:0], sample("first"))


def test_limits_come_before_the_rule(catalogue):
    # Galaxy n lies at right ascension 10 + n.
    assert choose_sample(catalogue, sample("first", 2, ra=(12.5, 15.5)))["objid"].tolist() == [3, 4]
    assert set(choose_sample(catalogue, sample("random", 3, ra=(12.5, 15.5)))["objid"]) == {3, 4, 5}
    assert choose_sample(catalogue, sample("first", ra=(14.5, 11.5)))["objid"].tolist() == [1, 5, 6]
    with pytest.raises(GalmorphError, match=r"3 requested, 2 to choose from within the limits, of 6; lower it"):
        choose_sample(catalogue, sample("first", 3, ra=(12.5, 14.5)))
    with pytest.raises(GalmorphError, match="sample is empty: 0 to choose from within the limits"):
        choose_sample(catalogue, sample("first", dec=(80, 90)))


def test_an_unknown_redshift_is_outside(catalogue):
    known = catalogue.assign(redshift=[0.01, np.nan, 0.03, 0.05, 0.1, 0.2])
    limits = LimitsSettings.model_validate(NO_LIMITS | {"redshift": (0.03, 0.1)})
    assert within(known, limits).tolist() == [False, False, True, True, True, False]
    with pytest.raises(GalmorphError, match=r"limits\.redshift: the catalogue has no such column; .* table"):
        within(catalogue, limits)
