"""Votes and classes of a simulated survey beside those of the real Table 2.

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


def classes(table: pd.DataFrame) -> NDArray[np.float64]:
    """Return the percentage of each of `CLASSES`."""
    return np.array([100 * (table["class"] == name).mean() for name in CLASSES])


@style.house()
def draw(simulated: pd.DataFrame, real: pd.DataFrame, path: Path) -> None:
    """Draw the distributions of the shares of votes, simulated beside real."""
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
    """Read the command line, compare, print or draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("real", type=Path)
    parser.add_argument("--survey", type=Path, default=Path("data/raw"))
    parser.add_argument("--figure", type=Path)
    given = parser.parse_args()
    real, simulated = read_table2(given.real), read_table2(given.survey / TABLE2_NAME)
    rows = [(f"{name}, %", *values) for name, *values in zip(CLASSES, classes(simulated), classes(real), strict=True)]
    print(tabulate(rows, headers=["class", "simulated", "real"], tablefmt="github", floatfmt=".1f"), "\n")
    shares = [
        (
            label,
            simulated[column].mean(),
            real[column].mean(),
            distance(*(histogram(t[column]) for t in (simulated, real))),
        )
        for column, label in SHARES.items()
    ]
    print(
        tabulate(
            shares, headers=["votes", "simulated, mean", "real, mean", "distance"], tablefmt="github", floatfmt=".3f"
        )
    )
    if given.figure:
        draw(simulated, real, given.figure)


if __name__ == "__main__":
    main()
