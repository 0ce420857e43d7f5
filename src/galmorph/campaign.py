"""Many runs of one condition: spread over processes, each finished run kept at once, so that a stop loses little."""

from __future__ import annotations

import functools
import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from galmorph.errors import GalmorphError
from galmorph.protocol import generator, network_purpose
from galmorph.quiet import import_tensorflow
from galmorph.records import Evaluation, Record, load_record, record_name, save_record, weights_name
from galmorph.settings import ConditionSettings, NetworkSettings, ProtocolSettings, TrainingSettings
from galmorph.workers import spread

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


def run_one(campaign: Campaign, data: dict[str, str], fingerprint: str, run: int, folder: Path) -> None:
    """Train one run and write its record, and its weights where they are kept, into `folder`."""
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


def run_campaign(campaign: Campaign, folder: Path, on_finished: Callable[[Path], None]) -> None:
    """Train every run that `folder` does not hold yet.

    Parameters
    ----------
    campaign
        What to run.
    folder
        Where records go, one file for each run; it may hold some from a campaign that was stopped.
    on_finished
        Called in this process with the path of each new record.
    """
    folder.mkdir(parents=True, exist_ok=True)
    runs = campaign.protocol.runs
    done = finished_runs(folder, campaign.fingerprint, runs)
    if done:
        log.info("%s, %s: %d of %d runs were finished before", campaign.name, campaign.phase, len(done), runs)
    missing = [run for run in range(1, runs + 1) if run not in done]
    jobs = [(campaign, campaign.data, campaign.fingerprint, run, folder) for run in missing]
    for index, _ in spread(run_one, jobs, label=f"{campaign.name}, {campaign.phase}", unit="run"):
        on_finished(folder / record_name(missing[index]))
