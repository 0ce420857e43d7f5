"""Many runs of one condition: spread over processes, each finished run kept at once, so that a stop loses little."""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import os
import resource
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from galmorph.atomic import PARTIAL
from galmorph.errors import GalmorphError
from galmorph.protocol import generator, network_purpose
from galmorph.quiet import import_tensorflow
from galmorph.records import Evaluation, Record, load_record, record_name, save_record, weights_name
from galmorph.settings import ConditionSettings, NetworkSettings, ProtocolSettings, TrainingSettings
from galmorph.workers import spread, tick

log = logging.getLogger(__name__)

# The modules whose code decides what a run computes and how it is written; dvc.yaml names the same ones.
DECISIVE_MODULES = ("engine", "network", "protocol", "records", "scaling", "training")


@functools.cache
def code_hash() -> str:
    """Return the sha256 of the modules that decide a run's result."""
    folder = Path(__file__).parent
    sources = b"\0".join((folder / f"{name}.py").read_bytes() for name in DECISIVE_MODULES)
    return hashlib.sha256(sources).hexdigest()


def file_md5(path: Path) -> str:
    """Return a file's md5, which is what DVC knows it by."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "md5").hexdigest()
    except FileNotFoundError:
        raise GalmorphError(f"{path}: no such file; run dvc repro, which makes it") from None


@dataclass(frozen=True)
class Campaign:
    """The runs of one phase of one condition.

    Attributes
    ----------
    name, condition
        The condition and its settings.
    phase
        "selected": every epoch is recorded, to select one. "confirmed": fresh runs up to the selected epoch.
    epochs
        Completed passes of each run.
    images, split
        data/cutouts/images.npy and data/splits/CONDITION.parquet.
    """

    name: str
    condition: ConditionSettings
    phase: str
    epochs: int
    images: Path
    split: Path
    network: NetworkSettings
    training: TrainingSettings
    protocol: ProtocolSettings

    @functools.cached_property
    def data(self) -> dict[str, str]:
        """md5 of the data files."""
        return {"images": file_md5(self.images), "split": file_md5(self.split)}

    @functools.cached_property
    def parameters(self) -> dict[str, Any]:
        """Settings by dotted name."""
        blocks = {
            "condition": self.condition,
            "network": self.network,
            "training": self.training,
            "protocol": self.protocol,
        }
        tree = {name: block.model_dump(mode="json") for name, block in blocks.items()}
        flat = pd.json_normalize(tree).iloc[0].to_dict()
        # What a run did, beside what was asked for: a confirmed run stops earlier.
        return json.loads(json.dumps(flat, default=lambda value: value.item())) | {"epochs_trained": self.epochs}

    @functools.cached_property
    def fingerprint(self) -> str:
        """A name for everything that decides the results: parameters, data, code."""
        decisive = {
            "condition": self.name,
            "phase": self.phase,
            "parameters": self.parameters,
            "data": self.data,
            "code": code_hash(),
        }
        return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Finished:
    """What a worker says of a run that it has finished.

    Attributes
    ----------
    run
        From 1.
    accuracy
        On the test part, after the last epoch.
    seconds, place, peak_memory
        How long it took, the host and process that did it, and the most memory (bytes) that this process has held so
        far; for the log alone.
    """

    run: int
    accuracy: float
    seconds: float
    place: str
    peak_memory: int


def peak_memory() -> int:
    """Return the most memory in bytes that this process has held."""
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return held if sys.platform == "darwin" else held * 1024


def run_one(campaign: Campaign, data: dict[str, str], fingerprint: str, code: str, run: int, folder: Path) -> Finished:
    """Train one run and write its record, and its weights where they are kept, into `folder`.

    Raises
    ------
    GalmorphError
        If this process has other code than the one that made the campaign, if the loss stops being a number, or if
        the record cannot be written.
    """
    started = time.monotonic()
    place = f"{socket.gethostname()} {os.getpid()}"
    if code != code_hash():
        raise GalmorphError(
            f"the worker {place} has other code than this project: its modules {', '.join(DECISIVE_MODULES)} differ; "
            "bring it to the same commit and start it anew"
        )
    # In a worker process: only there is TensorFlow needed.
    import_tensorflow()
    from galmorph.network import save_weights
    from galmorph.training import Sample, train

    images = np.load(campaign.images, mmap_mode="r")
    split = pd.read_parquet(campaign.split, filters=[("phase", "==", campaign.phase), ("run", "==", run)])
    numbers = {label: number for number, label in enumerate(campaign.condition.classes)}

    def part(name: str) -> tuple[Any, Any]:
        members = split[split["part"] == name]
        return members["row"].to_numpy(), members["class"].map(numbers).to_numpy(dtype=np.uint8)

    names = ["test"] if campaign.phase == "selected" else [name for name in split["part"].unique() if name != "train"]
    judged = {name: part(name) for name in names}
    samples = {
        name: Sample(np.asarray(images[rows]), labels.astype(np.int32))
        for name, (rows, labels) in {"train": part("train"), "test": judged["test"]}.items()
    }
    confirmed = campaign.phase == "confirmed"
    try:
        outcome = train(
            samples["train"],
            samples["test"],
            {name: np.asarray(images[rows]) for name, (rows, _) in judged.items()} if confirmed else {},
            network=campaign.network,
            training=campaign.training,
            n_classes=len(numbers),
            epochs=campaign.epochs,
            chance=generator(
                campaign.protocol.seed, campaign.phase, run, network_purpose(campaign.condition.model_dump(mode="json"))
            ),
            on_epoch=tick,
        )
    except GalmorphError as error:
        raise GalmorphError(f"condition {campaign.name}, phase {campaign.phase}, run {run}: {error}") from None
    nothing = np.empty((0, len(numbers)), np.float32)
    sets = {
        name: Evaluation(rows.astype(np.int64), labels, outcome.probabilities.get(name, nothing))
        for name, (rows, labels) in judged.items()
    }
    if confirmed and run <= campaign.training.keep_weights:
        save_weights(folder / weights_name(run), campaign.network, images.shape[-1], len(numbers), outcome.weights)
    record = Record(
        condition=campaign.name,
        phase=campaign.phase,
        run=run,
        classes=campaign.condition.classes,
        fingerprint=fingerprint,
        parameters=campaign.parameters,
        data=data,
        softening=outcome.softening,
        history=outcome.history,
        predicted=outcome.predicted,
        sets=sets,
    )
    save_record(folder / record_name(run), record)
    accuracy = float(outcome.history["test_accuracy"][-1])
    return Finished(run, accuracy, time.monotonic() - started, place, peak_memory())


def finished_runs(folder: Path, fingerprint: str, runs: int) -> set[int]:
    """Return the runs whose whole record lies in `folder`; torn or foreign files there are removed with a word."""
    found = set()
    for run in range(1, runs + 1):
        path = folder / record_name(run)
        if not path.exists():
            continue
        try:
            if load_record(path).fingerprint == fingerprint:
                found.add(run)
                continue
            reason = "of another campaign"
        except GalmorphError:
            reason = "torn"
        log.warning("%s is %s: removed, the run is repeated", path, reason)
        path.unlink()
    return found


@contextmanager
def logged(path: Path) -> Iterator[None]:
    """Write what the project says to a file as well, with the time, while the block runs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    project = logging.getLogger("galmorph")
    project.addHandler(handler)
    try:
        yield
    except BaseException as error:
        log.debug("stopped by %r", error, exc_info=not isinstance(error, GalmorphError))
        raise
    finally:
        project.removeHandler(handler)
        handler.close()


