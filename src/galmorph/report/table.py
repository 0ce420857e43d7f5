"""Tables of the report: how a number is written, and a table as CSV, Markdown, LaTeX and a terminal's lines."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from tabulate import tabulate

from galmorph.baselines import BASELINES
from galmorph.errors import GalmorphError
from galmorph.files.texttable import find_columns, read_text_table, refuse_rows, whole_numbers
from galmorph.report import thesis
from galmorph.report.language import mark, say, sentences, set_name
from galmorph.training.protocol import PHASES

MISSING = "—"
BINOMIAL = mark(
    "In brackets is the spread that the number of test galaxies alone gives (binomial, as many standard deviations)."
)
METRICS = {
    "accuracy": mark("accuracy"),
    "tss": mark("TSS"),
    "baseline": mark("baseline"),
    "accuracy_restricted": mark("accuracy, restricted"),
    "auc": mark("area under the ROC curve"),
    "accuracy_recalibrated": mark("accuracy, recalibrated"),
    "tss_recalibrated": mark("TSS, recalibrated"),
}


@dataclass(frozen=True)
class Table:
    """A table of the report.

    Attributes
    ----------
    name
        The file name without its ending.
    caption
        What it shows, as a sentence or more; the thesis's number for it, where it has one, is added by `counterpart`.
    data
        Full precision, one column per quantity.
    shown
        Text, with headings for a reader.
    results
        Whether it shows results of training, so that a simulated survey must be named beside it.
    """

    name: str
    caption: str
    data: pd.DataFrame
    shown: pd.DataFrame
    results: bool = True

    @property
    def counterpart(self) -> str | None:
        """What it corresponds to in the thesis."""
        return thesis.counterpart(self.name)


def number(value: float, decimals: int = 3, *, signed: bool = False) -> str:
    """Return a number with a true minus sign, or a dash where there is none; a rounded zero has no sign."""
    if math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    text = f"{value:{'+' if signed else ''}.{decimals}f}"
    if float(text) == 0:
        text = text.lstrip("+-")
    return text.replace("-", "−")


def plus_minus(
    value: float, spread: float, decimals: int = 3, *, binomial: float = math.nan, signed: bool = False
) -> str:
    """Return value ± spread, the binomial spread behind it in brackets if it is known; a dash for what is missing."""
    if math.isnan(value):
        return MISSING
    text = f"{number(value, decimals, signed=signed)} ± {number(spread, decimals)}"
    return text if math.isnan(binomial) else f"{text} ({number(binomial, decimals)})"


def interval(low: float, high: float, decimals: int = 3) -> str:
    """Return "−0.012 to +0.034", or a dash."""
    if math.isnan(low) or math.isnan(high):
        return MISSING
    return say("{low} to {high}", low=number(low, decimals, signed=True), high=number(high, decimals, signed=True))


def p_value(value: float) -> str:
    """Return a p value with three decimals, "< 0.001" for a smaller one, or a dash."""
    return "< 0.001" if value < 0.0005 else number(value)


def metric_label(metric: str) -> str:
    """Return a metric's name for a reader: "TSS, common set, balanced" for "tss@common_balanced"."""
    base, _, where = metric.partition("@")
    text = say(METRICS[base]) if base in METRICS else base
    return say("{metric}, {where}", metric=text, where=set_name(where)) if where else text


def whole(value: float) -> str:
    """Return a whole number with its thousands marked, or a dash."""
    return MISSING if pd.isna(value) else f"{value:,.0f}"


def pairs(
    values: Iterable[float], spreads: Iterable[float], binomials: Iterable[float] | None = None, *, signed: bool = False
) -> list[str]:
    """Return `plus_minus` of two columns, or of three."""
    columns = [values, spreads] if binomials is None else [values, spreads, binomials]
    return [
        plus_minus(value, spread, binomial=binomial[0] if binomial else math.nan, signed=signed)
        for value, spread, *binomial in zip(*columns, strict=True)
    ]


# Backslash and braces are replaced in one pass with the rest, so that no replacement is escaped again.
_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "{": r"\{",
        "}": r"\}",
        "_": r"\_",
        "&": r"\&",
        "%": r"\%",
        "$": r"\$",
        "#": r"\#",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "±": r"$\pm$",
        "−": r"$-$",
        "×": r"$\times$",
        "→": r"$\rightarrow$",
        "—": "---",
        "″": r"$''$",
        "Å": r"\AA{}",
    }
)
# A letter right after it makes it a word that begins with a number, as "3クラス" does.
_NUMBER = re.compile(r"[+−±< ]*+(?:[\d.,]++|∞|—)(?![^\W\d_])")


def escape_latex(text: str) -> str:
    """Return text that LaTeX prints as it stands."""
    return text.translate(_LATEX)


