"""Records with known contents, for tests of what comes after training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from galmorph.scores.evaluation import ConditionRecords
from galmorph.tracking.store import Store, data_held
from galmorph.training.records import Evaluation, Record, load_record, record_name, save_record

PHASES = ("selected", "confirmed")
THREE = ("spiral", "elliptical", "uncertain")


def made_record(
    condition: str = "two_class",
    phase: str = "selected",
    run: int = 1,
    epochs: int = 4,
    classes: tuple[str, ...] = ("spiral", "elliptical"),
    fingerprint: str | None = None,
    runs: int = 3,
) -> Record:
    """Return a record with seeded random answers; the same arguments give the same record."""
    rng = np.random.default_rng([run, len(phase), len(condition), epochs])
    n, k = 20, len(classes)

    def evaluation(size: int, low: int = 0) -> Evaluation:
        truth = np.concatenate([np.arange(k), rng.integers(0, k, size - k)]).astype(np.uint8)
        if low:
            truth = np.clip(truth, 0, 1)
        probabilities = rng.dirichlet(np.ones(k), size if phase == "confirmed" else 0).astype(np.float32)
        return Evaluation(rng.permutation(size).astype(np.int64), truth, probabilities.reshape(-1, k))

    sets = {"test": evaluation(n)}
    if phase == "confirmed":
        sets |= {"common_natural": evaluation(10, 1), "common_balanced": evaluation(8, 1)}
    predicted = rng.integers(0, k, (epochs, n)).astype(np.uint8)
    if phase == "confirmed":
        predicted[-1] = sets["test"].probabilities.argmax(axis=1)
    history = {name: rng.random(epochs) for name in ("train_loss", "train_accuracy", "test_loss")}
    history["test_accuracy"] = (predicted == sets["test"].truth).mean(axis=1)
    return Record(
        condition=condition,
        phase=phase,
        run=run,
        classes=classes,
        fingerprint=fingerprint or f"{condition}-{phase}",
        parameters={
            "training.learning_rate": 0.0003,
            "network.filters": [4, 4],
            "protocol.runs": runs,
            "epochs_trained": epochs,
        },
        data={"images": "0" * 32, "split": "1" * 32},
        softening=6.25,
        history=history,
        predicted=predicted,
        sets=sets,
    )


def made_condition(
    folder: Path,
    name: str = "two_class",
    runs: int = 3,
    classes: tuple[str, ...] = ("spiral", "elliptical"),
    campaign: str = "",
) -> ConditionRecords:
    """Write the records of a condition, and return them with their files."""
    phases: dict[str, list[Record]] = {}
    files: dict[str, list[Path]] = {}
    for phase in PHASES:
        place = folder / name / phase
        place.mkdir(parents=True, exist_ok=True)
        files[phase] = [place / record_name(run) for run in range(1, runs + 1)]
        for run, path in enumerate(files[phase], start=1):
            fingerprint = f"{name}-{phase}{campaign}"
            epochs = 4 if phase == "selected" else 3
            save_record(path, made_record(name, phase, run, epochs, classes, fingerprint, runs))
        phases[phase] = [load_record(path) for path in files[phase]]
    data = {"images": Path("data/cutouts/images.npy"), "split": Path(f"data/splits/{name}.parquet")}
    return ConditionRecords(name, 3, phases, files, data)


def open_store(place: Path, survey: str = "survey") -> Store:
    """Open the store in a folder."""
    return Store(f"sqlite:///{place / 'mlflow.db'}", survey, place / "mlartifacts")


def shown(store: Store) -> list[tuple[Any, ...]]:
    """Everything that the store shows, without ids and times."""
    parents = {run.info.run_id: run.info.run_name for run in store.runs("condition")}
    rows = []
    for run in store.runs("run") + store.runs("condition"):
        tags = {name: value for name, value in run.data.tags.items() if name.startswith("galmorph.")}
        histories = {name: store.history(run, name) for name in run.data.metrics}
        files = {file.path: file.file_size for file in store.client.list_artifacts(run.info.run_id)}
        rows.append(
            (
                run.info.run_name,
                run.info.status,
                parents.get(run.data.tags.get("mlflow.parentRunId")),
                sorted(tags.items()),
                sorted(run.data.params.items()),
                sorted(histories.items()),
                sorted(data_held(run), key=str),
                sorted(files.items()),
            )
        )
    return sorted(rows, key=lambda row: row[0])
