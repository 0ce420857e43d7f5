import dataclasses
import math
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from galmorph.errors import GalmorphError
from galmorph.sdss.galaxyzoo import VOTES
from galmorph.settings.study import CutoutSettings
from galmorph.stamps.stampset import CATALOGUE_COLUMNS, MEASURED_COLUMNS, Reject, Stamp, write_block, write_stamp_set

Results = list[Stamp | Reject]

SETTINGS = CutoutSettings(stamp_size=16, wide_size=32, sky_inner=16, sky_outer=32, max_rejected_fraction=0.5)


def catalogue(count):
    table = pd.DataFrame({"objid": np.arange(count, dtype=np.int64) + 100, "ra": 1.0, "dec": 2.0, "class": "spiral"})
    table["nvote"] = np.full(count, 40, dtype=np.int32)
    for vote in VOTES:
        table[vote.lower()] = 0.5
    return table.assign(redshift=math.nan, unwanted=1)


def stamp(row, *, wide=True):
    image = np.full((16, 16), row, np.float32)
    large = np.full((32, 32), row, np.float32) if wide else None
    return Stamp(row, image, large, f"frame{row}", row + 0.5, 2.0, 1.3, 0.396, 100.0, 5.0)


def write(folder, table, results, settings=SETTINGS):
    """Write results in blocks of two."""
    with tempfile.TemporaryDirectory() as place:
        blocks = [Path(place) / str(start) for start in range(0, len(results), 2)]
        for number, block in enumerate(blocks):
            write_block(block, results[2 * number : 2 * number + 2])
        return write_stamp_set(folder, lambda: [table[:2], table[2:]], blocks, settings)


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_rows_images_and_wide_stamps_belong_together(tmp_path):
    results: Results = [
        stamp(3),
        Reject(1, "f1", "too near the edge"),
        stamp(0, wide=False),
        stamp(4),
        Reject(2, "", "b: c"),
    ]
    assert write(tmp_path / "set", catalogue(5), results) == (3, 2)
    assert sorted(contents(tmp_path / "set")) == ["galaxies.parquet", "images.npy", "rejected.csv", "wide.npy"]
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
    table = pd.read_parquet(tmp_path / "set" / "galaxies.parquet")
    assert table.columns.tolist() == [*CATALOGUE_COLUMNS, *MEASURED_COLUMNS, "has_wide"]
    assert table["objid"].tolist() == [100, 103, 104]
    assert table["frame"].tolist() == ["frame0", "frame3", "frame4"]
    assert table["x"].tolist() == [0.5, 3.5, 4.5]
    assert table["has_wide"].tolist() == [False, True, True]
    assert {str(table[name].dtype) for name in ("objid", "nvote", "class", "has_wide")} == {
        "int64",
        "int32",
        "str",
        "bool",
    }
    images, wides = (np.load(tmp_path / "set" / name, mmap_mode="r") for name in ("images.npy", "wide.npy"))
    assert (images.shape, images.dtype, wides.shape, wides.dtype) == ((3, 16, 16), "float32", (2, 32, 32), "float32")
    assert images[:, 3, 5].tolist() == [0, 3, 4]
    assert wides[:, 3, 5].tolist() == [3, 4]
    rejected = (tmp_path / "set" / "rejected.csv").read_text().splitlines()
    assert rejected == ["objid,frame,reason", "101,f1,too near the edge", "102,,b: c"]


def test_the_order_of_results_does_not_matter(tmp_path):
    results: Results = [stamp(0), Reject(1, "f", "r"), stamp(2, wide=False), stamp(3), Reject(4, "g", "s")]
    write(tmp_path / "a", catalogue(5), results)
    write(tmp_path / "b", catalogue(5), results[::-1])
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_no_wide_stamp_and_no_reject(tmp_path):
    write(tmp_path / "set", catalogue(1), [stamp(0, wide=False)])
    assert np.load(tmp_path / "set" / "wide.npy").shape == (0, 32, 32)
    assert (tmp_path / "set" / "rejected.csv").read_text() == "objid,frame,reason\n"


