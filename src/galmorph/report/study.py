"""A study as the report sees it: the settings, the records, and the results that MLflow holds of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from mlflow.entities import Run
from numpy.typing import NDArray

from galmorph.errors import GalmorphError
from galmorph.report.resolution.results import ResolutionResults
from galmorph.scores.evaluation import ConditionRecords, ScoredRun
from galmorph.settings.study import Settings
from galmorph.tracking.content import (
    BY_EPOCH,
    BY_RUN,
    CONFUSION,
    baseline_content,
    confusion_name,
    run_metrics,
    score_name,
)
from galmorph.tracking.store import Store, recorded_metrics


@dataclass(frozen=True)
class PhaseResults:
    """The runs of one phase (selected or confirmed) of one condition.

    Attributes
    ----------
    history
        One row per run and epoch: run, epoch (completed passes, from 1), train_loss, train_accuracy, test_loss,
        test_accuracy, test_tss.
    scores
        One row per run (index `run`, from 1), one column per metric, at the reported epoch: accuracy, tss and
        baseline on the run's own test part; in the confirmed phase also accuracy, tss and baseline on the common
        evaluation sets ("accuracy@common_natural", ...) and, where the condition has a class beside spiral and
        elliptical, "accuracy_restricted": the accuracy on the spirals and ellipticals of the test part with the
        prediction restricted to those two.
    confusion
        (runs, K, K) int64, counts on the test part at the reported epoch; rows true, columns predicted, both in the
        order of the condition's classes.
    """

    history: pd.DataFrame
    scores: pd.DataFrame
    confusion: NDArray[np.int64]


@dataclass(frozen=True)
class ConditionResults:
    """One condition: its classes, its selected epoch, its two phases, and what its baselines score.

    Attributes
    ----------
    baselines
        Scores and confusion matrices of each baseline on the galaxies of the confirmed runs; without a history.
    """

    name: str
    classes: tuple[str, ...]
    epoch: int
    selected: PhaseResults
    confirmed: PhaseResults
    baselines: Mapping[str, PhaseResults] = field(default_factory=dict)

    @property
    def phases(self) -> dict[str, PhaseResults]:
        """Both, by name."""
        return {"selected": self.selected, "confirmed": self.confirmed}

    @property
    def with_baselines(self) -> dict[str, PhaseResults]:
        """Both phases, then the baselines."""
        return self.phases | dict(self.baselines)


Results = Mapping[str, ConditionResults]
Records = Mapping[str, ConditionRecords]


@dataclass(frozen=True)
class Study:
    """What the report is computed from, by condition in the order of params.yaml.

    Attributes
    ----------
    settings
        params.yaml.
    records
        What each network predicted for each galaxy.
    results
        Curves, scores and confusion matrices of the same runs, from MLflow.
    resolution
        Networks trained at one spatial resolution and tested at others; None: there is no such study.
    """

    settings: Settings
    records: Records
    results: Results
    resolution: ResolutionResults | None = None


CURVES = ("train_loss", "train_accuracy", "test_loss", "test_accuracy", "test_tss")
REMEDY = "run galmorph sync, which rebuilds the store from the records"


def load_study(
    settings: Settings, declared: Sequence[ConditionRecords], store: Store, resolution: ResolutionResults | None
) -> Study:
    """Read a study: the results of the declared conditions from the store, beside their records.

    Raises
    ------
    GalmorphError
        If the store shows anything but the records.
    """
    records = {condition.name: condition for condition in declared}
    return Study(settings, records, load_results(store, declared), resolution)


def load_results(store: Store, declared: Sequence[ConditionRecords]) -> dict[str, ConditionResults]:
    """Read the results of the declared conditions from the store."""
    return {
        condition.name: ConditionResults(
            name=condition.name,
            classes=condition.phases["selected"][0].classes,
            epoch=condition.epoch,
            selected=phase_results(store, condition, "selected"),
            confirmed=phase_results(store, condition, "confirmed"),
            baselines={name: baseline_results(store, condition, name) for name in condition.baselines},
        )
        for condition in declared
    }


def baseline_results(store: Store, condition: ConditionRecords, baseline: str) -> PhaseResults:
    """Read the scores and confusion matrices of a baseline from the store.

    Raises
    ------
    GalmorphError
        If the store does not show it once, or shows other scores than the records.
    """
    first = condition.baselines[baseline][0]
    found = store.runs("baseline", condition=condition.name, fingerprint=first.fingerprint)
    if [run.info.status for run in found] != ["FINISHED"]:
        raise GalmorphError(
            f"condition {condition.name}, baseline {baseline}: the store holds {len(found)} runs of it, one finished "
            f"run is declared; {REMEDY}"
        )
    (run,) = found
    expected = baseline_content(condition, baseline).metrics
    by_run = {}
    for name in sorted(run.data.metrics.keys() | expected.keys()):
        steps = store.history(run, name)
        _agree(store, run, name, steps, expected.get(name, {}))
        if name.startswith(BY_RUN):
            by_run[name.removeprefix(BY_RUN)] = steps
    table = pd.DataFrame(by_run).sort_index()
    cells = [[table[confusion_name(true, guess)] for guess in first.classes] for true in first.classes]
    scores = table[[name for name in table if CONFUSION not in str(name)]]
    return PhaseResults(
        history=pd.DataFrame(),
        scores=scores.rename(columns=score_name).rename_axis("run"),
        confusion=np.moveaxis(np.array(cells), -1, 0).astype(np.int64),
    )


def phase_results(store: Store, condition: ConditionRecords, phase: str) -> PhaseResults:
    """Read the curves, scores and confusion matrices of one phase from the store."""
    classes = condition.phases[phase][0].classes
    histories, scores, confusions = [], {}, []
    for run, scored in phase_runs(store, condition, phase):
        history = pd.DataFrame(stored_curves(store, run, scored, CURVES)).sort_index()
        history.insert(0, "epoch", history.index)
        history.insert(0, "run", scored.record.run)
        histories.append(history)
        metrics = recorded_metrics(run)
        confusions.append([[metrics[confusion_name(true, guess)] for guess in classes] for true in classes])
        scores[scored.record.run] = {
            score_name(name): value
            for name, value in metrics.items()
            if not name.startswith(BY_EPOCH) and CONFUSION not in name
        }
    return PhaseResults(
        history=pd.concat(histories, ignore_index=True),
        scores=pd.DataFrame.from_dict(scores, orient="index").rename_axis("run"),
        confusion=np.array(confusions).astype(np.int64),
    )


def phase_runs(store: Store, condition: ConditionRecords, phase: str) -> list[tuple[Run, ScoredRun]]:
    """Return the runs of one phase as the store shows them, each with its record, run 1 first.

    Raises
    ------
    GalmorphError
        If the store holds anything but exactly one finished run for each record, or shows other scores.
    """
    scored = condition.scored[phase]
    found = store.runs("run", condition=condition.name, phase=phase, fingerprint=scored[0].record.fingerprint)
    by_number = {int(run.data.tags["galmorph.run"]): run for run in found}
    unfinished = [run.info.run_name for run in found if run.info.status != "FINISHED"]
    if unfinished or len(found) != len(scored) or set(by_number) != {one.record.run for one in scored}:
        raise GalmorphError(
            f"condition {condition.name}, phase {phase}: the store holds {len(found) - len(unfinished)} finished runs, "
            f"{len(scored)} are declared; {REMEDY}"
        )
    pairs = [(by_number[one.record.run], one) for one in scored]
    for run, one in pairs:
        expected = {name: steps[max(steps)] for name, steps in run_metrics(one).items()}
        shown = recorded_metrics(run)
        for name in sorted(expected.keys() | shown.keys()):
            _agree(store, run, name, shown.get(name), expected.get(name))
    return pairs


def stored_curves(store: Store, run: Run, scored: ScoredRun, names: Sequence[str]) -> dict[str, dict[int, float]]:
    """Return curves of a run, {name: {epoch: value}}, as the store holds them.

    Raises
    ------
    GalmorphError
        If a curve is not that of the record.
    """
    found = {name: store.history(run, f"{BY_EPOCH}{name}") for name in names}
    expected = run_metrics(scored)
    for name, curve in found.items():
        _agree(store, run, f"{BY_EPOCH}{name}", curve, expected.get(f"{BY_EPOCH}{name}", {}))
    return found


def _agree(store: Store, run: Run, name: str, found: object, expected: object) -> None:
    """Raise GalmorphError where a metric is not that of the record, and have the next sync replace the run."""
    if found != expected:
        store.distrust(run)
        raise GalmorphError(
            f"run {run.info.run_name}: its metric {name} in the MLflow store is not that of its record; {REMEDY}"
        )
