"""A study as the report sees it: the settings, the records, and the results that MLflow holds of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from mlflow.entities import Run
from numpy.typing import NDArray

from galmorph.errors import GalmorphError
from galmorph.report.resolution.results import ResolutionResults
from galmorph.scores.evaluation import curves
from galmorph.scores.metrics import confusion_matrix
from galmorph.settings.study import Settings
from galmorph.tracking.content import CONFUSION, confusion_name, score_name
from galmorph.tracking.store import Store
from galmorph.training.records import ConditionRecords, Record

Phase = Literal["selected", "confirmed"]
PHASES: tuple[Phase, ...] = ("selected", "confirmed")
COMMON_SETS = ("common_natural", "common_balanced")
OWN_TEST_PART = "own test part"
RESTRICTED = "own test part, spirals and ellipticals"


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
        answer restricted to those two.
    confusion
        (runs, K, K) int64, counts on the test part at the reported epoch; rows true, columns predicted, both in the
        order of the condition's classes.
    """

    history: pd.DataFrame
    scores: pd.DataFrame
    confusion: NDArray[np.int64]


@dataclass(frozen=True)
class ConditionResults:
    """One condition: its classes, its selected epoch, and its two phases."""

    name: str
    classes: tuple[str, ...]
    epoch: int
    selected: PhaseResults
    confirmed: PhaseResults


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


def phase_runs(store: Store, condition: ConditionRecords, phase: str) -> list[Run]:
    """Return the runs of one phase, run 1 first.

    Raises
    ------
    GalmorphError
        If the store holds anything but exactly one finished run for each record.
    """
    records = condition.phases[phase]
    found = store.runs("run", condition=condition.name, phase=phase, fingerprint=records[0].fingerprint)
    by_number = {int(run.data.tags["galmorph.run"]): run for run in found}
    unfinished = [run.info.run_name for run in found if run.info.status != "FINISHED"]
    if unfinished or len(found) != len(records) or set(by_number) != set(range(1, len(records) + 1)):
        raise GalmorphError(
            f"condition {condition.name}, phase {phase}: the store holds {len(found) - len(unfinished)} finished runs, "
            f"{len(records)} are declared; {REMEDY}"
        )
    return [by_number[number] for number in sorted(by_number)]


def stored_curves(store: Store, run: Run, record: Record, names: Sequence[str]) -> dict[str, dict[int, float]]:
    """Return curves of a run, {name: {epoch: value}}, as the store holds them.

    Raises
    ------
    GalmorphError
        If a curve is not that of the record. The next sync will replace the run.
    """
    found = {name: store.history(run, name) for name in names}
    for name, values in curves(record).items():
        if name in found and found[name] != {epoch: v for epoch, v in enumerate(values.tolist(), 1) if np.isfinite(v)}:
            store.distrust(run)
            raise GalmorphError(
                f"run {run.info.run_name}: its curve {name} in the MLflow store is not that of its record; {REMEDY}"
            )
    return found


def phase_results(store: Store, condition: ConditionRecords, phase: str) -> PhaseResults:
    """Collect the curves, scores and confusion matrices of one phase from the store."""
    records = condition.phases[phase]
    classes = records[0].classes
    histories, scores, confusions = [], {}, []
    for number, (run, record) in enumerate(zip(phase_runs(store, condition, phase), records, strict=True), start=1):
        history = pd.DataFrame(stored_curves(store, run, record, CURVES)).sort_index()
        history.insert(0, "epoch", history.index)
        history.insert(0, "run", number)
        histories.append(history)
        metrics = run.data.metrics
        confusions.append([[metrics[confusion_name(true, guess)] for guess in classes] for true in classes])
        # Curves are of the test part, or of a set that was watched: "validation/test_accuracy".
        scores[number] = {
            score_name(name): value
            for name, value in metrics.items()
            if name.rpartition("/")[2] not in CURVES and CONFUSION not in name
        }
    return PhaseResults(
        history=pd.concat(histories, ignore_index=True),
        scores=pd.DataFrame.from_dict(scores, orient="index").rename_axis("run"),
        confusion=np.array(confusions).astype(np.int64),
    )


def load_results(store: Store, declared: list[ConditionRecords]) -> dict[str, ConditionResults]:
    """Read the results of the declared conditions from the store."""
    return {
        condition.name: ConditionResults(
            name=condition.name,
            classes=condition.phases["selected"][0].classes,
            epoch=condition.epoch,
            selected=phase_results(store, condition, "selected"),
            confirmed=phase_results(store, condition, "confirmed"),
        )
        for condition in declared
    }


def phase_of(result: ConditionResults, phase: Phase) -> PhaseResults:
    """Return one phase of a condition."""
    return result.selected if phase == "selected" else result.confirmed


def check(study: Study) -> None:
    """Check that results and records are those of the declared conditions, and agree with each other.

    Raises
    ------
    GalmorphError
        If not; the message names the condition.
    """
    settings, results = study.settings, study.results
    if missing := [name for name in settings.conditions if name not in results]:
        raise GalmorphError(f"condition {missing[0]}: declared in params.yaml, but it has no results; run dvc repro")
    if unknown := [name for name in results if name not in settings.conditions]:
        raise GalmorphError(f"condition {unknown[0]}: has results, but params.yaml does not declare it")
    for name, result in results.items():
        if name not in study.records:
            raise GalmorphError(f"condition {name}: it has results, but no records; run dvc repro")
        if result.classes != settings.conditions[name].classes:
            raise GalmorphError(f"condition {name}: results for {result.classes}; params.yaml has other classes")
        for phase in PHASES:
            part = phase_of(result, phase)
            where = f"condition {name}, {phase} phase"
            wanted = list(range(1, settings.protocol.runs + 1))
            if list(part.scores.index) != wanted:
                raise GalmorphError(f"{where}: the runs are not 1 to {len(wanted)}; run dvc repro, then galmorph sync")
            if part.confusion.shape != (len(wanted), len(result.classes), len(result.classes)):
                raise GalmorphError(f"{where}: confusion matrices of shape {part.confusion.shape}, not one per run")
            if sorted(part.history["run"].unique()) != wanted:
                raise GalmorphError(f"{where}: learning curves and scores are of different runs")
            counted = np.trace(part.confusion, axis1=1, axis2=2) / part.confusion.sum(axis=(1, 2))
            if wrong := np.flatnonzero(np.abs(counted - part.scores["accuracy"].to_numpy()) > 1e-6).tolist():
                raise GalmorphError(
                    f"{where}, run {wrong[0] + 1}: its accuracy is not that of its confusion matrix; run galmorph sync"
                )
            if not np.array_equal(part.confusion, _confusions(study.records[name], phase)):
                raise GalmorphError(f"{where}: the predictions of records and store differ; run galmorph sync")
        if result.epoch not in set(result.selected.history["epoch"]):
            raise GalmorphError(f"condition {name}: the selected epoch {result.epoch} is not among those recorded")


def _confusions(condition: ConditionRecords, phase: Phase) -> NDArray[np.int64]:
    """Return the confusion matrix of each run at the selected epoch, (runs, K, K)."""
    matrices = [
        confusion_matrix(record.sets["test"].truth, record.predicted[condition.epoch - 1], len(record.classes))
        for record in condition.phases[phase]
    ]
    return np.stack(matrices)
