"""Votes and classes of a simulated survey compared with those of the real Table 2.

python -m validation.votes REAL_TABLE2 [--survey data/raw] [--figure votes.png]
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tabulate import tabulate

from galmorph.report.figures import style
from galmorph.sdss.frame_index import TABLE2_NAME
from galmorph.sdss.galaxyzoo import read_table2

SHARES: Final = {
    "p_el": "elliptical",
    "p_cs": "spiral, all",
    "p_edge": "edge-on",
    "p_dk": "don't know",
    "p_mg": "merger",
}
BINS: Final = np.linspace(0, 1, 11)
CLASSES: Final = ("spiral", "elliptical", "uncertain")


def histogram(shares: pd.Series) -> NDArray[np.float64]:
    """Return the share of the rows in each of the ten bins."""
    return np.histogram(shares, BINS)[0] / len(shares)


def distance(one: NDArray[np.float64], two: NDArray[np.float64]) -> float:
    """Return the total-variation distance of two histograms: the share of rows that would have to move."""
    return float(np.abs(one - two).sum() / 2)


@style.house()
def draw(simulated: pd.DataFrame, real: pd.DataFrame, path: Path) -> None:
    """Draw the distributions of the shares of votes, simulated and real."""
    figure = style.new_figure(12, 2.9)
    for axes, (column, label) in zip(figure.subplots(1, len(SHARES), sharey=True), SHARES.items(), strict=True):
        one, two = histogram(real[column]), histogram(simulated[column])
        axes.stairs(one, BINS, fill=True, color="0.82", label=f"real, {len(real):,} rows")
        axes.stairs(two, BINS, color="#0072b2", linewidth=1.6, label=f"simulated, {len(simulated):,}")
        axes.set(yscale="log", xlim=(0, 1), ylim=(5e-4, 3), xlabel=f"votes for {label}")
        axes.set_title(f"distance {distance(one, two):.3f}")
    figure.axes[0].set_ylabel("share of galaxies")
    figure.axes[0].legend(loc="upper left")
    figure.savefig(path, dpi=100)


def main() -> None:
    """Read the command line, print the comparison, and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("real", type=Path)
    parser.add_argument("--survey", type=Path, default=Path("data/raw"))
    parser.add_argument("--figure", type=Path)
    arguments = parser.parse_args()
    real, simulated = read_table2(arguments.real), read_table2(arguments.survey / TABLE2_NAME)
    tables = (simulated, real)
    rows = [[f"{name}, %", *(100 * (table["class"] == name).mean() for table in tables)] for name in CLASSES]
    print(tabulate(rows, headers=["class", "simulated", "real"], tablefmt="github", floatfmt=".1f"), "\n")
    rows = [
        [label, *(table[column].mean() for table in tables), distance(*(histogram(table[column]) for table in tables))]
        for column, label in SHARES.items()
    ]
    head = ["votes", "simulated, mean", "real, mean", "distance"]
    print(tabulate(rows, headers=head, tablefmt="github", floatfmt=".3f"))
    if arguments.figure:
        draw(simulated, real, arguments.figure)


if __name__ == "__main__":
    main()
