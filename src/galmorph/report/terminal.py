"""The summary as a terminal shows it: one line for each condition."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from tabulate import tabulate

from galmorph.errors import GalmorphError
from galmorph.files.texttable import read_text_table, refuse_rows, require_columns, whole_numbers
from galmorph.report.table import plus_minus

COLUMNS = (
    ("accuracy", "accuracy", "selected"),
    ("accuracy, confirmed", "accuracy", "confirmed"),
    ("baseline, confirmed", "baseline", "confirmed"),
    ("TSS", "tss", "selected"),
    ("TSS, confirmed", "tss", "confirmed"),
)


def read_summary(path: Path) -> pd.DataFrame:
    """Read summary.csv, or what of it `short_summary` needs.

    Raises
    ------
    GalmorphError
        If it is missing, or is not what a report writes.
    """
    if not path.exists():
        raise GalmorphError(f"{path}: no such file; run dvc repro, which makes it")
    table = read_text_table(path)
    require_columns(table, ("condition", "metric", "phase", "epoch", "runs", "mean", "std"), path)
    for column in ("epoch", "runs"):
        table[column] = whole_numbers(table, column, path)
    for column in ("mean", "std"):
        numbers = pd.to_numeric(table[column], errors="coerce")  # of one run there is no spread, and of none no mean
        refuse_rows(numbers.isna() & (table[column] != ""), table, column, "is not a number", path)
        table[column] = numbers
    for condition, rows in table.groupby("condition", sort=False):
        present = set(zip(rows["metric"], rows["phase"], strict=True))
        for _, metric, phase in COLUMNS:
            if (metric, phase) not in present:
                raise GalmorphError(f"{path}: no {phase} {metric} of {condition}; run dvc repro report")
    return table


def short_summary(summary: pd.DataFrame) -> str:
    """Return the accuracies and TSS of summary.csv as text, mean ± standard deviation over the runs.

    Parameters
    ----------
    summary
        condition, metric, phase, epoch, runs, mean, std, ste.
    """
    rows = []
    for condition, table in summary.groupby("condition", sort=False):
        runs, epoch = int(table["runs"].iloc[0]), int(table["epoch"].iloc[0])
        row: dict[str, object] = {"condition": condition, "runs": f"{runs} + {runs}", "epoch": epoch}
        for title, metric, phase in COLUMNS:
            values = table[(table["metric"] == metric) & (table["phase"] == phase)].iloc[0]
            row[title] = plus_minus(values["mean"], values["std"])
        rows.append(row)
    return tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True)
