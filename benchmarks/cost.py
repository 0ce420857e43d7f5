"""The time of presets/thesis.yaml on more cores, computed from the seconds of one run and epoch that `speed` prints.

python -m benchmarks.cost ONE_WORKER TWO_WORKERS
"""

from __future__ import annotations

import math
import sys

from tabulate import tabulate

from benchmarks.work import settings

SELECTED_EPOCH = 153  # between those of the thesis, 148 and 158
CORES = (1, 2, 16, 128)


def hours(cores: int, one: float, two: float) -> float:
    """Return the hours of all runs of all conditions, one condition and phase after the other.

    One core trains one run, so a phase uses at most protocol.runs cores. On more than one core a run and epoch takes as
    long as on two (`2 * two`); the memory traffic of many more is neglected.
    """
    thesis = settings()
    epochs = thesis.training.epochs + SELECTED_EPOCH
    each = one if cores == 1 else 2 * two
    # The control keeps only the spirals and ellipticals of its draw: 37 % of the thesis's sample.
    draws = [c.draw * (1 if len(c.classes) == len(c.drawn_among) else 0.37) for c in thesis.conditions.values()]
    waves = math.ceil(thesis.protocol.runs / cores)
    return waves * epochs * each * sum(draws) / 1000 / 3600


def main() -> None:
    one, two = map(float, sys.argv[1:])
    rows = [(cores, f"{hours(cores, one, two):.1f}") for cores in CORES]
    print(tabulate(rows, headers=["cores", "hours"], tablefmt="github"))


if __name__ == "__main__":
    main()
