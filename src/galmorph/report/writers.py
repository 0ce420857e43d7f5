"""A table as CSV (full precision), Markdown and LaTeX (booktabs): the same bytes for the same table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from galmorph.report.language import say, sentences
from galmorph.report.table import Table

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
    head = " & ".join(escape_latex(str(column)) for column in table.shown.columns)
    lines = [
        r"\begin{table}",
        r"  \centering",
        rf"  \caption{{{escape_latex(sentences([_caption(table), *notes]))}}}",
        rf"  \label{{tab:{table.name}}}",
        rf"  \begin{{tabular}}{{{''.join(_alignment(table.shown, 'l', 'r'))}}}",
        r"    \toprule",
        rf"    {head} \\",
        r"    \midrule",
    ]
    for row in table.shown.itertuples(index=False):
        lines.append(f"    {' & '.join(escape_latex(str(value)) for value in row)} \\\\")
    lines += [r"    \bottomrule", r"  \end{tabular}", r"\end{table}"]
    return "\n".join(lines) + "\n"


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
