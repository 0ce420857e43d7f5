"""Run the named benchmarks (by default all: see AT_LEAST and AT_MOST) and print one table."""

from __future__ import annotations

import importlib
import sys

from tabulate import tabulate

from benchmarks.work import processor

AT_LEAST, AT_MOST = ("speed", "classify"), ("overhead", "store", "sky", "cutouts", "degrading", "tables", "reproduce")


def main() -> None:
    print(processor(), flush=True)
    table = []
    for name in sys.argv[1:] or [*AT_LEAST, *AT_MOST]:
        print(f"{name}:", flush=True)
        for what, value, bound in importlib.import_module(f"benchmarks.{name}").rows():
            met = value >= bound if name in AT_LEAST else value <= bound
            target = f"{'at least' if name in AT_LEAST else 'at most'} {bound:g}"
            table.append((what, f"{value:.2f}", target, "yes" if met else "NO"))
    print("\n" + tabulate(table, headers=["measured in this run", "value", "target", "met"], tablefmt="github"))


if __name__ == "__main__":
    main()
