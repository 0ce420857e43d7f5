"""One run of a campaign, in a worker process: from data files to a record."""

from __future__ import annotations

import os
import resource
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from galmorph.errors import GalmorphError
from galmorph.files.datafiles import REMEDY, open_stamps, read_table
from galmorph.parallel.workers import tick
from galmorph.training.plan import Campaign, Origin
from galmorph.training.protocol import UNCERTAIN_SET, generator, network_purpose
from galmorph.training.records import (
    VALIDATION,
    Evaluation,
    Record,
    Unlabelled,
    load_run,
    record_name,
    save_record,
    weights_name,
)

if TYPE_CHECKING:
    from galmorph.training.fit import Start

Part = tuple[NDArray[Any], NDArray[Any]]  # rows int64, class numbers uint8


def parts_of(split: Path, stamps: int, campaign: Campaign, run: int) -> dict[str, Part]:
    """Return the rows (n,) and the class numbers (n,) of each part of a run, from a split of so many stamps.

    The split is the campaign's own, or that of a level at which it is tested. The common set of uncertain galaxies has
    no class numbers, and is not among the parts.

    Raises
    ------
    GalmorphError
        If the split lacks the run, has a row without a stamp, twice or of another class, or tests on training galaxies.
    """
    wanted = [("phase", "==", campaign.drawn_as), ("run", "==", run)]
    table = read_table(split, ["row", "class", "part"], wanted)
    numbers = {label: number for number, label in enumerate(campaign.condition.classes)}
    trains, uncertain = (table["part"] == part for part in ("train", UNCERTAIN_SET))
    faults = {
        "no galaxies that train, or none that test": not {"train", "test"} <= set(table["part"]),
        f"rows beyond the {stamps:,} stamps": not table["row"].between(0, stamps - 1).all(),
        f"classes other than {', '.join(numbers)}": not table["class"][~uncertain].isin(numbers).all(),
        f"{', '.join(numbers)} in the part {UNCERTAIN_SET}": table["class"][uncertain].isin(numbers).any(),
        "a galaxy twice in one part": table.duplicated(["part", "row"]).any(),
        "galaxies that train and test": table["row"][~trains].isin(table["row"][trains]).any(),
    }
    if found := [fault for fault, there in faults.items() if there]:
        raise GalmorphError(f"{split}: {found[0]}, in run {run} of the {campaign.drawn_as} phase; {REMEDY}")
    return {
        str(name): (members["row"].to_numpy(np.int64), members["class"].map(numbers).to_numpy(np.uint8))
        for name, members in table[~uncertain].groupby("part", sort=False)
    }


def uncertain_rows(campaign: Campaign, run: int) -> NDArray[np.int64] | None:
    """Return the rows of a run's common set of uncertain galaxies; None where the split, once checked, has none."""
    wanted = [("phase", "==", campaign.drawn_as), ("run", "==", run), ("part", "==", UNCERTAIN_SET)]
    rows = read_table(campaign.split, ["row"], wanted)["row"].to_numpy(np.int64)
    return rows if len(rows) else None


