"""Records of runs on disk, of which MLflow is a view.

A record is one .npz file: arrays, and a JSON text for the rest. It holds no time, host or path, so that the same run
gives the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from galmorph.errors import GalmorphError, own_words
from galmorph.files.atomic import atomic_file
from galmorph.files.reading import regular_file

FORMAT = 3
CONTENTS = "sha256"  # of everything else in the file
# Attributes of a record that its JSON text holds.
HEAD = ("condition", "phase", "run", "classes", "fingerprint", "parameters", "data", "softening", "weights")
VALIDATION = "validation"  # the set on which the selected phase selects the epoch, if there is one


@dataclass(frozen=True)
class Evaluation:
    """A network's predictions for one set of galaxies.

    Attributes
    ----------
    rows
        (n,) int64, rows of galaxies.parquet.
    truth
        (n,) uint8, class numbers in the order of the record's classes.
    probabilities
        (n, K) float32 after the last epoch; (0, K) in the phases whose last epoch means nothing.
    predicted
        (epochs, n) uint8, the class of each galaxy after each epoch; None where a set was not watched.
    """

    rows: NDArray[np.int64]
    truth: NDArray[np.uint8]
    probabilities: NDArray[np.float32]
    predicted: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class Unlabelled:
    """A network's predictions for galaxies of no class that it knows.

    Attributes
    ----------
    rows
        (n,) int64, rows of galaxies.parquet.
    probabilities
        (n, K) float32 after the last epoch.
    """

    rows: NDArray[np.int64]
    probabilities: NDArray[np.float32]


@dataclass(frozen=True)
class Record:
    """One finished run.

    Attributes
    ----------
    condition, phase, run
        Which run it is.
    classes
        The condition's classes; class numbers below count from 0 in this order.
    fingerprint
        Of everything that decides the result of the run's campaign: parameters, data, code.
    parameters
        Settings by dotted name, for people.
    data
        md5 of each data file, as DVC has it.
    softening
        The constant of the scaling.
    weights
        sha256 of the file of its weights; empty where they are not kept.
    history
        train_loss, train_accuracy, test_loss, test_accuracy, each (epochs,) float64.
    predicted
        (epochs, n_test) uint8, the class of each test galaxy after each epoch.
    sets
        "test"; in the selected phase the validation part, where there is one; in the confirmed phase the common
        evaluation sets; the levels, where a run was tested at them.
    uncertain
        In the confirmed phase of spirals and ellipticals, the common set of uncertain galaxies, if there is one. It has
        no truth, and so is none of the sets that are scored.
    """

    condition: str
    phase: str
    run: int
    classes: tuple[str, ...]
    fingerprint: str
    parameters: dict[str, Any]
    data: dict[str, str]
    softening: float
    history: dict[str, NDArray[np.float64]]
    predicted: NDArray[np.uint8]
    sets: dict[str, Evaluation]
    weights: str = ""
    uncertain: Unlabelled | None = None

    @property
    def epochs(self) -> int:
        """Number of completed passes."""
        return len(self.predicted)

    @property
    def deciding_accuracy(self) -> NDArray[np.float64]:
        """(epochs,) the accuracy by which the epoch is selected: of the validation part, or else of the test part."""
        if VALIDATION not in self.sets:
            return self.history["test_accuracy"]
        part = self.sets[VALIDATION]
        accuracy: NDArray[np.float64] = np.mean(part.predicted == part.truth, axis=1)
        return accuracy


def record_name(run: int) -> str:
    """Return the file name of a run's record."""
    return f"run-{run:03d}.npz"


def weights_name(run: int) -> str:
    """Return the file name of a run's weights."""
    return f"run-{run:03d}.weights.h5"


def save_record(path: Path, record: Record) -> None:
    """Write a record atomically.

    Raises
    ------
    GalmorphError
        If it cannot be written.
    """
    head = {"format": FORMAT} | {name: getattr(record, name) for name in HEAD}
    arrays: dict[str, Any] = {"head": np.array(json.dumps(head, sort_keys=True))} | _results(record)
    arrays[CONTENTS] = np.array(_digest(arrays))
    with atomic_file(path) as partial, partial.open("wb") as file:
        np.savez_compressed(file, **arrays)


def results_sha256(record: Record) -> str:
    """Return the sha256 of what a run computed: curves, predictions and probabilities, whatever code computed them."""
    return _digest(_results(record))


def _results(record: Record) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {f"history/{name}": values for name, values in record.history.items()}
    arrays["predicted"] = record.predicted
    for name, evaluation in record.sets.items():
        arrays |= {f"sets/{name}/{part}": values for part, values in vars(evaluation).items() if values is not None}
    if record.uncertain is not None:
        arrays |= {f"uncertain/{part}": values for part, values in vars(record.uncertain).items()}
    return arrays


