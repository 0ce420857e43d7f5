"""Networks trained at one level, tested at every level: the confirmed runs of a level with more test sets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from galmorph.errors import GalmorphError
from galmorph.plan import Campaign, code_hash, file_md5
from galmorph.quiet import import_tensorflow
from galmorph.records import Evaluation, Record, load_record, record_name, save_record, weights_name
from galmorph.workers import spread

PREFIX = "transfer_"  # of a level's name, where a condition's would stand: in records, in MLflow


def transfer_name(level: str) -> str:
    """Return what a level's runs are called in records and in MLflow."""
    return PREFIX + level


def tested_campaign(campaign: Campaign, confirmed: Path, levels: Mapping[str, Path], destination: Path) -> None:
    """Test every confirmed run of a level on its own test galaxies as they look at each level.

    Parameters
    ----------
    campaign
        Of the confirmed phase, trained at one level.
    confirmed
        The folder with its records and the weights of all its runs.
    levels
        For each level, its stamps: row i of all of them is one galaxy. Absolute paths, for the workers.
    destination
        A folder, which holds a record for each run in the end: the confirmed one with a set of answers for each level.

    Raises
    ------
    GalmorphError
        If a record or its weights are missing or torn, or a level has other galaxies.
    """
    destination.mkdir(parents=True, exist_ok=True)
    md5 = {f"tested_{name}": file_md5(path) for name, path in levels.items()}
    jobs = [
        (campaign, code_hash(), confirmed, dict(levels), md5, run, destination)
        for run in range(1, campaign.protocol.runs + 1)
    ]
    for _ in spread(tested_run, jobs, label=f"{campaign.name}, tested", unit="run"):
        pass


def tested_run(
    campaign: Campaign,
    code: str,
    confirmed: Path,
    levels: dict[str, Path],
    md5: dict[str, str],
    run: int,
    destination: Path,
) -> None:
    """Test one run, in the process that does it."""
    if code != code_hash():
        raise GalmorphError("a worker has other code than this project; bring it to the same commit and start it anew")
    record = load_record(confirmed / record_name(run))
    answers = probabilities(campaign, confirmed / weights_name(run), record, levels)
    test = record.sets["test"]
    sets = record.sets | {name: Evaluation(test.rows, test.truth, answer) for name, answer in answers.items()}
    save_record(destination / record_name(run), replace(record, sets=sets, data=record.data | md5))


def probabilities(campaign: Campaign, weights: Path, record: Record, levels: Mapping[str, Path]) -> dict[str, Any]:
    """Return the class probabilities (n_test, K) float32 of a run's test galaxies at each level.

    The images are scaled with the constant of the run's own training part, whichever level they are of.
    """
    import_tensorflow()
    import tensorflow as tf

    from galmorph.engine import engine, prepare_device
    from galmorph.network import load_weights
    from galmorph.scaling import scaled

    prepare_device()
    rows = record.sets["test"].rows
    machine = None
    answers = {}
    for name, path in levels.items():
        images = np.load(path, mmap_mode="r")
        if rows.size and rows.max() >= len(images):
            raise GalmorphError(f"{path}: {len(images)} stamps, the split asks for number {rows.max()}; run dvc repro")
        if machine is None:
            size, count = images.shape[-1], len(record.classes)
            machine = engine(campaign.network, campaign.training, size, count)
            machine.model.set_weights(load_weights(weights, campaign.network, size, count))
        prepared = scaled(np.asarray(images[rows]), campaign.training.scaling, record.softening)
        logits = machine.logits(tf.constant(prepared[:, : machine.side, : machine.side]))
        answers[name] = np.array(tf.nn.softmax(logits))
    return answers
