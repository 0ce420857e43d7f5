from __future__ import annotations

import gzip
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framemaker import TABLE2_HEADER, table2_row, write_table2
from galmorph.errors import GalmorphError
from galmorph.galaxyzoo import RedshiftCounts, choose_sample, join_redshifts, read_redshifts, read_table2
from galmorph.settings import SampleSettings

FIRST = (
    "587727178986356823,00:00:00.41,-10:22:25.7,59,0.61,0.034,0,0.153,0.153,0.051,0.186,0.61,0.186,0,0,1",
    "587727227300741210,00:00:00.74,-09:13:20.2,18,0.611,0,0.167,0.222,0,0,0.389,0.203,0.797,1,0,0",
    "587727225153257596,00:00:01.03,-10:56:48.0,68,0.735,0.029,0,0.147,0.074,0.015,0.176,0.432,0.428,0,1,0",
)


def sample(rule: str, size: int | None = None, seed: int = 1) -> SampleSettings:
    return SampleSettings.model_validate({"rule": rule, "galaxies": size, "seed": seed})


def test_table2_types_and_values(tmp_path: Path) -> None:
    table = read_table2(write_table2(tmp_path / "t.csv", FIRST))
    assert {name: str(kind) for name, kind in table.dtypes.items()} == {
        "objid": "int64",
        "ra": "float64",
        "dec": "float64",
        "nvote": "int32",
        **dict.fromkeys(
            ("p_el", "p_cw", "p_acw", "p_edge", "p_dk", "p_mg", "p_cs", "p_el_debiased", "p_cs_debiased"), "float64"
        ),
        "class": "str",
    }
    assert table["objid"].tolist() == [587727178986356823, 587727227300741210, 587727225153257596]
    assert table["class"].tolist() == ["uncertain", "spiral", "elliptical"]
    assert table["ra"].tolist() == pytest.approx([0.41 / 240, 0.74 / 240, 1.03 / 240])
    assert table["dec"].tolist() == pytest.approx(
        [-(10 + 22 / 60 + 25.7 / 3600), -(9 + 13 / 60 + 20.2 / 3600), -10.94666667]
    )
    assert table["p_cs_debiased"].tolist() == [0.186, 0.797, 0.428]


def test_ids_keep_every_digit(tmp_path: Path) -> None:
    # As float64 these two are one number.
    rows = [FIRST[0], FIRST[0].replace("587727178986356823", "587727178986356824")]
    assert read_table2(write_table2(tmp_path / "t.csv", rows))["objid"].tolist() == [
        587727178986356823,
        587727178986356824,
    ]


def test_gzipped_table_and_a_damaged_one(tmp_path: Path) -> None:
    text = "\n".join([TABLE2_HEADER, *FIRST]).encode()
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(text))
    assert len(read_table2(path)) == 3
    path.write_bytes(gzip.compress(text)[:-8])
    with pytest.raises(GalmorphError, match=r"t\.csv\.gz: damaged or cut short .* fetch the file again"):
        read_table2(path)


@given(ra=st.floats(0, 359.999), dec=st.floats(-89.999, 89.999))
def test_coordinates_round_trip(tmp_path_factory: pytest.TempPathFactory, ra: float, dec: float) -> None:
    path = write_table2(tmp_path_factory.getbasetemp() / "roundtrip.csv", [table2_row(1, ra, dec)])
    table = read_table2(path)
    assert abs(table["ra"][0] - ra) * 3600 < 0.001
    assert abs(table["dec"][0] - dec) * 3600 < 0.001


def test_a_small_negative_declination_keeps_its_sign(tmp_path: Path) -> None:
    row = FIRST[0].replace("-10:22:25.7", "-00:00:30.0")
    assert read_table2(write_table2(tmp_path / "t.csv", [row]))["dec"][0] == pytest.approx(-30 / 3600)


WRONG = {
    "two flags": (FIRST[1][:-5] + "1,1,0", r"line 3 \(OBJID 587727227300741210\): flags '1,1,0' .*exactly one class"),
    "no flag": (FIRST[1][:-5] + "0,0,0", r"line 3 .*flags '0,0,0'"),
    "half a flag": (FIRST[1][:-5] + "0.5,0.5,0", r"line 3 .*flags"),
    "duplicate": (FIRST[0], "line 3: OBJID '587727178986356823' stands in the table twice"),
    "id as float": (FIRST[1].replace("587727227300741210", "5.877e+17"), "line 3: OBJID '5.877e\\+17' is not a whole"),
    "id too large": (FIRST[1].replace("587727227300741210", "9587727227300741210"), "line 3: OBJID"),
    "ra in degrees": (FIRST[1].replace("00:00:00.74", "0.00308"), "line 3 .*RA '0.00308' is not hours"),
    "ra too large": (FIRST[1].replace("00:00:00.74", "25:00:00.74"), "RA '25:00:00.74' is not hours"),
    "ra negative": (FIRST[1].replace("00:00:00.74", "-01:00:00.74"), "RA '-01:00:00.74' is not hours"),
    "dec of 91": (FIRST[1].replace("-09:13:20.2", "-91:13:20.2"), "DEC '-91:13:20.2' is not degrees"),
    "dec of words": (FIRST[1].replace("-09:13:20.2", "south"), "DEC 'south' is not degrees"),
    "votes": (FIRST[1].replace(",18,", ",many,"), "line 3 .*NVOTE 'many' is not a number"),
    "share above one": (FIRST[1].replace("0.611", "61.1"), "P_EL '61.1' is not a number from 0 to 1"),
    "a row cut short": (FIRST[1][:60], "line 3 "),
}