def csv(data: pd.DataFrame) -> str:
    """Return CSV with a header, no index, and floats at full precision; a missing value is an empty field."""
    return data.to_csv(index=False, lineterminator="\n")


def markdown(table: Table, notes: Sequence[str] = ()) -> str:
    """Return a Markdown table between its caption and its notes; text columns left, the rest right."""
    shown = table.shown.map(_escape_markdown)
    body = shown.to_markdown(index=False, disable_numparse=True, colalign=_alignment(table.shown, "left", "right"))
    return "\n\n".join([_caption(table), body, *notes]) + "\n"


def latex(table: Table, notes: Sequence[str] = ()) -> str:
    """Return a LaTeX table environment; it needs the package booktabs."""
    shown = table.shown.astype(str).map(escape_latex).rename(columns=escape_latex)
    text: str = shown.style.hide(axis="index").to_latex(
        hrules=True,
        position_float="centering",
        column_format="".join(_alignment(table.shown, "l", "r")),
        caption=escape_latex(sentences([_caption(table), *notes])),
        label=f"tab:{table.name}",
    )
    return text


def write_table(table: Table, folder: Path, notes: Sequence[str] = ()) -> None:
    """Write NAME.csv, NAME.md and NAME.tex."""
    for ending, text in (("csv", csv(table.data)), ("md", markdown(table, notes)), ("tex", latex(table, notes))):
        (folder / f"{table.name}.{ending}").write_text(text, encoding="utf-8", newline="\n")


def _caption(table: Table) -> str:
    counterpart = [say("(Thesis: {counterpart}.)", counterpart=table.counterpart)] if table.counterpart else []
    return sentences([table.caption, *counterpart])


def _escape_markdown(text: object) -> str:
    return str(text).replace("\\", "\\\\").replace("|", "\\|").replace("_", "\\_")


def _alignment(shown: pd.DataFrame, text: str, other: str) -> tuple[str, ...]:
    """Return one alignment per column: `other` where every entry looks like a number, a spread or a dash."""
    return tuple(other if is_numeric(shown[column]) else text for column in shown.columns)


def is_numeric(column: pd.Series[str]) -> bool:
    """Tell whether each entry of a shown column starts with a number, a spread, a bound or a dash."""
    return all(_NUMBER.match(str(value)) for value in column)


_SUMMARY = ("accuracy", "baseline", "tss")  # metrics of the confirmed runs that a terminal shows


def read_summary(path: Path) -> pd.DataFrame:
    """Read summary.csv, or what of it `short_summary` needs.

    Raises
    ------
    GalmorphError
        If it is missing, or is not what a report writes.
    """
    if not path.exists():
        raise GalmorphError(f"{path}: no such file; run dvc repro, which makes it")
    columns = ("condition", "metric", "phase", "epoch", "runs", "mean", "std", "binomial")
    table = find_columns(read_text_table(path), path, columns)
    table.loc[~table["phase"].isin(PHASES), "epoch"] = "0"  # a baseline has none
    for column in ("epoch", "runs"):
        table[column] = whole_numbers(table, column, path)
    for column in ("mean", "std", "binomial"):
        numbers = pd.to_numeric(table[column], errors="coerce")  # of one run there is no spread, and of none no mean
        refuse_rows(numbers.isna() & (table[column] != ""), table, column, "is not a number", path)
        table[column] = numbers
    for condition, rows in table.groupby("condition", sort=False):
        present = set(zip(rows["metric"], rows["phase"], strict=True))
        wanted = [(metric, "confirmed") for metric in _SUMMARY] + [("accuracy", name) for name in BASELINES]
        for metric, phase in wanted:
            if (metric, phase) not in present:
                raise GalmorphError(f"{path}: no {phase} {metric} of {condition}; run dvc repro report")
    return table


def short_summary(summary: pd.DataFrame) -> str:
    """Return what a person wants first of summary.csv, as text for a terminal of 100 columns.

    Parameters
    ----------
    summary
        condition, metric, phase, epoch, mean, std.

    Returns
    -------
    A line for each condition: its selected epoch, accuracy and TSS of the confirmed runs, and beside them the share of
    the commonest class and the accuracy of the best baseline; mean ± standard deviation over the runs.
    """
    rows = []
    for condition, table in summary.groupby("condition", sort=False):
        scores = {(row["metric"], row["phase"]): row for row in table.to_dict("records")}
        best = max((scores["accuracy", name] for name in BASELINES), key=lambda score: score["mean"])
        accuracy, commonest, tss = (scores[metric, "confirmed"] for metric in _SUMMARY)
        shown = {"accuracy": accuracy, "commonest class": commonest, "best baseline": best, "TSS": tss}
        row = {"condition": condition, "epoch": accuracy["epoch"]}
        rows.append(row | {title: plus_minus(score["mean"], score["std"]) for title, score in shown.items()})
    return tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True)
