"""Whatever happened to a file of the pipeline: what is read is right, or the file is named with the remedy."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from galmorph.errors import GalmorphError
from galmorph.files.datafiles import open_stamps, read_table

STAMPS = np.arange(3 * 8 * 8, dtype=np.float32).reshape(3, 8, 8)
TABLE = pd.DataFrame({"objid": [587722981736906801, 2], "class": ["spiral", "elliptical"]})


def test_what_was_written_is_read(tmp_path):
    np.save(tmp_path / "images.npy", STAMPS)
    np.testing.assert_array_equal(open_stamps(tmp_path / "images.npy"), STAMPS)
    TABLE.to_parquet(tmp_path / "table.parquet", index=False)
    pd.testing.assert_frame_equal(read_table(tmp_path / "table.parquet"), TABLE)
    assert read_table(tmp_path / "table.parquet", ["class"]).columns.tolist() == ["class"]
    assert read_table(tmp_path / "table.parquet", filters=[("objid", "==", 2)])["class"].tolist() == ["elliptical"]


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (STAMPS.astype(np.float64), "not stamps"),
        (STAMPS[0], "not stamps"),
        (STAMPS[:, :4], "stamps of 8 x 4 pixels, not square"),
        (np.array([{"a": 1}], dtype=object), "not a whole .npy file"),
    ],
)
def test_other_arrays_are_refused(tmp_path, made, words):
    np.save(tmp_path / "images.npy", made, allow_pickle=True)
    with pytest.raises(GalmorphError, match=rf"images\.npy: {words}.*dvc checkout restores it"):
        open_stamps(tmp_path / "images.npy")


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(GalmorphError, match=r"images\.npy: no such file; dvc checkout"):
        open_stamps(tmp_path / "images.npy")
    with pytest.raises(GalmorphError, match=r"table\.parquet: no such file; dvc checkout"):
        read_table(tmp_path / "table.parquet")
    TABLE.to_parquet(tmp_path / "table.parquet")
    for asked in ({"columns": ["objid", "run"]}, {"filters": [("run", "==", 1)]}):
        with pytest.raises(GalmorphError, match=r"table\.parquet: no column run"):
            read_table(tmp_path / "table.parquet", **asked)


@settings(max_examples=40)
@given(st.data())
def test_a_damaged_file_is_refused_or_of_the_right_kind(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("files")
    np.save(folder / "images.npy", STAMPS)
    TABLE.to_parquet(folder / "table.parquet", index=False)
    for name, read in (("images.npy", open_stamps), ("table.parquet", read_table)):
        content = bytearray((folder / name).read_bytes())
        if data.draw(st.booleans()):
            content = content[: data.draw(st.integers(0, len(content) - 1))]
        else:
            content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        (folder / name).write_bytes(content)
        try:
            found = read(folder / name)
        except GalmorphError as error:
            assert name in str(error)  # noqa: PT017
        else:
            # Neither format has a checksum of its pixels: that is DVC's md5.
            assert isinstance(found, np.ndarray | pd.DataFrame)
