import gzip
import io
import logging
import threading
from collections.abc import Generator
from typing import cast

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from galmorph.errors import GalmorphError
from galmorph.files import textlines, texttable
from galmorph.files.texttable import copy_rows, read_blocks, read_text_table, whole_numbers


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    monkeypatch.setattr(textlines, "BLOCK", 10)


def numbered(path, count):
    path.write_text("n,text\n" + "".join(f"{number},x{number}\n" for number in range(count)))
    return path


def test_blocks_know_their_rows(tmp_path):
    blocks = list(read_blocks(numbered(tmp_path / "t.csv", 5)))
    assert [block.index.tolist() for block in blocks] == [[0, 1], [2, 3], [4]]
    assert read_text_table(tmp_path / "t.csv")["text"].tolist() == ["x0", "x1", "x2", "x3", "x4"]


def test_a_wrong_cell_in_a_later_block_is_named_by_its_line(tmp_path):
    path = numbered(tmp_path / "t.csv", 5)
    path.write_text(path.read_text().replace("3,x3", "t,x3"))
    first, second, _ = read_blocks(path)
    assert whole_numbers(first, "n", path).tolist() == [0, 1]
    with pytest.raises(GalmorphError, match="line 5: n 't' is not a whole number"):
        whole_numbers(second, "n", path)


@given(count=st.integers(1, 9), data=st.data(), packed=st.booleans(), ending=st.sampled_from(["\n", "\r\n"]))
def test_copied_rows_are_the_lines_themselves(tmp_path_factory, count, data, packed, ending):
    folder = tmp_path_factory.mktemp("rows")
    rows = data.draw(st.sets(st.integers(0, count - 1)))
    lines = ["n,text", *(f"{number:03d}, x {number}" for number in range(count))]
    content = "\ufeff".encode() + ending.join([*lines, "", ""]).encode()
    path = folder / ("t.csv.gz" if packed else "t.csv")
    path.write_bytes(gzip.compress(content) if packed else content)
    copy_rows(path, rows, count, folder / "copy.csv")
    expected = [lines[0], *(lines[row + 1] for row in sorted(rows))]
    assert (folder / "copy.csv").read_bytes() == ("\n".join(expected) + "\n").encode()


def test_a_line_break_within_a_cell(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('n,text\n1,"two\nlines"\n')
    with pytest.raises(GalmorphError, match="line 2: text holds a line break, or begins with a quote"):
        read_text_table(path)
    with pytest.raises(GalmorphError, match="2 lines for 1 row; remove line breaks within cells"):
        copy_rows(path, [0], 1, tmp_path / "copy.csv")


@pytest.mark.parametrize("number", [2, 301])
def test_a_row_far_into_the_file_is_named_by_its_line(tmp_path, number):
    lines = ["a,b", *(f"{row},x" for row in range(400))]
    lines[number - 1] += ",y"
    (tmp_path / "t.csv").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(GalmorphError, match=f"line {number}: 3 cells, the header has 2 columns; correct the table"):
        read_text_table(tmp_path / "t.csv")


@pytest.mark.fault
def test_a_table_that_is_left_in_the_middle_is_not_read_on(tmp_path, monkeypatch):
    """A thread that still reads ahead when its reader has closed the file crashes the process."""
    readers = set()

    class Watched(io.BytesIO):
        def read(self, size=-1):
            readers.add(threading.get_ident())
            return super().read(size)

    table = b"a,b\n" + b"1,x\n" * 200_000
    monkeypatch.setattr(texttable, "open_text", lambda path: Watched(table))
    blocks = cast("Generator[pd.DataFrame, None, None]", read_blocks(tmp_path / "t.csv"))
    first = next(blocks)
    blocks.close()
    assert 0 < len(first) < 200_000
    assert readers == {threading.get_ident()}


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_columns_separated_by_what_the_header_has(tmp_path, separator):
    path = tmp_path / "t.csv"
    path.write_text("\n".join(separator.join(cells) for cells in (('"a"', "b"), ("1", "x"), ("2", '"y z"'))))
    table = read_text_table(path)
    assert table.to_numpy().tolist() == [["1", "x"], ["2", "y z"]]
    copy_rows(path, [1], 2, tmp_path / "copy.csv")
    assert read_text_table(tmp_path / "copy.csv").to_numpy().tolist() == [["2", "y z"]]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_lines_are_counted_with_blank_lines_and_comments(tmp_path, ending):
    path = tmp_path / "t.csv"
    lines = ["", "# made today", "n,t", "", "1,a", "  ", "# one more", "2,b", "", "x,c", "y,d"]
    path.write_bytes(ending.join(lines).encode())
    table = read_text_table(path)
    assert table["t"].tolist() == ["a", "b", "c", "d"]
    assert table.index.tolist() == [0, 1, 2, 3]
    with pytest.raises(GalmorphError, match=r"line 10: n 'x' is not a whole number \(1 more such rows\)"):
        whole_numbers(table, "n", path)
    path.write_bytes(ending.join([*lines, "", "3,b,c"]).encode())
    with pytest.raises(GalmorphError, match="line 13: 3 cells, the header has 2 columns"):
        read_text_table(path)


def test_comments_are_counted(tmp_path, caplog):
    path = tmp_path / "t.csv"
    path.write_text("#Table1\nn\n1\n#2\n")
    with caplog.at_level(logging.INFO):
        assert len(read_text_table(path)) == 1
    assert caplog.messages == [f"{path}: lines left out as comments, because they begin with #: 2"]