@pytest.mark.parametrize("fault", WRONG)
def test_a_wrong_row_is_named(tmp_path: Path, fault: str) -> None:
    row, message = WRONG[fault]
    path = write_table2(tmp_path / "t.csv", [FIRST[0], row, FIRST[2]])
    with pytest.raises(GalmorphError, match=message) as caught:
        read_table2(path)
    assert str(path) in str(caught.value)
    assert "correct the table" in str(caught.value)


def test_wrong_files(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    with pytest.raises(GalmorphError, match=r"no such file; put the table there or correct its name in params\.yaml"):
        read_table2(path)
    path.write_text("")
    with pytest.raises(GalmorphError, match="empty"):
        read_table2(path)
    path.write_text(TABLE2_HEADER + "\n")
    with pytest.raises(GalmorphError, match="a header and no rows"):
        read_table2(path)
    path.write_text("\n".join([TABLE2_HEADER.replace("P_EDGE", "EDGE"), *FIRST]))
    with pytest.raises(GalmorphError, match="no column P_EDGE"):
        read_table2(path)
    path.write_bytes(b"OBJID\n\xff\xfe\n")
    with pytest.raises(GalmorphError, match="not a CSV table"):
        read_table2(path)


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
        ("objid,redshift\n1,0.1\n1,0.2\n", "line 3: objid '1' stands in the table twice"),
        ("objid,ra,dec,redshift\n1,1,1,0.1\n,1,,0.2\n", "line 3: objid '' and no position"),
        ("objid,ra,dec,redshift\n,400,1,0.2\n", "line 2 .*ra '400'"),
    ],
)
def test_wrong_redshifts(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "z.csv"
    path.write_text(text)
    with pytest.raises(GalmorphError, match=message):
        read_redshifts(path)


def test_sample_rules(catalogue: pd.DataFrame) -> None:
    assert choose_sample(catalogue, sample("first", 2))["objid"].tolist() == [1, 2]
    assert choose_sample(catalogue, sample("first"))["objid"].tolist() == [1, 2, 3, 4, 5, 6]
    chosen = choose_sample(catalogue, sample("random", 4))
    assert chosen["objid"].is_monotonic_increasing
    assert (chosen.index + 1).tolist() == chosen["objid"].tolist()
    again = choose_sample(catalogue, sample("random", 4))
    pd.testing.assert_frame_equal(chosen, again)
    others = {tuple(choose_sample(catalogue, sample("random", 3, seed))["objid"]) for seed in range(10)}
    assert len(others) > 3


def test_more_than_there_are(catalogue: pd.DataFrame) -> None:
    for rule in ("first", "random"):
        with pytest.raises(GalmorphError, match=r"survey\.sample\.galaxies: 7 requested, 6 to choose from"):
            choose_sample(catalogue, sample(rule, 7))
    with pytest.raises(GalmorphError, match="sample is empty"):
        choose_sample(catalogue.iloc[:0], sample("first"))


@pytest.mark.real
def test_the_real_rows(real_data: Path) -> None:
    table = read_table2(real_data / "galaxyzoo1" / "GalaxyZoo1_DR_table2_first6185.csv")
    assert table["class"].value_counts().to_dict() == {"spiral": 1662, "elliptical": 651, "uncertain": 3872}
    positions = pd.read_csv(real_data / "galaxyzoo1" / "labels_95929.csv.gz").set_index("objid_dr7")
    there = positions.loc[table["objid"]]
    np.testing.assert_allclose(table["ra"], there["ra"], rtol=0, atol=1e-9)
    np.testing.assert_allclose(table["dec"], there["dec"], rtol=0, atol=1e-9)
    assert table["class"].str[0].str.upper().tolist() == there["label"].tolist()


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


@pytest.mark.real
def test_a_table_as_long_as_the_whole(real_data: Path, tmp_path: Path) -> None:
    header, *rows = (real_data / "galaxyzoo1" / "GalaxyZoo1_DR_table2_first6185.csv").read_text().splitlines()
    first = 587727178986356823
    body = [f"{first + 6185 * copy + index}{row[18:]}" for copy in range(108) for index, row in enumerate(rows)]
    path = tmp_path / "t.csv"
    path.write_text("\n".join([header, *body]))
    start = time.perf_counter()
    assert len(read_table2(path)) == 667_980
    assert time.perf_counter() - start < 20
