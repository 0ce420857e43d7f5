from __future__ import annotations

import io
import re
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from galmorph.report.table import Table, csv, escape_latex, latex, markdown, write_table

TABLE = Table(
    "table_4_1",
    "Accuracy of two_class, 100 % of it.",
    pd.DataFrame({"condition": ["two_class", "balanced"], "accuracy": [1 / 3, float("nan")]}),
    pd.DataFrame({"Condition": ["two_class", "a|b"], "Mean ± 2 std": ["0.333 ± 0.034", "—"]}),
)


def test_csv_keeps_every_digit_and_leaves_missing_values_empty() -> None:
    text = csv(TABLE.data)
    assert text == "condition,accuracy\ntwo_class,0.3333333333333333\nbalanced,\n"
    assert pd.read_csv(io.StringIO(text))["accuracy"][0] == 1 / 3


def test_markdown_has_caption_table_and_notes() -> None:
    lines = markdown(TABLE, ["A note."]).split("\n")
    assert lines[0] == "Accuracy of two_class, 100 % of it. (Thesis: table 4.1.)"
    assert re.fullmatch(r"\|:-+\|-+:\|", lines[3])
    assert [cell.strip() for cell in lines[4].strip("|").split("|")] == [r"two\_class", "0.333 ± 0.034"]
    assert r"a\|b" in lines[5]
    assert lines[-2:] == ["A note.", ""]


def test_latex_is_escaped_and_in_booktabs() -> None:
    text = latex(TABLE, ["A note."])
    assert r"\caption{Accuracy of two\_class, 100 \% of it. (Thesis: table 4.1.) A note.}" in text
    assert r"\begin{tabular}{lr}" in text
    assert r"    two\_class & 0.333 $\pm$ 0.034 \\" in text
    assert r"    a|b & --- \\" in text
    assert text.index(r"\toprule") < text.index(r"\midrule") < text.index(r"\bottomrule")
    assert text.endswith("\\end{table}\n")


@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"])))
def test_escaped_latex_has_no_bare_special_and_balanced_braces(text: str) -> None:
    escaped = escape_latex(text)
    assert not re.search(r"(?<!\\)[_&%$#~^]", re.sub(r"\$\\[a-z]+\$", "", escaped))
    depth = 0
    for token in re.findall(r"\\[a-zA-Z]+|\\.|[{}]", escaped):
        depth += {"{": 1, "}": -1}.get(token, 0)
        assert depth >= 0
    assert depth == 0


def test_three_files_are_written_with_unix_line_ends(tmp_path: Path) -> None:
    write_table(TABLE, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["table_4_1.csv", "table_4_1.md", "table_4_1.tex"]
    for path in tmp_path.iterdir():
        content = path.read_bytes()
        assert content.endswith(b"\n")
        assert b"\r" not in content


@pytest.mark.parametrize("character", ["±", "−", "×", "→", "—", "Å", "″"])
def test_the_signs_that_our_tables_use_are_plain_latex(character: str) -> None:
    assert escape_latex(character).isascii()
