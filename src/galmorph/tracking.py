"""MLflow: a view of the records, rebuilt at will.

The experiment of a survey holds one parent run for each condition, with the mean curves, and under it one child for
each run of both phases. `Store.sync` makes the store show exactly the declared records: what is missing is added,
what differs is replaced, what is no longer declared is kept, so that it can be compared, but marked as earlier.
"""

from __future__ import annotations

import logging
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Experiment, Metric, Param, Run, RunTag, ViewType
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from galmorph.content import KIND, STATUS, ConditionRecords, Content, condition_content, run_content
from galmorph.errors import GalmorphError
from galmorph.records import Record

MAX_ENTRIES = 1000  # metrics, parameters and tags that one call to log_batch writes at once
EARLIER = " (earlier)"
EXPERIMENT_TAGS = {
    # So that the UI opens its pages for training, not those for language models.
    "mlflow.experimentKind": "custom_model_development",
    "mlflow.note.content": (
        "One parent run for each condition, with the mean curves of its runs; unfold it to see the runs, named "
        "CONDITION PHASE NUMBER. To compare conditions, tick their parents and choose Compare."
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
            f"{self.kept} runs stood as recorded, {self.added} added, {self.replaced} replaced, "
            f"{self.earlier} of earlier parameters"
        )


def git_commit() -> str | None:
    """Return the commit of the working directory, with a + where files differ from it."""
    command = ["git", "describe", "--always", "--dirty=+", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def default_uri(root: Path) -> str:
    """Return the store's address: MLFLOW_TRACKING_URI, else an SQLite file in the project's root."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{root.resolve() / 'mlflow.db'}"


class Store:
    """The experiment of one survey in an MLflow store.

    Parameters
    ----------
    uri
        The store's address.
    survey
        The experiment's name.
    artifacts
        Where the files of the runs go, if the store is an SQLite file; a server knows its own place.
    """

    def __init__(self, uri: str, survey: str, artifacts: Path) -> None:
        # The database migrations announce themselves at length.
        for name in ("alembic", "mlflow.store.db.utils"):
            logging.getLogger(name).setLevel(logging.WARNING)
        self.uri = uri
        self.open_parents: dict[str, str] = {}
        self.commit = git_commit()
        with self._explained():
            self.client = MlflowClient(uri)
            self.experiment = self._experiment(survey, artifacts)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (MlflowException, SQLAlchemyError, OSError) as error:
            if "database is locked" in str(error):
                raise GalmorphError(
                    f"the MLflow store {self.uri} is locked by another process; end that one (a sync, a backup, a "
                    "database browser with unsaved changes) and repeat the command"
                ) from error
            raise GalmorphError(
                f"the MLflow store {self.uri} refuses: {error}; if it is the project's own mlflow.db, remove it and "
                "run galmorph sync, which rebuilds it; else check MLFLOW_TRACKING_URI"
            ) from error

    def _experiment(self, name: str, artifacts: Path) -> Experiment:
        experiment = self.client.get_experiment_by_name(name)
        if experiment is None:
            location = artifacts.resolve().as_uri() if self.uri.startswith("sqlite:") else None
            made = self.client.create_experiment(name, artifact_location=location, tags=EXPERIMENT_TAGS)
            experiment = self.client.get_experiment(made)
        elif experiment.lifecycle_stage == "deleted":
            self.client.restore_experiment(experiment.experiment_id)
        return experiment

    def runs(self, kind: str, **tags: str) -> list[Run]:
        """Return the runs of a kind ("run" or "condition") with the given galmorph tags, oldest first."""
        wanted = {KIND: kind} | {f"galmorph.{name}": value for name, value in tags.items()}
        found: list[Run] = []
        token = None
        while True:
            page = self.client.search_runs(
                [self.experiment.experiment_id],
                filter_string=" and ".join(f"tags.`{name}` = '{value}'" for name, value in wanted.items()),
                run_view_type=ViewType.ACTIVE_ONLY,
                max_results=1000,
                order_by=["attributes.start_time ASC"],
                page_token=token,
            )
            found += page
            token = page.token
            if not token:
                return found

    def history(self, run: Run, name: str) -> dict[int, float]:
        """Return every point of a metric by step; a step that has two different values holds NaN."""
        points: dict[int, float] = {}
        for point in self.client.get_metric_history(run.info.run_id, name):
            if points.setdefault(point.step, point.value) != point.value:
                points[point.step] = float("nan")
        return points

    def missing_metrics(self, run: Run, content: Content) -> list[str] | None:
        """Return the metrics that a run still lacks; None if anything that it holds differs from `content`."""
        held = run.data.metrics
        files = {file.path for file in self.client.list_artifacts(run.info.run_id)}
        right = (
            run.info.status == "FINISHED"
            and run.data.params == content.params
            and content.tags.items() <= (run.data.tags | {STATUS: content.tags[STATUS]}).items()
            and files >= {file.name for file in content.files}
            and held.keys() <= content.metrics.keys()
            and all(value == content.metrics[name][max(content.metrics[name])] for name, value in held.items())
            and all(self.history(run, name) == content.metrics[name] for name in held if len(content.metrics[name]) > 1)
        )
        return [name for name in content.metrics if name not in held] if right else None

    def _log(self, run_id: str, content: Content, names: Sequence[str], params: bool) -> None:
        now = int(time.time() * 1000)
        points = [Metric(name, value, now, step) for name in names for step, value in content.metrics[name].items()]
        entries = [Param(name, value) for name, value in content.params.items()] if params else []
        first = MAX_ENTRIES - len(entries)
        self.client.log_batch(run_id, points[:first], entries, [], synchronous=True)
        for start in range(first, len(points), MAX_ENTRIES):
            self.client.log_batch(run_id, points[start : start + MAX_ENTRIES], [], [], synchronous=True)

    def write(self, content: Content, parent: str | None, status: str = "FINISHED") -> str:
        """Write a run and end it; returns its id."""
        tags = dict(content.tags)
        if parent:
            tags["mlflow.parentRunId"] = parent
        if self.commit:
            tags["mlflow.source.git.commit"] = self.commit
        run_id = self.client.create_run(self.experiment.experiment_id, run_name=content.name, tags=tags).info.run_id
        self._log(run_id, content, list(content.metrics), params=True)
        for file in content.files:
            self.client.log_artifact(run_id, str(file))
        self.client.set_terminated(run_id, status)
        return str(run_id)

    def add(self, record: Record, file: Path) -> None:
        """Write the run of a record that has just been finished, under a parent that `sync` completes."""
        with self._explained():
            name = record.condition
            if name not in self.open_parents:
                tags = {KIND: "condition", STATUS: "open", "galmorph.condition": name}
                found = self.runs("condition", condition=name, status="open")
                parent = found[0].info.run_id if found else self.write(Content(name, tags), None)
                self.open_parents[name] = parent
            epoch = record.epochs if record.phase == "confirmed" else None
            self.write(run_content(record, file, epoch), self.open_parents[name])

    def add_failure(self, condition: str, phase: str, run: int, fingerprint: str, reason: str) -> None:
        """Show a run that failed, and why: as a run of its own, with the status FAILED."""
        which = {"condition": condition, "phase": phase, "run": str(run), "fingerprint": fingerprint}
        tags = {KIND: "failure", STATUS: "current", "mlflow.note.content": reason}
        tags |= {f"galmorph.{name}": value for name, value in which.items()}
        with self._explained():
            for before in self.runs("failure", **which):
                self.client.delete_run(before.info.run_id)
            self.write(Content(f"{condition} {phase} {run:02d} failed", tags), None, "FAILED")

    def _reconcile(self, claimants: Sequence[Run], content: Content, parent: str | None, counts: SyncCounts) -> str:
        """Make exactly one run hold `content`, one of the claimants if any is right; returns its id."""
        kept: str | None = None
        wrong = 0
        for run in claimants:
            missing = self.missing_metrics(run, content) if kept is None else None
            if missing is None:
                self.client.delete_run(run.info.run_id)
                wrong += 1
                continue
            kept = str(run.info.run_id)
            if missing:
                self._log(kept, content, missing, params=False)
            tags = {STATUS: "current", "mlflow.runName": content.name}
            if parent:
                tags["mlflow.parentRunId"] = parent
            self._set_tags(run, tags)
        counts.replaced += wrong
        if kept is None:
            counts.added += not wrong
            return self.write(content, parent)
        counts.kept += 1
        return kept

    def _set_tags(self, run: Run, tags: dict[str, str]) -> None:
        changed = [RunTag(name, value) for name, value in tags.items() if run.data.tags.get(name) != value]
        if changed:
            self.client.log_batch(run.info.run_id, [], [], changed)

    def sync(self, declared: Sequence[ConditionRecords]) -> SyncCounts:
        """Make the store show exactly the declared records; what it already shows rightly is left alone."""
        counts = SyncCounts()
        with self._explained():
            children: dict[tuple[str | None, ...], list[Run]] = {}
            for run in self.runs("run"):
                key = tuple(run.data.tags.get(f"galmorph.{name}") for name in ("condition", "fingerprint", "run"))
                children.setdefault(key, []).append(run)
            parents = self.runs("condition")
            current = set()
            for condition in declared:
                content = condition_content(condition)
                same = [run for run in parents if content.tags.items() <= (run.data.tags | {STATUS: "current"}).items()]
                parent = self._reconcile(same, content, None, counts)
                current.add(parent)
                for phase, records in condition.phases.items():
                    for record, file in zip(records, condition.files[phase], strict=True):
                        key = (record.condition, record.fingerprint, str(record.run))
                        run = run_content(record, file, condition.epoch)
                        self._reconcile(children.pop(key, []), run, parent, counts)
            fingerprints = {records[0].fingerprint for c in declared for records in c.phases.values()}
            for (_, fingerprint, _), runs in children.items():
                for run in runs:
                    # One that claims a declared campaign, but to be no run of it, was edited.
                    if fingerprint in fingerprints:
                        self.client.delete_run(run.info.run_id)
                        counts.replaced += 1
                    else:
                        self._mark_earlier(run)
                        counts.earlier += 1
            for run in self.runs("failure"):
                # Its campaign has been finished since, or the parameters are others now.
                if run.data.tags.get("galmorph.fingerprint") in fingerprints:
                    self.client.delete_run(run.info.run_id)
                else:
                    self._mark_earlier(run)
            self._retire([run for run in self.runs("condition") if run.info.run_id not in current])
        self.open_parents.clear()
        return counts

    def _mark_earlier(self, run: Run) -> None:
        # A process that was killed while it wrote leaves its run RUNNING for ever.
        if run.info.status == "RUNNING":
            self.client.set_terminated(run.info.run_id, "KILLED")
        name = str(run.info.run_name).removesuffix(EARLIER) + EARLIER
        self._set_tags(run, {STATUS: "earlier", "mlflow.runName": name})

    def _retire(self, parents: Sequence[Run]) -> None:
        """Mark the parents of earlier runs, and delete those that have no child left."""
        used = {run.data.tags.get("mlflow.parentRunId") for run in self.runs("run")}
        for parent in parents:
            if parent.info.run_id in used:
                self._mark_earlier(parent)
            else:
                self.client.delete_run(parent.info.run_id)
