from __future__ import annotations

import io
import math
import re
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from galmorph.baselines import BASELINES
from galmorph.report import thesis
from galmorph.report.table import (
    Table,
    csv,
    escape_latex,
    latex,
    markdown,
    metric_label,
    number,
    pairs,
    plus_minus,
    short_summary,
    whole,
    write_table,
)


@pytest.mark.parametrize(
    ("value", "decimals", "signed", "text"),
    [
        (0.6884, 3, False, "0.688"),
        (-0.0125, 2, False, "−0.01"),
        (0.2431, 3, True, "+0.243"),
        (-0.0001, 3, True, "0.000"),
        (math.nan, 3, True, "—"),
        (46.25, 1, False, "46.2"),
    ],
)
def test_number(value: float, decimals: int, signed: bool, text: str) -> None:
    assert number(value, decimals, signed=signed) == text


@given(st.floats(-1e6, 1e6), st.integers(0, 6), st.booleans())
def test_a_number_reads_back_and_never_shows_a_signed_zero(value: float, decimals: int, signed: bool) -> None:
    text = number(value, decimals, signed=signed)
    back = float(text.replace("−", "-"))
    assert abs(back - value) <= 0.5 * 10.0**-decimals * (1 + 1e-9)
    assert back != 0 or text[0] == "0"


def test_plus_minus_marks_what_is_missing() -> None:
    assert plus_minus(0.931, 0.034) == "0.931 ± 0.034"
    assert plus_minus(0.931, math.nan) == "0.931 ± —"
    assert plus_minus(math.nan, math.nan) == "—"
    assert plus_minus(0.931, 0.034, binomial=0.0293) == "0.931 ± 0.034 (0.029)"
    assert pairs([1, 2], [0.5, math.nan]) == ["1.000 ± 0.500", "2.000 ± —"]
    assert pairs([1, 2], [0.5, 0.5], [0.25, math.nan]) == ["1.000 ± 0.500 (0.250)", "2.000 ± 0.500"]


def test_whole_has_thousands() -> None:
    assert whole(15000) == "15,000"
    assert whole(math.nan) == "—"
    assert list(pd.Series([148, None], dtype="Int64").map(whole)) == ["148", "—"]


def test_metric_labels() -> None:
    assert metric_label("accuracy") == "accuracy"
    assert metric_label("tss@common_balanced") == "TSS, common set, balanced"
    assert metric_label("own_metric@own_set") == "own_metric, own_set"


def test_a_table_knows_its_counterpart_by_its_name() -> None:
    assert Table("table_4_1", "", pd.DataFrame(), pd.DataFrame()).counterpart == "table 4.1"
    assert Table("question_1", "", pd.DataFrame(), pd.DataFrame()).counterpart is None


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
    assert r"two\_class & 0.333 $\pm$ 0.034 \\" in text
    assert r"a|b & --- \\" in text
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


def test_a_terminal_has_one_line_for_each_condition() -> None:
    rows = []
    for condition, offset in (("two_class_small", 0.0), ("balanced", 0.1)):
        for metric, mean in (("accuracy", 0.8), ("tss", 0.6), ("baseline", 0.5), ("accuracy@common_natural", 0.7)):
            for phase in ("selected", "confirmed"):
                value = mean + offset + 0.01 * (phase == "confirmed")
                binomial = math.nan if metric == "baseline" else 0.019
                rows.append((condition, metric, phase, 7, 30, value, 0.02, binomial))
        for baseline, value in zip(BASELINES, (0.55, 0.65, 0.75), strict=True):
            rows.append((condition, "accuracy", baseline, 0, 30, value, 0.02, 0.019))
    columns = ["condition", "metric", "phase", "epoch", "runs", "mean", "std", "binomial"]
    lines = short_summary(pd.DataFrame(rows, columns=columns)).splitlines()
    assert len(lines) == 4
    assert max(map(len, lines)) <= 100
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert table[0] == ["condition", "epoch", "accuracy", "commonest class", "best baseline", "TSS"]
    assert table[2] == [
        "two_class_small",
        "7",
        "0.810 ± 0.020",
        "0.510 ± 0.020",
        "0.750 ± 0.020",
        "0.610 ± 0.020",
    ]
    assert table[3][2] == "0.910 ± 0.020"


def test_a_condition_that_the_thesis_does_not_know_stands_alone() -> None:
    assert thesis.label("my_condition") == "my_condition"
    assert thesis.accuracy("my_condition") is None
    assert thesis.condition_counterpart("my_condition", "loss") is None
    assert thesis.condition_counterpart("two_class_small", "confusion") is None


# The thesis's figures: 4.3 to 4.8 in section 4.2, three classes before two, and 4.9 to 4.14 in section 4.3, imbalanced
# before balanced; loss before accuracy before confusion.
@pytest.mark.parametrize(
    ("condition", "loss", "accuracy", "confusion"),
    [
        ("three_class", "figure 4.3", "figure 4.5", "figure 4.7"),
        ("two_class", "figures 4.4 and 4.9", "figures 4.6 and 4.11", "figures 4.8 and 4.13"),
        ("balanced", "figure 4.10", "figure 4.12", "figure 4.14"),
    ],
)
def test_figures_have_the_numbers_of_the_thesis(condition: str, loss: str, accuracy: str, confusion: str) -> None:
    shown = [thesis.condition_counterpart(condition, quantity) for quantity in ("loss", "accuracy", "confusion")]
    assert shown == [loss, accuracy, confusion]


def test_what_the_thesis_says_against_itself() -> None:
    # 0.60 * 4058 + 0.20 * 1561 + 0.75 * 9310 of 14,929; 0.90 * 4058 + 0.80 * 1561 of 5,619.
    recalls, scatter = thesis.doubts(["three_class", "two_class", "balanced", "my_condition"])
    assert "0.652 for three classes, where table 4.1 has 0.688; 0.872 for two classes, where table 4.1 has" in recalls
    # sqrt(0.688 * 0.312 / 300) and sqrt(0.931 * 0.069 / 300): three quarters of 0.031^2 and of 0.017^2.
    assert "galaxies, 300, alone" in scatter
    assert "0.027 for three classes, 74 % of the variance of the 0.031 printed; 0.015 for two classes, 74 %" in scatter
    assert thesis.doubts(["balanced"]) == []