def same(*rows):
    """Stamps with the pixels of the first; sky and wide stamp may differ."""
    return [dataclasses.replace(stamp(row), image=stamp(rows[0]).image) for row in rows]


def test_of_galaxies_with_the_same_pixels_the_first_is_kept(tmp_path):
    results = [*same(1, 3, 4), stamp(0), Reject(2, "f2", "r")]
    assert write(
        tmp_path / "set", catalogue(5), results, SETTINGS.model_copy(update={"max_rejected_fraction": 0.6})
    ) == (2, 3)
    table = pd.read_parquet(tmp_path / "set" / "galaxies.parquet")
    assert table["objid"].tolist() == [100, 101]
    images, wides = (np.load(tmp_path / "set" / name) for name in ("images.npy", "wide.npy"))
    assert images[:, 0, 0].tolist() == wides[:, 0, 0].tolist() == [0, 1]
    assert (tmp_path / "set" / "rejected.csv").read_text().splitlines()[1:] == [
        "102,f2,r",
        '103,frame3,"same pixels as another galaxy: 101, which is kept"',
        '104,frame4,"same pixels as another galaxy: 101, which is kept"',
    ]


def test_the_same_pixels_under_two_classes_are_all_rejected(tmp_path):
    table = catalogue(4)
    table.loc[3, "class"] = "elliptical"
    assert write(tmp_path / "set", table, [stamp(0), stamp(1), *same(2, 3)]) == (2, 2)
    reason = '"same pixels under several classes: 102 spiral, 103 elliptical"'
    assert (tmp_path / "set" / "rejected.csv").read_text().splitlines()[1:] == [
        f"102,frame2,{reason}",
        f"103,frame3,{reason}",
    ]


def test_many_stamps_with_the_same_pixels_stop_the_pipeline(tmp_path):
    with pytest.raises(GalmorphError, match=r"3 of 4 galaxies rejected \(3 same pixels as another galaxy\), more than"):
        write(tmp_path / "set", catalogue(4), same(0, 1, 2, 3))


def test_too_many_rejected_galaxies_leave_the_old_set(tmp_path):
    write(tmp_path / "set", catalogue(1), [stamp(0)])
    before = contents(tmp_path / "set")
    rejects = [Reject(1, "f1", "off the frame"), Reject(2, "f2", "unreadable: x"), Reject(3, "f3", "unreadable: y")]
    results: Results = [stamp(0), *rejects]
    with pytest.raises(GalmorphError) as caught:
        write(tmp_path / "set", catalogue(4), results)
    message = str(caught.value)
    assert "3 of 4 galaxies rejected (2 unreadable, 1 off the frame)" in message
    assert "101 f1 off the frame; 102 f2 unreadable: x; 103 f3" in message
    assert "raise cutouts.max_rejected_fraction" in message
    assert contents(tmp_path / "set") == before
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_the_limit_itself_is_allowed(tmp_path):
    results: Results = [stamp(0), Reject(1, "f", "r")]
    assert write(tmp_path / "set", catalogue(2), results) == (1, 1)


def test_nothing_accepted_is_refused_at_any_limit(tmp_path):
    settings = SETTINGS.model_copy(update={"max_rejected_fraction": 0.999})
    with pytest.raises(GalmorphError, match="1 of 1 galaxies rejected"):
        write(tmp_path / "set", catalogue(1), [Reject(0, "f", "r")], settings)


@pytest.mark.parametrize(
    "results", [[stamp(0)], [stamp(0), stamp(1), Reject(1, "f", "r")], [stamp(0), stamp(1), stamp(2)]]
)
def test_a_galaxy_without_a_result_or_with_two_is_a_bug(tmp_path, results):
    with pytest.raises(RuntimeError, match="neither cut out nor rejected, or twice"):
        write(tmp_path / "set", catalogue(2), results)
