import gzip

import numpy as np
import pandas as pd
import pytest

from galmorph.errors import GalmorphError
from galmorph.sdss.galaxyzoo import read_table2
from tests.support.frames import TABLE2_HEADER, table2_row, write_table2

FIRST = (
    "587727178986356823,00:00:00.41,-10:22:25.7,59,0.61,0.034,0,0.153,0.153,0.051,0.186,0.61,0.186,0,0,1",
    "587727227300741210,00:00:00.74,-09:13:20.2,18,0.611,0,0.167,0.222,0,0,0.389,0.203,0.797,1,0,0",
    "587727225153257596,00:00:01.03,-10:56:48.0,68,0.735,0.029,0,0.147,0.074,0.015,0.176,0.432,0.428,0,1,0",
)


def test_table2_types_and_values(tmp_path):
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


def test_ids_keep_every_digit(tmp_path):
    # As float64 these two are one number.
    rows = [FIRST[0], FIRST[0].replace("587727178986356823", "587727178986356824")]
    assert read_table2(write_table2(tmp_path / "t.csv", rows))["objid"].tolist() == [
        587727178986356823,
        587727178986356824,
    ]


def test_gzipped_table_and_a_damaged_one(tmp_path):
    text = "\n".join([TABLE2_HEADER, *FIRST]).encode()
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(text))
    assert len(read_table2(path)) == 3
    path.write_bytes(gzip.compress(text)[:-8])
    with pytest.raises(GalmorphError, match=r"t\.csv\.gz: damaged or cut short; fetch the file again"):
        read_table2(path)


def test_coordinates_round_trip(tmp_path):
    rng = np.random.default_rng(0)
    # A small negative declination keeps its sign, though -00 is 0 as a number.
    ra, dec = np.append(rng.uniform(0, 359.999, 200), 1), np.append(rng.uniform(-89.999, 89.999, 200), -30 / 3600)
    rows = [table2_row(number, *place) for number, place in enumerate(zip(ra, dec, strict=True))]
    table = read_table2(write_table2(tmp_path / "t.csv", rows))
    np.testing.assert_allclose(table[["ra", "dec"]], np.column_stack([ra, dec]), rtol=0, atol=0.001 / 3600)


WRONG = {
    "two flags": (FIRST[1][:-5] + "1,1,0", r"line 3 \(OBJID 587727227300741210\): flags '1,1,0' .*exactly one class"),
    "no flag": (FIRST[1][:-5] + "0,0,0", r"line 3 .*flags '0,0,0'"),
    "half a flag": (FIRST[1][:-5] + "0.5,0.5,0", r"line 3 .*flags"),
    "duplicate": (FIRST[0], "line 3: OBJID '587727178986356823' is in the table twice"),
    "id as float": (FIRST[1].replace("587727227300741210", "5.877e+17"), "line 3: OBJID '5.877e\\+17' is not a whole"),
    "id negative": (FIRST[1].replace("587727227300741210", "-587727227300741210"), "line 3: OBJID '-.*' is negative"),
    "id too large": (FIRST[1].replace("587727227300741210", "9587727227300741210"), "line 3: OBJID"),
    "ra in degrees": (FIRST[1].replace("00:00:00.74", "0.00308"), "line 3 .*RA '0.00308' is not hours"),
    "ra too large": (FIRST[1].replace("00:00:00.74", "25:00:00.74"), "RA '25:00:00.74' is not hours"),
    "ra negative": (FIRST[1].replace("00:00:00.74", "-01:00:00.74"), "RA '-01:00:00.74' is not hours"),
    "dec of 91": (FIRST[1].replace("-09:13:20.2", "-91:13:20.2"), "DEC '-91:13:20.2' is not degrees"),
    "dec of words": (FIRST[1].replace("-09:13:20.2", "south"), "DEC 'south' is not degrees"),
    "votes": (FIRST[1].replace(",18,", ",many,"), "line 3 .*NVOTE 'many' is not a number"),
    "votes by halves": (FIRST[1].replace(",18,", ",18.5,"), "line 3 .*NVOTE '18.5' is not a whole number"),
    "share above one": (FIRST[1].replace("0.611", "61.1"), "P_EL '61.1' is not a number from 0 to 1"),
    "a row cut short": (FIRST[1][:60], "line 3: 8 cells, the header has 16 columns"),
}


@pytest.mark.parametrize("fault", WRONG)
def test_a_wrong_row_is_named(tmp_path, fault):
    row, message = WRONG[fault]
    path = write_table2(tmp_path / "t.csv", [FIRST[0], row, FIRST[2]])
    with pytest.raises(GalmorphError, match=message) as caught:
        read_table2(path)
    assert str(path) in str(caught.value)
    assert "correct the table" in str(caught.value)


def test_wrong_files(tmp_path):
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
    with pytest.raises(GalmorphError, match="line 2: not UTF-8"):
        read_table2(path)


@pytest.mark.real
@pytest.mark.parametrize("rounded", [lambda ids: ids // 1000 * 1000, lambda ids: ids.astype(float).astype("int64")])
def test_the_real_ids_rounded(real_data, tmp_path, rounded):
    path = real_data / "galaxyzoo1" / "GalaxyZoo1_DR_table2_first6185.csv"
    table = pd.read_csv(path, dtype=str)
    table["OBJID"] = rounded(table["OBJID"].astype("int64")).astype(str)
    table.to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(GalmorphError, match=r"6,185 of 6,185 numbers in OBJID are multiples of (1,000|64): "):
        read_table2(tmp_path / "t.csv")


@pytest.mark.real
def test_the_real_table_from_a_spreadsheet(real_data, tmp_path):
    path = real_data / "galaxyzoo1" / "GalaxyZoo1_DR_table2_first6185.csv"
    text = path.read_text().replace("OBJID", "objid ").replace(",", ";").replace("\n", "\r\n")
    (tmp_path / "t.csv").write_bytes(text.encode("utf-16"))
    pd.testing.assert_frame_equal(read_table2(tmp_path / "t.csv"), read_table2(path))


@pytest.mark.real
def test_the_real_rows(real_data):
    table = read_table2(real_data / "galaxyzoo1" / "GalaxyZoo1_DR_table2_first6185.csv")
    assert table["class"].value_counts().to_dict() == {"spiral": 1662, "elliptical": 651, "uncertain": 3872}
    positions = pd.read_csv(real_data / "galaxyzoo1" / "labels_95929.csv.gz").set_index("objid_dr7")
    there = positions.loc[table["objid"]]
    np.testing.assert_allclose(table["ra"], there["ra"], rtol=0, atol=1e-9)
    np.testing.assert_allclose(table["dec"], there["dec"], rtol=0, atol=1e-9)
    assert table["class"].str[0].str.upper().tolist() == there["label"].tolist()
