"""The MLflow store of a survey: a view of the records, which a sync rebuilds.

The experiment of a survey holds one parent run for each condition, with the mean curves, and under it one child for
each run of both phases. `Store.sync` makes the store show exactly the declared records: what is missing is added, what
differs is replaced, what is no longer declared is kept for comparison but marked as earlier.

A sync compares what one search returns: a run's status, tags, parameters, data and last metric values, and the digest
of its content in the tag `galmorph.content`. It opens neither curves nor artifacts: the report compares the curves that
it reads with those of the records; an artifact that was deleted or changed in the store is restored by deleting its run
in MLflow and syncing again.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, Experiment, InputTag, Metric, Param, Run, RunTag, ViewType
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS, ErrorCode

from galmorph.errors import counted
from galmorph.scores.evaluation import ConditionRecords, score_run
from galmorph.tracking.address import adopt_artifacts, every_page, explained, locked
from galmorph.tracking.content import (
    KIND,
    SCORED,
    SECONDS,
    STATUS,
    Content,
    DataFile,
    baseline_content,
    condition_content,
    run_content,
)
from galmorph.tracking.models import KeptNetworks
from galmorph.tracking.views import shared_views
from galmorph.training.records import Record

log = logging.getLogger(__name__)

ALREADY_THERE = ErrorCode.Name(RESOURCE_ALREADY_EXISTS)
MAX_ENTRIES = 1000  # metrics, parameters and tags that one call to log_batch writes at once
CONTEXT, DESCRIPTION = "mlflow.data.context", "mlflow.note.content"
DIGEST = "galmorph.content"
EARLIER = " (earlier)"
CONFUSION_PICTURE = "confusion.png"
EXPERIMENT_TAGS = {
    # So that the UI opens its pages for training, not those for language models.
    "mlflow.experimentKind": "custom_model_development",
    DESCRIPTION: (
        "Views (upper right) lists the conditions, their runs, and the baselines. A condition has the mean scores and "
        "mean curves of its runs, which are named CONDITION PHASE NUMBER. To compare, tick lines and choose Compare."
    ),
}


@dataclass
class SyncCounts:
    """What a sync did, in runs of the store."""

    kept: int = 0
    added: int = 0
    replaced: int = 0
    earlier: int = 0

    def __str__(self) -> str:
        return (
            f"{counted(self.kept, 'run')} stood as recorded, {self.added} added, {self.replaced} replaced, "
            f"{self.earlier} of earlier parameters"
        )


class Store:
    """The experiment of one survey in an MLflow store.

    Parameters
    ----------
    uri
        The store's address.
    survey
        The experiment's name.
    artifacts
        Folder for the files of the runs if the store is an SQLite file; a server has its own.

    Raises
    ------
    GalmorphError
        If the store cannot be opened; the methods, if it cannot be read or written.
    """

    def __init__(self, uri: str, survey: str, artifacts: Path) -> None:
        self.uri = uri
        self.open_parents: dict[str, str] = {}
        self.provenance = provenance()
        # Migrations log at length, and a failing database with its traceback; `explained` names the remedy.
        logging.getLogger("alembic").setLevel(logging.WARNING)
        logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
        with self.explained(), locked(uri):
            self.client = MlflowClient(uri)
            self.experiment = self._experiment(survey, artifacts)
            for name, value in shared_views(self.experiment.creation_time).items():
                if self.experiment.tags.get(name) != value:
                    self._tag_experiment(name, value)

    def explained(self) -> AbstractContextManager[None]:
        """Turn the errors of MLflow and its database into a GalmorphError with the remedy."""
        return explained(self.uri)

    def _tag_experiment(self, name: str, value: str) -> None:
        try:
            self.client.set_experiment_tag(self.experiment.experiment_id, name, value)
        except MlflowException:
            # On a server another process may have been the first.
            if self.client.get_experiment(self.experiment.experiment_id).tags.get(name) != value:
                raise

    def _experiment(self, name: str, artifacts: Path) -> Experiment:
        experiment = self.client.get_experiment_by_name(name)
        if experiment is not None:
            foreign = adopt_artifacts(self.uri, artifacts)
            experiment = self.client.get_experiment_by_name(name)
            if experiment.artifact_location in foreign:
                log.warning(
                    "the MLflow store %s was copied without the files of its runs: they lie in %s, and new ones are "
                    "written there; remove this store and run galmorph sync, which rebuilds it",
                    self.uri,
                    experiment.artifact_location,
                )
        if experiment is None:
            location = artifacts.resolve().as_uri() if self.uri.startswith("sqlite:") else None
            try:
                self.client.create_experiment(name, artifact_location=location, tags=EXPERIMENT_TAGS)
            except MlflowException as error:
                # On a server another process may have been the first.
                if error.error_code != ALREADY_THERE:
                    raise
            experiment = self.client.get_experiment_by_name(name)
            assert experiment is not None
        elif experiment.lifecycle_stage == "deleted":
            self.client.restore_experiment(experiment.experiment_id)
        return experiment

    def runs(self, kind: str, **tags: str) -> list[Run]:
        """Return the runs of a kind ("run", "condition", "baseline", "failure") by galmorph tags, oldest first."""
        wanted = {KIND: kind} | {f"galmorph.{name}": value for name, value in tags.items()}
        condition = " and ".join(f"tags.`{name}` = '{value}'" for name, value in wanted.items())
        return every_page(
            lambda token: self.client.search_runs(
                [self.experiment.experiment_id],
                condition,
                ViewType.ACTIVE_ONLY,
                max_results=1000,
                order_by=["attributes.start_time ASC"],
                page_token=token,
            )
        )

    def history(self, run: Run, name: str) -> dict[int, float]:
        """Return every point of a metric by step; a step that has two different values holds NaN."""
        points: dict[int, float] = {}
        for point in self.client.get_metric_history(run.info.run_id, name):
            if points.setdefault(point.step, point.value) != point.value:
                points[point.step] = float("nan")
        return points

    def distrust(self, run: Run) -> None:
        """Have the next sync replace a run."""
        self.client.set_tag(run.info.run_id, DIGEST, "")

    def add(self, record: Record, file: Path, seconds: float | None = None) -> None:
        """Write the run of a record that has just been finished, under a parent that `sync` completes.

        `seconds` is how long it took, which no record says: a store that is rebuilt from the records lacks it.
        A run that is there already is left to `sync`: repeating a study must not leave a deleted run for each run
        that it repeats.
        """
        with self.explained():
            name = record.condition
            if self.runs("run", condition=name, fingerprint=record.fingerprint, run=str(record.run)):
                return
            if name not in self.open_parents:
                tags = {KIND: "condition", STATUS: "open", "galmorph.condition": name}
                found = self.runs("condition", condition=name, status="open")
                parent = found[0].info.run_id if found else self._write(Content(name, tags))
                self.open_parents[name] = parent
            epoch = record.epochs if record.phase == "confirmed" else None
            self._write(run_content(score_run(record, epoch), file), self.open_parents[name], seconds=seconds)

    def add_failure(self, condition: str, phase: str, run: int, fingerprint: str, reason: str) -> None:
        """Show a run that failed, and why, as a run of its own with the status FAILED."""
        identity = {"condition": condition, "phase": phase, "run": str(run), "fingerprint": fingerprint}
        tags = {KIND: "failure", STATUS: "current", DESCRIPTION: reason}
        tags |= {f"galmorph.{name}": value for name, value in identity.items()}
        with self.explained():
            for before in self.runs("failure", **identity):
                self.client.delete_run(before.info.run_id)
            self._write(Content(f"{condition} {phase} {run:02d} failed", tags), status="FAILED")

    def sync(self, declared: Sequence[ConditionRecords]) -> SyncCounts:
        """Make the store show exactly the declared records; runs that show them already are left alone."""
        counts = SyncCounts()
        with self.explained():
            children: dict[tuple[str | None, ...], list[Run]] = {}
            for run in [*self.runs("run"), *self.runs("baseline")]:
                key = tuple(run.data.tags.get(f"galmorph.{name}") for name in ("condition", "fingerprint", "run"))
                children.setdefault(key, []).append(run)
            parents = self.runs("condition")
            networks = KeptNetworks(self.client, self.experiment.experiment_id)
            current, shown, earlier = set(), set(), set()
            for condition in declared:
                content = condition_content(condition)
                same = [run for run in parents if content.tags.items() <= (run.data.tags | {STATUS: "current"}).items()]
                parent = self._reconcile(same, content, None, counts)
                current.add(parent)
                for phase, scored_runs in condition.scored.items():
                    for scored, file in zip(scored_runs, condition.files[phase], strict=True):
                        record = scored.record
                        found = children.pop((record.condition, record.fingerprint, str(record.run)), [])
                        content = run_content(scored, file, condition.data)
                        run_id = self._reconcile(found, content, parent, counts)
                        shown.add(run_id)
                        if network := condition.network(record, file):
                            networks.ensure(run_id, network)
                for name, records in condition.baselines.items():
                    found = children.pop((condition.name, records[0].fingerprint, None), [])
                    self._reconcile(found, baseline_content(condition, name), parent, counts)
            fingerprints = {
                records[0].fingerprint
                for condition in declared
                for records in (*condition.phases.values(), *condition.baselines.values())
            }
            for (_, fingerprint, _), runs in children.items():
                for run in runs:
                    # Its fingerprint is declared, but the run is not: it was edited.
                    if fingerprint in fingerprints:
                        self.client.delete_run(run.info.run_id)
                        counts.replaced += 1
                    else:
                        self._mark_earlier(run)
                        earlier.add(run.info.run_id)
                        counts.earlier += 1
            networks.retire(shown, earlier)
            networks.register()
            for run in self.runs("failure"):
                # Its campaign has finished since, or the parameters have changed.
                if run.data.tags.get("galmorph.fingerprint") in fingerprints:
                    self.client.delete_run(run.info.run_id)
                else:
                    self._mark_earlier(run)
            self._retire([run for run in self.runs("condition") if run.info.run_id not in current])
        self.open_parents.clear()
        return counts

    def _reconcile(self, candidates: Sequence[Run], content: Content, parent: str | None, counts: SyncCounts) -> str:
        """Make exactly one run hold `content`, one of the candidates if any agrees with it; returns its id."""
        kept: Run | None = None
        digest = content.digest()
        notes: dict[str, str] = {}  # what people wrote beside a run that is replaced
        seconds: float | None = None
        for run in candidates:
            if kept is None and agrees(run, content, digest):
                kept = run
                continue
            own = DESCRIPTION if not content.description else None
            notes |= {
                name: value
                for name, value in run.data.tags.items()
                if name == own or not name.startswith(("galmorph.", "mlflow."))
            }
            seconds = run.data.metrics.get(SECONDS, seconds)
            self.client.delete_run(run.info.run_id)
            counts.replaced += 1
        if kept is None:
            counts.added += not candidates
            return self._write(content, parent, notes, digest, seconds=seconds)
        counts.kept += 1
        if DIGEST not in kept.data.tags:
            self._complete(kept.info.run_id, content, kept)
        tags = {STATUS: "current", "mlflow.runName": content.name, DIGEST: digest}
        if content.description:
            tags[DESCRIPTION] = kept.data.tags.get(DESCRIPTION) or content.description
        if parent:
            tags["mlflow.parentRunId"] = parent
        self._set_tags(kept, tags)
        return str(kept.info.run_id)

    def _write(
        self,
        content: Content,
        parent: str | None = None,
        notes: Mapping[str, str] | None = None,
        digest: str | None = None,
        status: str = "FINISHED",
        seconds: float | None = None,
    ) -> str:
        """Write a run and end it; returns its id.

        Parameters
        ----------
        content
            What the run shows.
        parent
            The id of its parent, if it has one.
        notes
            Tags that people gave to the run that it replaces.
        digest
            The digest of the content; None for a run that `sync` will complete.
        status
            The status with which it ends.
        seconds
            How long the training took, if that is known.
        """
        more = {DESCRIPTION: content.description, "mlflow.parentRunId": parent, DIGEST: digest}
        tags = (
            dict(notes or {}) | content.tags | self.provenance | {name: value for name, value in more.items() if value}
        )
        # MLflow shows the time between start and end as the run's duration.
        start = int(1000 * (time.time() - (seconds or 0)))
        run = self.client.create_run(self.experiment.experiment_id, start, tags, run_name=content.name)
        run_id = run.info.run_id
        if seconds is not None:
            self.client.log_metric(run_id, SECONDS, seconds, step=SCORED)
        if content.params:
            self.client.log_batch(run_id, params=[Param(*item) for item in content.params.items()])
        self._complete(run_id, content)
        for file in content.files:
            self.client.log_artifact(run_id, str(file))
        self.client.set_terminated(run_id, status)
        return str(run_id)

    def _complete(self, run_id: str, content: Content, run: Run | None = None) -> None:
        """Write the metrics, data and picture that a run lacks; without `run`, all of them."""
        now = int(time.time() * 1000)
        points = [
            Metric(name, value, now, step)
            for name, steps in content.metrics.items()
            if run is None or name not in run.data.metrics
            for step, value in steps.items()
        ]
        for start in range(0, len(points), MAX_ENTRIES):
            self.client.log_batch(run_id, points[start : start + MAX_ENTRIES])
        known = data_held(run) if run else set()
        if lacking := [file for file in content.inputs if file not in known]:
            self.client.log_inputs(run_id, [data_input(file) for file in lacking])
        if content.confusion:
            self.client.log_figure(run_id, content.confusion.figure(), CONFUSION_PICTURE)

    def _set_tags(self, run: Run, tags: dict[str, str]) -> None:
        changed = [RunTag(name, value) for name, value in tags.items() if run.data.tags.get(name) != value]
        if changed:
            self.client.log_batch(run.info.run_id, tags=changed)

    def _mark_earlier(self, run: Run) -> None:
        # A process that was killed while it wrote leaves its run RUNNING.
        if run.info.status == "RUNNING":
            self.client.set_terminated(run.info.run_id, "KILLED")
        name = str(run.info.run_name).removesuffix(EARLIER) + EARLIER
        self._set_tags(run, {STATUS: "earlier", "mlflow.runName": name})

    def _retire(self, parents: Sequence[Run]) -> None:
        """Mark the parents of earlier runs, and delete those that have no child left."""
        children = [*self.runs("run"), *self.runs("baseline")]
        used = {run.data.tags.get("mlflow.parentRunId") for run in children}
        for parent in parents:
            if parent.info.run_id in used:
                self._mark_earlier(parent)
            else:
                self.client.delete_run(parent.info.run_id)


def agrees(run: Run, content: Content, digest: str) -> bool:
    """Return whether a run shows a content, as far as a search tells, or can be completed to it.

    A run without a digest was written by `Store.add`, before all of its content was known.
    """
    metrics, data = recorded_metrics(run), data_held(run)
    whole = metrics.keys() == content.metrics.keys() and data == set(content.inputs)
    return (
        run.info.status == "FINISHED"
        and run.data.params == content.params
        and content.tags.items() <= (run.data.tags | {STATUS: content.tags[STATUS]}).items()
        and metrics.keys() <= content.metrics.keys()
        and all(value == content.metrics[name][max(content.metrics[name])] for name, value in metrics.items())
        and data <= set(content.inputs)
        and (DIGEST not in run.data.tags or (whole and run.data.tags[DIGEST] == digest))
    )


def recorded_metrics(run: Run) -> dict[str, float]:
    """Return the last value of each metric of a run, except what was measured beside its record."""
    return {name: value for name, value in run.data.metrics.items() if name != SECONDS}


def data_input(file: DataFile) -> DatasetInput:
    """Return a data file as MLflow's UI and `mlflow.data.get_source` know it."""
    source = json.dumps({"uri": file.path})
    return DatasetInput(Dataset(file.path, file.md5, "local", source), [InputTag(CONTEXT, file.context)])


def data_held(run: Run) -> set[DataFile]:
    """Return the data files that a run shows."""
    held = run.inputs.dataset_inputs if run.inputs else []
    return {
        DataFile(data.dataset.name, data.dataset.digest, {tag.key: tag.value for tag in data.tags}.get(CONTEXT, ""))
        for data in held
    }


def provenance() -> dict[str, str]:
    """Return tags for what wrote a run: the git commit, and the DVC experiment that this process is part of."""
    tags = {"mlflow.source.git.commit": _git_commit(), "galmorph.dvc_experiment": os.environ.get("DVC_EXP_NAME")}
    return {name: value for name, value in tags.items() if value}


def _git_commit() -> str | None:
    """Return the commit of the working directory, with a + where files differ from it."""
    command = ["git", "describe", "--always", "--dirty=+", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
