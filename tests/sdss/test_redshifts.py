import logging

import numpy as np
import pandas as pd
import pytest

from galmorph.errors import GalmorphError
from galmorph.sdss.galaxyzoo import read_table2
from galmorph.sdss.redshifts import join_redshifts, read_redshifts
from tests.support.frames import table2_row, write_table2


@pytest.fixture
def catalogue(tmp_path):
    rows = [table2_row(number, 10.0 + number, 5.0) for number in range(1, 7)]
    return read_table2(write_table2(tmp_path / "catalogue.csv", rows))


def joined(catalogue, path, caplog):
    """Join redshifts; return them and the message that counts them."""
    with caplog.at_level(logging.INFO, "galmorph.sdss.redshifts"):
        return join_redshifts(catalogue, read_redshifts(path))["redshift"], caplog.messages[-1]


def test_redshifts_by_objid_then_by_position(tmp_path, catalogue, caplog):
    path = tmp_path / "z.csv"
    lines = [
        "objid_dr7,ra,dec,label,redshift",
        "2,200.0,5.0,S,0.02",  # by objid, wherever it lies
        ",11.0,5.0005,S,0.01",  # 1.8 arcsec from galaxy 1
        ",13.0,5.0006,S,0.03",  # 2.2 arcsec from galaxy 3
        ",12.0,5.0,S,0.99",  # galaxy 2 has its own already
        "99,14.0,5.0001,S,0.04",  # an id that the catalogue does not have, 0.4 arcsec from galaxy 4
    ]
    path.write_text("\n".join(lines) + "\n")
    redshift, message = joined(catalogue, path, caplog)
    np.testing.assert_array_equal(redshift, [0.01, 0.02, np.nan, 0.04, np.nan, np.nan])
    assert message == "redshifts: 1 by objid, 2 by position, 3 unknown"
    assert "redshift" not in catalogue.columns
    assert "redshifts: 1 of 1 galaxies that have a position there lie more than 30 arcsec from" in caplog.text


@pytest.mark.parametrize(
    ("text", "known"),
    [("objid,redshift\n1,0.05\n", 1), ("ra,dec,redshift\n11.0,5.0,0.05\n", 1), ("objid,ra,dec,redshift\n", 0)],
)
def test_redshift_files_of_any_form(tmp_path, catalogue, text, known):
    (tmp_path / "z.csv").write_text(text)
    redshift = join_redshifts(catalogue, read_redshifts(tmp_path / "z.csv"))["redshift"]
    assert redshift.dtype == np.float64
    assert redshift.count() == known


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("objid,zz\n1,0.1\n", "no column redshift"),
        ("objid,redshift\n1,fast\n", "line 2 .*redshift 'fast'"),
        ("objid,redshift\n1,0.1\n1,0.2\n", "line 3: objid '1' is in the table twice"),
        ("objid,ra,dec,redshift\n1,1,1,0.1\n,1,,0.2\n", "line 3: objid '' and no position"),
        ("objid,ra,dec,redshift\n,400,1,0.2\n", "line 2 .*ra '400'"),
    ],
)
def test_wrong_redshifts(tmp_path, text, message):
    path = tmp_path / "z.csv"
    path.write_text(text)
    with pytest.raises(GalmorphError, match=message):
        read_redshifts(path)


@pytest.mark.real
def test_the_real_redshifts(real_data, caplog):
    path = real_data / "redshift" / "gz1_redshifts.csv"
    redshifts = read_redshifts(path)
    assert len(redshifts) == 6344
    assert (redshifts["objid"] != 0).sum() == 5088
    table = read_table2(real_data / "galaxyzoo1" / "GalaxyZoo1_DR_table2_first6185.csv")
    assert joined(table, path, caplog)[1] == "redshifts: 81 by objid, 0 by position, 6104 unknown"
    labels = pd.read_csv(real_data / "galaxyzoo1" / "labels_95929.csv.gz").rename(columns={"objid_dr7": "objid"})
    by_objid, message = joined(labels, path, caplog)
    assert message == "redshifts: 5088 by objid, 0 by position, 90841 unknown"
    # Without their ids, the same galaxies are found by their positions.
    by_position = join_redshifts(labels, redshifts.assign(objid=0))["redshift"]
    both = by_objid.notna() & by_position.notna()
    assert both.sum() > 5080
    np.testing.assert_array_equal(by_objid[both], by_position[both])
