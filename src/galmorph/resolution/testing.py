"""Networks trained at one level, tested at every level: the confirmed runs of a level with more test sets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from galmorph.errors import GalmorphError
from galmorph.files.datafiles import open_stamps
from galmorph.files.reading import file_md5
from galmorph.parallel.workers import spread
from galmorph.settings.resolution import TRANSFER
from galmorph.training.plan import Campaign, code_hash
from galmorph.training.records import Evaluation, Record, load_run, record_name, save_record, weights_name
from galmorph.training.run import parts_of

PREFIX = "transfer_"  # of a level's name, where a condition's would stand: in records, in MLflow


def transfer_name(level: str) -> str:
    """Return what a level's runs are called in records and in MLflow."""
    return PREFIX + level


def recorded_name(trained: str) -> str:
    """Return what records call a condition, or what is trained as transfer/LEVEL."""
    return transfer_name(trained.removeprefix(f"{TRANSFER}/")) if trained.startswith(f"{TRANSFER}/") else trained


# For each level, its images and its split: absolute paths, for the workers.
Levels = Mapping[str, tuple[Path, Path]]


def tested_campaign(campaign: Campaign, confirmed: Path, levels: Levels, destination: Path) -> None:
    """Test every confirmed run at each level, on the level's test galaxies of the run of the same number.

    Where two levels show the same galaxies they have one split, and these are the run's own test galaxies.

    Parameters
    ----------
    campaign
        Of the confirmed phase, trained at one level.
    confirmed
        The folder with its records and the weights of all its runs.
    levels
        What it is tested at.
    destination
        A folder, which holds a record for each run in the end: the confirmed one with a set of answers for each level.

    Raises
    ------
    GalmorphError
        If a record or its weights are missing or torn or of other settings, or a level has other galaxies than its
        split.
    """
    destination.mkdir(parents=True, exist_ok=True)
    md5 = {f"tested_{name}": file_md5(images) for name, (images, _) in levels.items()}
    md5 |= {f"tested_{name}_split": file_md5(split) for name, (_, split) in levels.items()}
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
    levels: dict[str, tuple[Path, Path]],
    md5: dict[str, str],
    run: int,
    destination: Path,
) -> None:
    """Test one run, in the process that does it."""
    if code != code_hash():
        raise GalmorphError("a worker has other code than this project; bring it to the same commit and start it anew")
    record = load_run(confirmed, run, campaign.name, campaign.phase)
    if record.parameters != campaign.parameters:
        raise GalmorphError(
            f"{confirmed / record_name(run)}: trained with other settings than params.yaml has; run dvc repro"
        )
    sets = record.sets | answers(campaign, confirmed / weights_name(run), record, levels)
    save_record(destination / record_name(run), replace(record, sets=sets, data=record.data | md5))


def answers(campaign: Campaign, weights: Path, record: Record, levels: Levels) -> dict[str, Evaluation]:
    """Return a network's answers on the test galaxies of its run at each level.

    The images are scaled with the constant of the run's own training part, whichever level they are of.
    """
    from galmorph.training.backend import tf
    from galmorph.training.engine import engine, prepare_device
    from galmorph.training.network import load_weights
    from galmorph.training.scaling import scaled

    prepare_device()
    machine = None
    given = {}
    for name, (path, split) in levels.items():
        images = open_stamps(path)
        rows, truth = parts_of(split, len(images), campaign, record.run)["test"]
        if machine is None:
            size, count = images.shape[-1], len(record.classes)
            machine = engine(campaign.network, campaign.training, size, count)
            machine.model.set_weights(load_weights(weights, record.weights, campaign.network, size, count))
        prepared = scaled(np.asarray(images[rows]), campaign.training.scaling, record.softening)
        logits = machine.logits(tf.constant(prepared[:, : machine.side, : machine.side]))
        given[name] = Evaluation(rows, truth, np.array(tf.nn.softmax(logits)))
    return given
