"""What presets/thesis.yaml costs on more cores, computed from the seconds of one run and epoch that `speed` prints.

python -m benchmarks.cost ONE_WORKER TWO_WORKERS
"""

from __future__ import annotations

import math
import sys

from tabulate import tabulate

from benchmarks.work import settings

SELECTED_EPOCH = 153  # between those that the thesis prints, 148 and 158
CORES = (1, 2, 16, 128)


def hours(cores: int, one: float, two: float) -> float:
    """Return the hours of all runs of all conditions, one condition and phase after the other.

    A run is trained by one core, and runs are as many as protocol.runs says: no more cores than that are of use at
    once. On more than one core a run and epoch takes as long as beside another (two workers: `2 * two`); memory
    traffic of many more is not in it.
    """
    chosen = settings()
    epochs = chosen.training.epochs + SELECTED_EPOCH
    each = one if cores == 1 else 2 * two
    # The control keeps the spirals and ellipticals of its draw only: 37 % of the thesis's sample.
    draws = [c.draw * (1 if len(c.classes) == len(c.drawn_among) else 0.37) for c in chosen.conditions.values()]
    waves = math.ceil(chosen.protocol.runs / cores)
    return waves * epochs * each * sum(draws) / 1000 / 3600


def main() -> None:
    one, two = map(float, sys.argv[1:])
    rows = [(cores, f"{hours(cores, one, two):.1f}") for cores in CORES]
    print(tabulate(rows, headers=["cores", "hours"], tablefmt="github"))


if __name__ == "__main__":
    main()
