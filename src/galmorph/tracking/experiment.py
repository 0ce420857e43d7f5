"""The experiment of a survey in an MLflow store: opened, asked, written to."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, Experiment, InputTag, Metric, Param, Run, RunTag, ViewType
from mlflow.exceptions import MlflowException

from galmorph.tracking.address import alone, explained
from galmorph.tracking.content import KIND, STATUS, Content, DataFile

MAX_ENTRIES = 1000  # metrics, parameters and tags that one call to log_batch writes at once
CONTEXT, DESCRIPTION = "mlflow.data.context", "mlflow.note.content"
CONFUSION_PICTURE = "confusion.png"
EXPERIMENT_TAGS = {
    # So that the UI opens its pages for training, not those for language models.
    "mlflow.experimentKind": "custom_model_development",
    DESCRIPTION: (
        "One parent run for each condition, with the mean curves of its runs; unfold it to see the runs, named "
        "CONDITION PHASE NUMBER. To compare conditions, tick their parents and choose Compare."
    ),
}

# Confusion matrices (runs, K, K), their classes and a title -> a matplotlib figure.
Draw = Callable[[Any, Sequence[str], str], Any]


@dataclass(frozen=True)
class Missing:
    """What a run, right as far as it goes, still lacks."""

    metrics: tuple[str, ...] = ()
    inputs: tuple[DataFile, ...] = ()
    picture: bool = False


def git_commit() -> str | None:
    """Return the commit of the working directory, with a + where files differ from it."""
    command = ["git", "describe", "--always", "--dirty=+", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def made_by() -> dict[str, str]:
    """Return tags for what wrote a run: the commit, and the experiment of DVC that this process is part of."""
    tags = {"mlflow.source.git.commit": git_commit(), "galmorph.dvc_experiment": os.environ.get("DVC_EXP_NAME")}
    return {name: value for name, value in tags.items() if value}


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


class StoredExperiment:
    """The experiment of one survey in an MLflow store.

    Parameters
    ----------
    uri
        The store's address.
    survey
        The experiment's name.
    artifacts
        Where the files of the runs go, if the store is an SQLite file; a server knows its own place.
    draw
        Draws a run's confusion matrix; None: it is not shown.
    """

    def __init__(self, uri: str, survey: str, artifacts: Path, draw: Draw | None = None) -> None:
        self.uri = uri
        self.draw = draw
        self.made_by = made_by()
        # The database migrations announce themselves at length; what MLflow says of a failing database, traceback and
        # all, is said below, with the remedy.
        logging.getLogger("alembic").setLevel(logging.WARNING)
        logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
        with self.explained(), alone(uri):
            self.client = MlflowClient(uri)
            self.experiment = self._experiment(survey, artifacts)

    def explained(self) -> AbstractContextManager[None]:
        """Turn what MLflow and its database raise into a GalmorphError with the remedy."""
        return explained(self.uri)

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
            before, token = token, page.token
            if not token:
                return found
            if not page or token == before:
                raise MlflowException("it says that there are more runs, and sends none that are new")

    def history(self, run: Run, name: str) -> dict[int, float]:
        """Return every point of a metric by step; a step that has two different values holds NaN."""
        points: dict[int, float] = {}
        for point in self.client.get_metric_history(run.info.run_id, name):
            if points.setdefault(point.step, point.value) != point.value:
                points[point.step] = float("nan")
        return points

    def missing(self, run: Run, content: Content) -> Missing | None:
        """Return what a run still lacks of `content`; None if anything that it holds differs from it."""
        metrics = run.data.metrics
        files = {file.path: file.file_size for file in self.client.list_artifacts(run.info.run_id)}
        data = data_held(run)
        right = (
            run.info.status == "FINISHED"
            and run.data.params == content.params
            and content.tags.items() <= (run.data.tags | {STATUS: content.tags[STATUS]}).items()
            and all(files.get(file.name) == file.stat().st_size for file in content.files)
            and data <= set(content.inputs)
            and metrics.keys() <= content.metrics.keys()
            and all(value == content.metrics[name][max(content.metrics[name])] for name, value in metrics.items())
            and all(
                self.history(run, name) == content.metrics[name] for name in metrics if len(content.metrics[name]) > 1
            )
        )
        if not right:
            return None
        return Missing(
            tuple(name for name in content.metrics if name not in metrics),
            tuple(file for file in content.inputs if file not in data),
            content.confusion is not None and self.draw is not None and CONFUSION_PICTURE not in files,
        )

    def add_missing(self, run_id: str, content: Content, missing: Missing, params: bool = False) -> None:
        """Write what a run lacks of `content`; with `params` its parameters as well."""
        now = int(time.time() * 1000)
        points = [
            Metric(name, value, now, step) for name in missing.metrics for step, value in content.metrics[name].items()
        ]
        entries = [Param(name, value) for name, value in content.params.items()] if params else []
        first = MAX_ENTRIES - len(entries)
        if points or entries:
            self.client.log_batch(run_id, points[:first], entries, [], synchronous=True)
        for start in range(first, len(points), MAX_ENTRIES):
            self.client.log_batch(run_id, points[start : start + MAX_ENTRIES], [], [], synchronous=True)
        if missing.inputs:
            self.client.log_inputs(run_id, [data_input(file) for file in missing.inputs])
        if missing.picture and content.confusion and self.draw:
            matrix = content.confusion
            self.client.log_figure(run_id, self.draw(matrix.matrices, matrix.classes, matrix.title), CONFUSION_PICTURE)

    def write(
        self,
        content: Content,
        parent: str | None,
        status: str = "FINISHED",
        theirs: Mapping[str, str] = MappingProxyType({}),
    ) -> str:
        """Write a run and end it; returns its id. `theirs`: tags that people gave to the run in whose place it is."""
        tags = dict(theirs) | content.tags | self.made_by
        if content.description:
            tags |= {DESCRIPTION: content.description}
        if parent:
            tags |= {"mlflow.parentRunId": parent}
        run_id = self.client.create_run(self.experiment.experiment_id, run_name=content.name, tags=tags).info.run_id
        everything = Missing(tuple(content.metrics), content.inputs, content.confusion is not None)
        self.add_missing(run_id, content, everything, params=True)
        for file in content.files:
            self.client.log_artifact(run_id, str(file))
        self.client.set_terminated(run_id, status)
        return str(run_id)

    def set_tags(self, run: Run, tags: dict[str, str]) -> None:
        """Give a run tags, those that it does not have yet."""
        changed = [RunTag(name, value) for name, value in tags.items() if run.data.tags.get(name) != value]
        if changed:
            self.client.log_batch(run.info.run_id, [], [], changed)