def keep_going() -> bool:
    """Return whether the other runs of a campaign are to be finished when one fails: GALMORPH_KEEP_GOING."""
    return os.environ.get("GALMORPH_KEEP_GOING", "") not in ("", "0")


def run_campaign(
    campaign: Campaign,
    folder: Path,
    on_finished: Callable[[Path], None],
    on_failed: Callable[[int, str], None] = lambda run, reason: None,
) -> None:
    """Train every run that `folder` does not hold yet.

    Parameters
    ----------
    campaign
        What to run.
    folder
        Where records go, one file for each run; it may hold some from a campaign that was stopped.
    on_finished
        Called in this process with the path of each new record.
    on_failed
        Called in this process with the number of a run that failed, and why.

    Raises
    ------
    GalmorphError
        If a run fails. The records of the others stay; with GALMORPH_KEEP_GOING the rest is trained first.
    """
    folder.mkdir(parents=True, exist_ok=True)
    runs = campaign.protocol.runs
    for leftover in folder.glob(f"{PARTIAL}*"):
        leftover.unlink()
    done = finished_runs(folder, campaign.fingerprint, runs)
    label = f"{campaign.name}, {campaign.phase}"
    log.info("%s: %d runs of %d epochs, %d of them finished before", label, runs, campaign.epochs, len(done))
    missing = [run for run in range(1, runs + 1) if run not in done]
    failures: list[str] = []

    def failed(index: int, error: GalmorphError) -> None:
        log.error("%s: run %d failed: %s", label, missing[index], error)
        on_failed(missing[index], str(error))
        failures.append(str(error))
        if not keep_going():
            raise error

    jobs = [(campaign, campaign.data, campaign.fingerprint, code_hash(), run, folder) for run in missing]
    for _, finished in spread(run_one, jobs, label=label, unit="epoch", steps=campaign.epochs, on_failure=failed):
        log.debug(
            "%s: run %d finished, test accuracy %.4f after epoch %d, %.0f s in process %s, peak memory %.2f GB",
            *(label, finished.run, finished.accuracy, campaign.epochs, finished.seconds, finished.place),
            finished.peak_memory / 1e9,
        )
        on_finished(folder / record_name(finished.run))
    if failures:
        raise GalmorphError(f"{label}: {len(failures)} of {runs} runs failed; the others are kept; {failures[0]}")
    log.debug("%s: all %d runs are finished", label, runs)
