"""Time of a condition of 30 runs apart from training, and the memory of its workers."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.work import TEST, TRAIN, made_data, settings

RUNS, EPOCHS = 30, 50
MEASURED = (1, 4)  # epochs; the training time is the slope between them


def condition(epochs: int, folder: Path) -> None:
    """Run a condition as its stage does, with processes, records, MLflow and a log."""
    from galmorph.tracking.store import Store
    from galmorph.training.campaign import logged, run_campaign
    from galmorph.training.plan import Campaign
    from galmorph.training.records import load_record

    thesis = settings()
    campaign = Campaign(
        name="two_class",
        condition=thesis.conditions["two_class"],
        phase="selected",
        epochs=epochs,
        images=folder / "images.npy",
        split=folder / "split.parquet",
        network=thesis.network,
        training=thesis.training.model_copy(update={"epochs": epochs}),
        protocol=thesis.protocol,
    )
    place = folder / str(epochs)
    place.mkdir()
    store = Store(f"sqlite:///{place / 'mlflow.db'}", "benchmark", place / "mlartifacts")
    with logged(place / "log"):
        run_campaign(campaign, place / "records", lambda path, seconds: store.add(load_record(path), path))


def write_data(folder: Path) -> None:
    """Write images and a split, the same galaxies in every run."""
    (images, labels), (test, test_labels) = made_data()
    np.save(folder / "images.npy", np.concatenate([images, test])[..., 0])
    classes = np.array(["spiral", "elliptical"])[np.concatenate([labels, test_labels])]
    rows = np.arange(TRAIN + TEST)
    part = np.where(rows < TRAIN, "train", "test")
    run = pd.DataFrame({"phase": "selected", "row": rows, "class": classes, "part": part})
    pd.concat([run.assign(run=number) for number in range(1, RUNS + 1)]).to_parquet(folder / "split.parquet")


def rows() -> list[tuple[str, float, float]]:
    """Return rows of (what, value, its upper limit)."""
    seconds = {}
    with tempfile.TemporaryDirectory(prefix="galmorph-") as name:
        folder = Path(name)
        write_data(folder)
        for epochs in MEASURED:
            started = time.perf_counter()
            subprocess.run([sys.executable, "-m", "benchmarks.overhead", str(epochs), name], check=True)
            seconds[epochs] = time.perf_counter() - started
        log = (folder / str(MEASURED[-1]) / "log").read_text(encoding="utf-8")
    short, long = MEASURED
    epoch = (seconds[long] - seconds[short]) / (long - short)
    beside = seconds[short] - short * epoch
    # In the order of finishing; the peak of a process only grows.
    peaks: dict[str, list[float]] = {}
    for process, gigabytes in re.findall(r"in process (.+), peak memory ([\d.]+) GB", log):
        peaks.setdefault(process, []).append(float(gigabytes))
    growth = max(held[-1] / held[min(1, len(held) - 1)] for held in peaks.values())
    print(
        f"  {RUNS} runs: {epoch:.1f} s for each epoch of all, {beside:.1f} s apart from training; peak memory in GB "
        f"after each run of a worker: {'; '.join(' '.join(f'{g:.2f}' for g in held) for held in peaks.values())}",
        flush=True,
    )
    return [
        (f"all but training, share of {RUNS} runs of {EPOCHS} epochs", beside / (beside + EPOCHS * epoch), 0.10),
        ("peak memory of a worker, GB", max(max(held) for held in peaks.values()), 1.5),
        ("its growth from a worker's second run to its last, ratio", growth, 1.05),
    ]


if __name__ == "__main__":
    import logging

    logging.getLogger("galmorph").setLevel(logging.DEBUG)
    condition(int(sys.argv[1]), Path(sys.argv[2]))