def run_one(campaign: Campaign, run: int, folder: Path) -> tuple[str, float]:
    """Train one run, and write its record, and its weights if they are kept, into `folder`.

    Parameters
    ----------
    run
        From 1.

    Returns
    -------
    summary, seconds
        A line for the log, and how long it took.

    Raises
    ------
    GalmorphError
        If a loss, weight or output is not finite, or if the record cannot be written.
    """
    started = time.monotonic()
    # Only worker processes need TensorFlow.
    from galmorph.training.engine import prepare_device
    from galmorph.training.fit import Sample, train
    from galmorph.training.network import save_weights

    prepare_device()
    images = open_stamps(campaign.images)
    size, n_classes = images.shape[-1], len(campaign.condition.classes)
    parts = parts_of(campaign.split, len(images), campaign, run)
    training_part, validation = parts.pop("train"), parts.pop(VALIDATION, None)
    confirmed = campaign.phase == "confirmed"
    tested = parts if confirmed else {"test": parts["test"]}
    uncertain = uncertain_rows(campaign, run) if confirmed else None
    watched = {}
    for level, (path, split) in campaign.watched.items():
        seen = open_stamps(path)
        watched[level] = (seen, *parts_of(split, len(seen), campaign, run)["test"])
    if validation is not None and campaign.phase == "selected":
        watched[VALIDATION] = (images, *validation)
    start = None
    if campaign.start is not None:
        training_part = _subsample(training_part, campaign.start.galaxies, campaign, run)
        start = _load_start(campaign.start, campaign, run, size)
    train_sample, test_sample = (
        Sample(np.asarray(images[rows]), labels.astype(np.int32)) for rows, labels in (training_part, tested["test"])
    )
    asked = {name: rows for name, (rows, _) in tested.items()} if confirmed else {}
    if uncertain is not None:
        asked[UNCERTAIN_SET] = uncertain
    purpose = network_purpose(campaign.condition.drawing)
    try:
        outcome = train(
            train_sample,
            test_sample,
            {name: np.asarray(images[rows]) for name, rows in asked.items()},
            network=campaign.network,
            training=campaign.training,
            n_classes=n_classes,
            epochs=campaign.epochs,
            rng=generator(campaign.protocol.seed, campaign.drawn_as, run, purpose),
            start=start,
            watched={name: np.asarray(seen[rows]) for name, (seen, rows, _) in watched.items()},
            on_epoch=tick,
        )
    except GalmorphError as error:
        raise GalmorphError(f"condition {campaign.name}, phase {campaign.phase}, run {run}: {error}") from None
    nothing = np.empty((0, n_classes), np.float32)
    sets = {
        name: Evaluation(rows, labels, outcome.probabilities.get(name, nothing), outcome.watched.get(name))
        for name, (*_, rows, labels) in (tested | watched).items()
    }
    kept = ""
    if confirmed and run <= campaign.training.keep_weights:
        kept = save_weights(folder / weights_name(run), campaign.network, size, n_classes, outcome.weights)
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
        uncertain=None if uncertain is None else Unlabelled(uncertain, outcome.probabilities[UNCERTAIN_SET]),
    )
    save_record(folder / record_name(run), record)
    seconds = time.monotonic() - started
    summary = (
        f"test accuracy {outcome.history['test_accuracy'][-1]:.4f} after epoch {campaign.epochs}, {seconds:.0f} s in "
        f"process {socket.gethostname()} {os.getpid()}, peak memory {peak_memory() / 1e9:.2f} GB"
    )
    return summary, seconds


def peak_memory() -> int:
    """Return the peak memory of this process in bytes."""
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return held if sys.platform == "darwin" else held * 1024


def _subsample(part: Part, count: int, campaign: Campaign, run: int) -> Part:
    """Return `count` galaxies of a training part; a smaller subsample is part of every larger one."""
    rows, labels = part
    if count > len(rows):
        raise GalmorphError(
            f"{campaign.name}: {count} training galaxies are asked for, but run {run} has {len(rows)}; lower galaxies "
            "of the remedy, or raise resolution.draw"
        )
    rng = generator(campaign.protocol.seed, campaign.drawn_as, run, "few training galaxies")
    order = rng.permutation(len(rows))[:count]
    return rows[order], labels[order]


def _load_start(origin: Origin, campaign: Campaign, run: int, size: int) -> Start:
    """Load the network from which a run starts: that of the run of the same number."""
    from galmorph.training.fit import Start
    from galmorph.training.network import load_weights

    record = load_run(origin.folder, run, origin.name, "confirmed")
    if record.fingerprint != origin.fingerprint:
        raise GalmorphError(
            f"{origin.folder / record_name(run)}: of another campaign than run 1; restore the folder with dvc "
            "checkout, or run dvc repro"
        )
    n_classes = len(campaign.condition.classes)
    weights = load_weights(origin.folder / weights_name(run), record.weights, campaign.network, size, n_classes)
    return Start(weights, record.softening)