def _digest(arrays: Mapping[str, NDArray[Any]]) -> str:
    """Return the sha256 of arrays with their names, types and shapes."""
    total = hashlib.sha256()
    for name in sorted(arrays):
        values = np.ascontiguousarray(arrays[name])
        total.update(f"{name} {values.dtype.str} {values.shape}\n".encode())
        total.update(values.tobytes())
    return total.hexdigest()


def load_record(path: Path) -> Record:
    """Read a record.

    Raises
    ------
    GalmorphError
        If it is missing, damaged or altered, has another format, or holds values that are not finite.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / record_name(1)
    >>> tested = Evaluation(np.array([7, 2]), np.array([0, 1], np.uint8), np.empty((0, 2), np.float32))
    >>> save_record(path, Record("two_class", "selected", 1, ("spiral", "elliptical"), "", {}, {}, 6.2, {},
    ...     np.array([[0, 0], [0, 1]], np.uint8), {"test": tested}))
    >>> record = load_record(path)
    >>> (record.predicted == record.sets["test"].truth).mean(axis=1)  # accuracy after each epoch
    array([0.5, 1. ])
    """
    try:
        # From memory: numpy leaves a file that it finds damaged open.
        with np.load(io.BytesIO(regular_file(path).read_bytes()), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        if str(arrays.pop(CONTENTS)) != _digest(arrays):
            raise GalmorphError("its contents are not those that were written")
        head = json.loads(str(arrays.pop("head")))
        if head.pop("format") != FORMAT:
            raise GalmorphError("the format of another version of the project")
        if broken := [name for name, values in arrays.items() if not np.isfinite(values).all()]:
            raise GalmorphError(f"{broken[0]} has values that are not finite")
        head["classes"] = tuple(head["classes"])
        head["predicted"] = arrays.pop("predicted")
        # history/CURVE, sets/SET/PART and uncertain/PART
        parts: dict[str, dict[str, Any]] = {"history": {}}
        for name, values in arrays.items():
            place, field_name = name.rsplit("/", 1)
            parts.setdefault(place, {})[field_name] = values
        history = parts.pop("history")
        uncertain = Unlabelled(**parts.pop("uncertain")) if "uncertain" in parts else None
        sets = {place.removeprefix("sets/"): Evaluation(**part) for place, part in parts.items()}
        return Record(**head, history=history, sets=sets, uncertain=uncertain)
    except Exception as error:  # on damaged input zipfile, zlib, numpy and json raise a dozen types between them
        raise GalmorphError(
            f"{path}: not a whole record{own_words(error)}; remove it and run dvc repro, or restore it with dvc "
            "checkout"
        ) from None


def load_run(folder: Path, run: int, condition: str, phase: str) -> Record:
    """Read the record of a run from the folder of its phase.

    Raises
    ------
    GalmorphError
        If it cannot be read, or is the record of another run, phase or condition.
    """
    path = folder / record_name(run)
    record = load_record(path)
    found = (record.condition, record.phase, record.run)
    if found != (condition, phase, run):
        raise GalmorphError(
            f"{path}: the record of {found[0]}, {found[1]}, run {found[2]}, in the place of {condition}, {phase}, run "
            f"{run}; restore it with dvc checkout, or remove it and run dvc repro"
        )
    return record


def load_phase(folder: Path, runs: int, condition: str, phase: str) -> list[Record]:
    """Read the records of one phase of one condition, run 1 first.

    Raises
    ------
    GalmorphError
        If one is missing or damaged or belongs to another run, or if they differ in campaign or data.
    """
    records = [load_run(folder, run, condition, phase) for run in range(1, runs + 1)]
    first = records[0]
    for record in records:
        # What a network was tested at later is in its data, and not in the fingerprint that it was trained under.
        if (record.fingerprint, record.parameters, record.data) != (first.fingerprint, first.parameters, first.data):
            raise GalmorphError(
                f"{folder}: run {record.run} is of another campaign than run 1, or of other data; run dvc repro, or "
                "restore the folder with dvc checkout"
            )
    return records


@dataclass(frozen=True)
class KeptNetwork:
    """A network whose weights are kept: the record of its run, and the paths of record, weights and stamps."""

    record: Record
    file: Path
    weights: Path
    images: Path

    @property
    def name(self) -> str:
        """Its name in MLflow, which allows no slash."""
        return f"{self.record.condition}-{self.record.run:02d}"
