"""The summary as a terminal shows it: one line for each condition."""

from __future__ import annotations

import pandas as pd
from tabulate import tabulate

from galmorph.report.table import plus_minus

COLUMNS = (
    ("accuracy", "accuracy", "selected"),
    ("accuracy, confirmed", "accuracy", "confirmed"),
    ("baseline, confirmed", "baseline", "confirmed"),
    ("TSS", "tss", "selected"),
    ("TSS, confirmed", "tss", "confirmed"),
)


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
