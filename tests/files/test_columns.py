import logging

import numpy as np
import pandas as pd
import pytest

from galmorph.errors import GalmorphError
from galmorph.files.texttable import find_columns, object_ids, read_text_table, real_numbers


@pytest.mark.parametrize(
    "headings",
    ["objid,ra,redshift", "OBJID, RA , Redshift", "ObjID,R_A,red-shift", "dr7objid,raj2000,z", '"objid","ra","z"'],
)
def test_headings_in_any_case_with_blanks_and_by_other_names(tmp_path, headings):
    path = tmp_path / "t.csv"
    path.write_text(f"note,{headings}\nn,1,2,3\n")
    table = find_columns(read_text_table(path), path, ("objid",), ("ra", "dec", "redshift"))
    assert table.to_dict("list") == {"objid": ["1"], "ra": ["2"], "redshift": ["3"]}


def test_which_columns_are_used(tmp_path, caplog):
    path = tmp_path / "t.csv"
    path.write_text("Stamp,PixelScale,flux,g,r,z\na,1,2,3,4,5\n")
    with caplog.at_level(logging.INFO):
        find_columns(read_text_table(path), path, ("stamp",), ("pixel_scale", "redshift"), announce=True)
    # Beside g and r, z is a magnitude.
    assert caplog.messages == [
        f"{path}: columns used: stamp (Stamp), pixel_scale (PixelScale); not used: flux, g, r, z; absent: redshift"
    ]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (
            "objid|ra|dec",
            r"no column ra; .*the separator seems to be '\|': separate the columns by comma, semicolon, tab",
        ),
        ("objid ra dec", "no column ra; .*the separator seems to be ' '"),
        ("objid,decl,a", "no column ra; the columns needed are ra; those of the table are 'objid', 'decl', 'a'"),
        ("ra,RA,a", r"two columns ra \(ra, RA\); rename or remove one"),
        ("1,2.5,-3", r"no header: '1,2\.5,-3' are numbers"),
    ],
)
def test_headings_that_are_not_understood(tmp_path, header, message):
    path = tmp_path / "t.csv"
    path.write_text(f"{header}\n{header}\n")
    with pytest.raises(GalmorphError, match=rf"t\.csv: .*{message}"):
        find_columns(read_text_table(path), path, ("ra",))


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        ("-5", "is negative"),
        ("58772717898635682300", r"has too many digits \(20\) for a number of 64 bits"),
        ("9587727227300741210", r"has too many digits \(19\)"),
        ("5.87727E+17", "is not a whole number but one that a spreadsheet or a float64 may have rounded"),
        ("587727178986356823.0", "is not a whole number but one that"),
        ("five", "is not a whole number; correct"),
    ],
)
def test_why_an_id_is_none(tmp_path, cell, why):
    path = tmp_path / "t.csv"
    path.write_text(f"objid\n{cell}\n")
    with pytest.raises(GalmorphError, match=f"line 2: objid '.*' {why}"):
        object_ids(read_text_table(path), "objid", path)


def test_decimal_commas(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("n;z\n1;0,05\n")
    with pytest.raises(GalmorphError, match=r"z '0,05' is not a number .*decimals follow a point, not a comma"):
        real_numbers(read_text_table(path), "z", path, 0, 1)


IDS = np.array([587727178986356823, 587727227300741210, 587727225153257596, 587727178986356777])


@pytest.mark.parametrize(
    ("rounded", "reason"),
    [
        (IDS // 1000 * 1000, "4 of 4 numbers in objid are multiples of 1,000: a spreadsheet keeps 15 digits"),
        (
            IDS.astype(np.float64).astype(np.int64),
            "4 of 4 numbers in objid are multiples of 64: a float64 holds no other",
        ),
        (np.append(IDS[:3] // 1000 * 1000, IDS[3]), "3 of 4 numbers in objid are multiples of 1,000"),
    ],
    ids=["spreadsheet", "float64", "most of them"],
)
def test_rounded_ids(tmp_path, rounded, reason):
    path = tmp_path / "t.csv"
    for ids in (IDS, IDS % 10**6 * 1000):
        pd.DataFrame({"objid": ids}).to_csv(path, index=False)
        assert object_ids(read_text_table(path), "objid", path).tolist() == ids.tolist()
    pd.DataFrame({"objid": rounded}).to_csv(path, index=False)
    with pytest.raises(GalmorphError, match=reason):
        object_ids(read_text_table(path), "objid", path)
