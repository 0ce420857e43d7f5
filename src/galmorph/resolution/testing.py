"""Networks trained at one level, tested at every level: the confirmed runs of a level with more test sets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from galmorph.errors import GalmorphError
from galmorph.files.datafiles import open_stamps
from galmorph.parallel.workers import spread
from galmorph.training.plan import TRAINING_CODE, Campaign, Levels, levels_md5
from galmorph.training.records import Evaluation, Record, load_run, record_name, save_record, weights_name
from galmorph.training.run import parts_of

CODE = ("resolution/testing.py", *TRAINING_CODE)


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
    md5, runs = levels_md5(levels), range(1, campaign.protocol.runs + 1)
    jobs = [(campaign, confirmed, dict(levels), md5, run, destination) for run in runs]
    for _ in spread(tested_run, jobs, label=f"{campaign.name}, tested", unit="run", code=CODE):
        pass


def tested_run(
    campaign: Campaign,
    confirmed: Path,
    levels: Levels,
    md5: dict[str, str],
    run: int,
    destination: Path,
) -> None:
    """Test one run, in a worker process."""
    record = load_run(confirmed, run, campaign.name, campaign.phase)
    if record.parameters != campaign.parameters:
        raise GalmorphError(
            f"{confirmed / record_name(run)}: trained with settings that differ from params.yaml; run dvc repro"
        )
    sets = record.sets | test_at_levels(campaign, confirmed / weights_name(run), record, levels)
    save_record(destination / record_name(run), replace(record, sets=sets, data=record.data | md5))


def test_at_levels(campaign: Campaign, weights: Path, record: Record, levels: Levels) -> dict[str, Evaluation]:
    """Return a network's predictions for the test galaxies of its run, at each level.

    Stamps of every level are scaled with the constant of the run's own training part.
    """
    from galmorph.training.engine import compiled_engine, prepare_device
    from galmorph.training.network import load_weights
    from galmorph.training.predict import Predictor

    prepare_device()
    predictor = None
    sets = {}
    for name, (path, split) in levels.items():
        images = open_stamps(path)
        rows, truth = parts_of(split, len(images), campaign, record.run)["test"]
        if predictor is None:
            size, count = images.shape[-1], len(record.classes)
            engine = compiled_engine(campaign.network, campaign.training, size, count)
            engine.model.set_weights(load_weights(weights, record.weights, campaign.network, size, count))
            predictor = Predictor(engine, record.softening)
        sets[name] = Evaluation(rows, truth, predictor.probabilities(np.asarray(images[rows])))
    return sets
