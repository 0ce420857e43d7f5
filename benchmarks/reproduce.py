"""The wall time of `make reproduce` after the installation, over that of its arithmetic at the machine's rate.

The committed state of the checkout is cloned and its params.yaml run whole. The arithmetic is that of the networks, at
the rate at which as many processes multiply matrices before and after it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.speed import PRODUCTS, children, together
from benchmarks.work import MATRIX, ROOT, multiplications
from galmorph.parallel.cluster import worker_count
from galmorph.settings.reading import load_settings
from galmorph.training.records import load_record


def arithmetic(folder: Path) -> float:
    """Return the floating-point operations of all runs of a study; training counts three passes, testing one."""
    fraction = load_settings(folder / "params.yaml").protocol.train_fraction
    stamps = 0.0
    for path in folder.glob("models/**/run-*.npz"):
        record = load_record(path)
        tested = record.predicted.shape[1]
        watched = sum(part.predicted.shape[1] for part in record.sets.values() if part.predicted is not None)
        stamps += record.epochs * (tested * (1 + 3 * fraction / (1 - fraction)) + watched)
        stamps += sum(len(part.probabilities) for part in record.sets.values())
    return 2.0 * multiplications(64) * stamps


def rows() -> list[tuple[str, float, float]]:
    workers = worker_count()
    rates = []
    with tempfile.TemporaryDirectory() as temporary, children(*[("matrix_product", "float32")] * workers) as products:
        folder = Path(temporary) / "study"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
        rates.append(workers * PRODUCTS * 2.0 * MATRIX**3 / together(products, PRODUCTS))
        kept = {name: value for name, value in os.environ.items() if name not in ("MLFLOW_TRACKING_URI", "DVC_ROOT")}
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "galmorph.cli", "--quiet", "reproduce"],
            cwd=folder,
            env=kept | {"PYTHONPATH": str(folder / "src")},
            check=True,
        )
        seconds = time.perf_counter() - start
        rates.append(workers * PRODUCTS * 2.0 * MATRIX**3 / together(products, PRODUCTS))
        operations = arithmetic(folder)
    rate = sum(rates) / len(rates)
    print(
        f"  make reproduce: {seconds / 60:.1f} min; its networks are {operations / 1e12:.0f} TFLOP, at the "
        f"{rate / 1e9:.0f} GFLOP/s of matrix products {operations / rate / 60:.1f} min",
        flush=True,
    )
    return [("wall time of make reproduce over its networks' arithmetic", seconds * rate / operations, 2.0)]
