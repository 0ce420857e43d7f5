"""Reading a Table 2 as long as the published one."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from galmorph.sdss.galaxyzoo import COLUMNS, FLAGS, ROWS, read_table2
from galmorph.sources.simulated.survey import write_table2

SECONDS = 20.0
FIRST = 587727178986356823


def rows() -> list[tuple[str, float, float]]:
    """Return rows of (what, value, its upper limit)."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({name: rng.uniform(0, 1, ROWS) for name in COLUMNS[3:]})
    table["objid"] = FIRST + np.arange(ROWS)
    table["ra"], table["dec"] = rng.uniform(0, 360, ROWS), np.degrees(np.arcsin(rng.uniform(-0.2, 1, ROWS)))
    table["NVOTE"] = rng.integers(5, 90, ROWS)
    classes = rng.integers(0, 3, ROWS)
    for number, name in enumerate(FLAGS):
        table[name] = (classes == number).astype(int)
    with tempfile.TemporaryDirectory(prefix="galmorph-") as name:
        path = Path(name) / "table2.csv"
        write_table2(table, path)
        started = time.perf_counter()
        read_table2(path)
        return [(f"Table 2, {ROWS} rows, s", time.perf_counter() - started, SECONDS)]
