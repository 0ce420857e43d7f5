from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from galmorph.errors import GalmorphError
from galmorph.sdss.galaxyzoo import read_table2
from galmorph.sdss.redshifts import RedshiftCounts, join_redshifts, read_redshifts
from tests.support.frames import table2_row, write_table2


@pytest.fixture
def catalogue(tmp_path: Path) -> pd.DataFrame:
    rows = [table2_row(number, 10.0 + number, 5.0) for number in range(1, 7)]
    return read_table2(write_table2(tmp_path / "catalogue.csv", rows))


def test_redshifts_by_objid_then_by_position(tmp_path: Path, catalogue: pd.DataFrame) -> None:
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
    joined, counts = join_redshifts(catalogue, read_redshifts(path))
    np.testing.assert_array_equal(joined["redshift"], [0.01, 0.02, np.nan, 0.04, np.nan, np.nan])
    assert counts == RedshiftCounts(by_objid=1, by_position=2, unmatched=3)
    assert "redshift" not in catalogue.columns


def test_redshift_files_of_either_form(tmp_path: Path, catalogue: pd.DataFrame) -> None:
    path = tmp_path / "z.csv"
    path.write_text("objid,redshift\n1,0.05\n")
    assert join_redshifts(catalogue, read_redshifts(path))[1] == RedshiftCounts(1, 0, 5)
    path.write_text("ra,dec,redshift\n11.0,5.0,0.05\n")
    assert join_redshifts(catalogue, read_redshifts(path))[1] == RedshiftCounts(0, 1, 5)
    path.write_text("objid,ra,dec,redshift\n")
    joined, counts = join_redshifts(catalogue, read_redshifts(path))
    assert counts == RedshiftCounts(0, 0, 6)
    assert joined["redshift"].dtype == np.float64


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("objid,z\n1,0.1\n", "no column redshift"),
        ("objid,redshift\n1,fast\n", "line 2 .*redshift 'fast'"),
        ("objid,redshift\n1,0.1\n1,0.2\n", "line 3: objid '1' is in the table twice"),
        ("objid,ra,dec,redshift\n1,1,1,0.1\n,1,,0.2\n", "line 3: objid '' and no position"),
        ("objid,ra,dec,redshift\n,400,1,0.2\n", "line 2 .*ra '400'"),
    ],
)
def test_wrong_redshifts(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "z.csv"
    path.write_text(text)
    with pytest.raises(GalmorphError, match=message):
        read_redshifts(path)


@pytest.mark.real
def test_the_real_redshifts(real_data: Path) -> None:
    redshifts = read_redshifts(real_data / "redshift" / "gz1_redshifts.csv")
    assert len(redshifts) == 6344
    assert (redshifts["objid"] != 0).sum() == 5088
    table = read_table2(real_data / "galaxyzoo1" / "GalaxyZoo1_DR_table2_first6185.csv")
    assert join_redshifts(table, redshifts)[1] == RedshiftCounts(by_objid=81, by_position=0, unmatched=6104)
    labels = pd.read_csv(real_data / "galaxyzoo1" / "labels_95929.csv.gz").rename(columns={"objid_dr7": "objid"})
    assert join_redshifts(labels, redshifts)[1] == RedshiftCounts(by_objid=5088, by_position=0, unmatched=90841)
    # Without their ids, the same galaxies are found where they lie.
    by_position = join_redshifts(labels, redshifts.assign(objid=0))[0]
    by_objid = join_redshifts(labels, redshifts)[0]
    both = by_objid["redshift"].notna() & by_position["redshift"].notna()
    assert both.sum() > 5080
    np.testing.assert_array_equal(by_objid["redshift"][both], by_position["redshift"][both])
