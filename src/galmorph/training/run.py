"""One run of a campaign, in a worker process: from data files to a record."""

from __future__ import annotations

import os
import resource
import socket
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from galmorph.errors import GalmorphError
from galmorph.files.datafiles import REMEDY, open_stamps, read_table
from galmorph.parallel.workers import tick
from galmorph.training.plan import TRAINING_CODE, Campaign, code_hash
from galmorph.training.protocol import generator, network_purpose
from galmorph.training.records import VALIDATION, Evaluation, Record, load_run, record_name, save_record, weights_name


@dataclass(frozen=True)
class Finished:
    """What a worker reports of a finished run.

    Attributes
    ----------
    run
        From 1.
    accuracy
        On the test part, after the last epoch.
    seconds, place, peak_memory
        Duration, host and process, and peak memory (bytes) of the process so far; for the log only.
    """

    run: int
    accuracy: float
    seconds: float
    place: str
    peak_memory: int


def peak_memory() -> int:
    """Return the peak memory of this process in bytes."""
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return held if sys.platform == "darwin" else held * 1024


def parts_of(split: Path, stamps: int, campaign: Campaign, run: int) -> dict[str, tuple[Any, Any]]:
    """Return the parts of one run's split.

    Parameters
    ----------
    split
        A split, of the campaign itself or of a level that it is tested at.
    stamps
        How many there are of its galaxies.
    campaign
        Its classes, in their order, and the phase whose draws it has.
    run
        From 1.

    Returns
    -------
    part -> rows (n,) int64, class numbers (n,) uint8.

    Raises
    ------
    GalmorphError
        If the split knows no such run, has a row without a stamp, twice or of another class, or tests on what
        trains.
    """
    wanted = [("phase", "==", campaign.drawn_as), ("run", "==", run)]
    table = read_table(split, ["row", "class", "part"], wanted)
    numbers = {label: number for number, label in enumerate(campaign.condition.classes)}
    trains = table["part"] == "train"
    faults = {
        "no galaxies that train, or none that test": not {"train", "test"} <= set(table["part"]),
        f"rows beyond the {stamps:,} stamps": not table["row"].between(0, stamps - 1).all(),
        f"classes other than {', '.join(numbers)}": not table["class"].isin(numbers).all(),
        "a galaxy twice in one part": table.duplicated(["part", "row"]).any(),
        "galaxies that train and test": table["row"][~trains].isin(table["row"][trains]).any(),
    }
    if found := [fault for fault, there in faults.items() if there]:
        raise GalmorphError(f"{split}: {found[0]}, in run {run} of the {campaign.drawn_as} phase; {REMEDY}")
    return {
        str(name): (members["row"].to_numpy(np.int64), members["class"].map(numbers).to_numpy(np.uint8))
        for name, members in table.groupby("part", sort=False)
    }


def subsample(sample: Any, count: int, campaign: Campaign, run: int) -> Any:
    """Return `count` galaxies of a training part; a smaller subsample is part of every larger one."""
    if count > len(sample.labels):
        raise GalmorphError(
            f"{campaign.name}: {count} training galaxies are asked for, but run {run} has {len(sample.labels)}; lower "
            "galaxies of the remedy, or raise resolution.draw"
        )
    order = generator(campaign.protocol.seed, campaign.drawn_as, run, "few training galaxies").permutation(
        len(sample.labels)
    )
    return replace(sample, images=sample.images[order[:count]], labels=sample.labels[order[:count]])


def run_one(campaign: Campaign, code: str, run: int, folder: Path) -> Finished:
    """Train one run and write its record, and its weights where they are kept, into `folder`.

    Parameters
    ----------
    campaign
        With its fingerprint and the hashes of its data, which the process that made it has computed.
    code
        `code_hash` of that process.
    run
        From 1.
    folder
        Where the record goes.

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
            f"the worker {place} has other code than this project: {' or '.join(TRAINING_CODE)} differs; "
            "update it to the same commit and restart it"
        )
    # In a worker process: only there is TensorFlow needed.
    from galmorph.training.engine import prepare_device
    from galmorph.training.fit import Sample, Start, train
    from galmorph.training.network import load_weights, save_weights

    prepare_device()
    images = open_stamps(campaign.images)
    rng = generator(
        campaign.protocol.seed, campaign.drawn_as, run, network_purpose(campaign.condition.model_dump(mode="json"))
    )
    n_classes = len(campaign.condition.classes)
    parts = parts_of(campaign.split, len(images), campaign, run)
    confirmed = campaign.phase == "confirmed"
    validation = parts.pop(VALIDATION, None)
    judged = {name: part for name, part in parts.items() if name == "test" or (confirmed and name != "train")}
    samples = {
        name: Sample(np.asarray(images[rows]), labels.astype(np.int32))
        for name, (rows, labels) in parts.items()
        if name in ("train", "test")
    }
    watched = {}
    for level, (path, split) in campaign.watched.items():
        seen = open_stamps(path)
        watched[level] = (seen, *parts_of(split, len(seen), campaign, run)["test"])
    if validation is not None and campaign.phase == "selected":
        watched[VALIDATION] = (images, *validation)
    start = None
    if campaign.start is not None:
        samples["train"] = subsample(samples["train"], campaign.start.galaxies, campaign, run)
        before = load_run(campaign.start.folder, run, campaign.start.name, "confirmed")
        if before.fingerprint != campaign.start.fingerprint:
            raise GalmorphError(
                f"{campaign.start.folder / record_name(run)}: of another campaign than run 1; restore the folder with "
                "dvc checkout, or run dvc repro"
            )
        path = campaign.start.folder / weights_name(run)
        weights = load_weights(path, before.weights, campaign.network, images.shape[-1], n_classes)
        start = Start(weights, before.softening)
    try:
        outcome = train(
            samples["train"],
            samples["test"],
            {name: np.asarray(images[rows]) for name, (rows, _) in judged.items()} if confirmed else {},
            network=campaign.network,
            training=campaign.training,
            n_classes=n_classes,
            epochs=campaign.epochs,
            rng=rng,
            start=start,
            watched={name: np.asarray(seen[rows]) for name, (seen, rows, _) in watched.items()},
            on_epoch=tick,
        )
    except GalmorphError as error:
        raise GalmorphError(f"condition {campaign.name}, phase {campaign.phase}, run {run}: {error}") from None
    nothing = np.empty((0, n_classes), np.float32)
    sets = {
        name: Evaluation(rows, labels, outcome.probabilities.get(name, nothing), outcome.watched.get(name))
        for name, (*_, rows, labels) in (judged | watched).items()
    }
    kept = ""
    if confirmed and run <= campaign.training.keep_weights:
        path = folder / weights_name(run)
        kept = save_weights(path, campaign.network, images.shape[-1], n_classes, outcome.weights)
    record = Record(
        condition=campaign.name,
        phase=campaign.phase,
        run=run,
        classes=campaign.condition.classes,
        fingerprint=campaign.fingerprint,
        parameters=campaign.parameters,
        data=campaign.data,
        softening=outcome.softening,
        history=outcome.history,
        predicted=outcome.predicted,
        sets=sets,
        weights=kept,
    )
    save_record(folder / record_name(run), record)
    accuracy = float(outcome.history["test_accuracy"][-1])
    return Finished(run, accuracy, time.monotonic() - started, place, peak_memory())
