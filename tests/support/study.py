"""A synthetic study: records as the campaigns of the declared conditions would leave them, and their results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from galmorph.baselines import BASELINES
from galmorph.report.study import ConditionResults, PhaseResults, Study
from galmorph.scores.evaluation import ConditionRecords, ScoredRun
from galmorph.settings.study import ConditionSettings, Settings
from galmorph.splits import split_run
from galmorph.training.protocol import UNCERTAIN_SET, selected_epoch
from galmorph.training.records import Evaluation, Record, Unlabelled

FRACTIONS = {"spiral": 0.272, "elliptical": 0.104, "uncertain": 0.624}
GALAXIES = 3000
RIGHT = {2: 0.9, 3: 0.7}


def rows_by_class() -> dict[str, NDArray[np.int64]]:
    """Return the rows that the galaxies of each class have."""
    bounds = np.cumsum([0, *(round(share * GALAXIES) for share in FRACTIONS.values())])
    return {name: np.arange(bounds[i], bounds[i + 1]) for i, name in enumerate(FRACTIONS)}


def _answers(rng: np.random.Generator, truth: NDArray[np.uint8], k: int, right: float) -> NDArray[np.float32]:
    """Return probabilities, (n, K), whose largest is the true class in about so many galaxies."""
    answer = np.where(rng.random(len(truth)) < right, truth, rng.integers(0, k, len(truth)))
    strength = rng.uniform(0.1, 0.9, (len(truth), 1))
    probabilities = strength * np.eye(k)[answer] + (1 - strength) * rng.dirichlet(np.full(k, 3.0), len(truth))
    return (probabilities / probabilities.sum(axis=1, keepdims=True)).astype(np.float32)


def _record(settings: Settings, name: str, phase: str, run: int, epochs: int, seed: int, baseline: str = "") -> Record:
    condition: ConditionSettings = settings.conditions[name]
    k = len(condition.classes)
    rng = np.random.default_rng([seed, len(name), len(phase), run, *map(ord, baseline)])
    parts = split_run(rows_by_class(), name, condition, settings.protocol, phase, run)
    uncertain = None
    if (asked := parts.pop(UNCERTAIN_SET, None)) is not None and phase == "confirmed":
        rows = asked["uncertain"]
        # Another generator, so that the other sets do not depend on this one.
        given = np.random.default_rng([seed, len(name), run]).dirichlet(np.ones(k), len(rows))
        uncertain = Unlabelled(rows, given.astype(np.float32))
    sets = {}
    for part, by_class in parts.items():
        if part == "train" or (part != "test" and phase == "selected"):
            continue
        rows = np.concatenate(list(by_class.values()))
        numbers = [condition.classes.index(label) for label in by_class]
        truth = np.repeat(numbers, [len(members) for members in by_class.values()]).astype(np.uint8)
        kept = _answers(rng, truth, k, RIGHT[k]) if phase == "confirmed" else np.empty((0, k), np.float32)
        sets[part] = Evaluation(rows, truth, kept)
    truth = sets["test"].truth
    rise = 1 - np.exp(-np.arange(1, epochs + 1) / (settings.training.epochs / 4))
    predicted = np.stack([_answers(rng, truth, k, RIGHT[k] * level).argmax(axis=1) for level in rise]).astype(np.uint8)
    if phase == "confirmed":
        predicted[-1] = sets["test"].probabilities.argmax(axis=1)
    history = {
        "train_loss": 1.02 - rise + np.abs(rng.normal(0, 0.015, epochs)),
        "train_accuracy": np.clip(0.5 + 0.5 * rise + rng.normal(0, 0.015, epochs), 0, 1),
        "test_loss": (1.1 - 0.7 * rise) * (1 + rng.normal(0, 0.015, epochs)),
        "test_accuracy": (predicted == truth).mean(axis=1),
    }
    return Record(
        condition=name,
        phase=phase,
        run=run,
        classes=condition.classes,
        fingerprint=f"{name}-{baseline or phase}",
        parameters={},
        data={},
        softening=6.25,
        history=history,
        predicted=predicted,
        sets=sets,
        uncertain=uncertain,
    )


def made_study(settings: Settings, seed: int = 7) -> dict[str, ConditionRecords]:
    """Return records of every declared condition; galaxies are drawn as the pipeline draws them."""
    made = {}
    runs = range(1, settings.protocol.runs + 1)
    for name in settings.conditions:
        selected = [_record(settings, name, "selected", run, settings.training.epochs, seed) for run in runs]
        epoch = selected_epoch([record.history["test_accuracy"] for record in selected])
        confirmed = [_record(settings, name, "confirmed", run, epoch, seed) for run in runs]
        baselines = {
            baseline: [_record(settings, name, "confirmed", run, 1, seed, baseline) for run in runs]
            for baseline in BASELINES
        }
        phases = {"selected": selected, "confirmed": confirmed}
        made[name] = ConditionRecords(name, epoch, phases, {}, baselines=baselines)
    return made


def results_of(records: Mapping[str, ConditionRecords]) -> dict[str, ConditionResults]:
    """Return what the store would give back of records."""

    def phase(runs: Sequence[ScoredRun]) -> PhaseResults:
        histories = []
        for run in runs:
            table = pd.DataFrame(run.curves)
            table.insert(0, "epoch", np.arange(1, run.record.epochs + 1))
            table.insert(0, "run", run.record.run)
            histories.append(table)
        by_run = {run.record.run: run.scores for run in runs}
        return PhaseResults(
            history=pd.concat(histories, ignore_index=True),
            scores=pd.DataFrame.from_dict(by_run, orient="index").rename_axis("run"),
            confusion=np.stack([run.confusions["test"] for run in runs]),
        )

    return {
        name: ConditionResults(
            name,
            condition.phases["selected"][0].classes,
            condition.epoch,
            phase(condition.scored["selected"]),
            phase(condition.scored["confirmed"]),
            {baseline: phase(runs) for baseline, runs in condition.scored_baselines.items()},
        )
        for name, condition in records.items()
    }


def study_of(settings: Settings, records: Mapping[str, ConditionRecords] | None = None) -> Study:
    """Return a whole study: made records and what the store would give back of them."""
    records = made_study(settings) if records is None else records
    return Study(settings, records, results_of(records))
