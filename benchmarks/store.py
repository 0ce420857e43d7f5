"""MLflow at the study's size: 90 runs of 250 epochs, each with the four curves of a record and that of TSS."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np

RUNS, EPOCHS, GALAXIES = 90, 250, 300


def rows() -> list[tuple[str, float, float]]:
    """Return rows of (what, seconds, its upper limit)."""
    from galmorph.report.study import phase_results
    from galmorph.scores.evaluation import ConditionRecords
    from galmorph.tracking.store import Store
    from galmorph.training.records import Evaluation, Record, record_name, save_record

    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory(prefix="galmorph-") as name:
        folder = Path(name)
        records, files = [], []
        for run in range(1, RUNS + 1):
            truth = rng.integers(0, 2, GALAXIES).astype(np.uint8)
            predicted = rng.integers(0, 2, (EPOCHS, GALAXIES)).astype(np.uint8)
            history = {name: rng.random(EPOCHS) for name in ("train_loss", "train_accuracy", "test_loss")}
            history["test_accuracy"] = (predicted == truth).mean(axis=1)
            nothing = np.empty((0, 2), np.float32)
            record = Record(
                condition="two_class",
                phase="selected",
                run=run,
                classes=("spiral", "elliptical"),
                fingerprint="benchmark",
                parameters={f"parameter_{number}": number for number in range(24)},
                data={},
                softening=1.0,
                history=history,
                predicted=predicted,
                sets={"test": Evaluation(np.arange(GALAXIES), truth, nothing)},
            )
            files.append(folder / record_name(run))
            save_record(files[-1], record)
            records.append(record)
        store = Store(f"sqlite:///{folder / 'mlflow.db'}", "benchmark", folder / "mlartifacts")
        started = time.perf_counter()
        for record, file in zip(records, files, strict=True):
            store.add(record, file)
        recorded = time.perf_counter() - started
        condition = ConditionRecords("two_class", EPOCHS, {"selected": records}, {"selected": files})
        store.sync([condition])
        started = time.perf_counter()
        phase_results(store, condition, "selected")
        queried = time.perf_counter() - started
    return [
        (f"MLflow: {RUNS} runs of {EPOCHS} epochs and five curves recorded, s", recorded, 20),
        ("MLflow: the report's queries over them, s", queried, 10),
    ]
