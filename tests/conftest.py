"""What several test modules share."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from mlflow import MlflowClient
from numpy.typing import NDArray

from galmorph.classify import Ensemble, load_ensemble
from galmorph.parallel import cluster, workers
from tests.support.dask_scheduler import Scheduler, running_scheduler
from tests.support.trained_study import made_trained_study

# The servers of the tests are on this machine.
os.environ["no_proxy"] = "127.0.0.1,localhost"
# Examples are bounded by number, not by time: these machines are shared.
settings.register_profile("galmorph", deadline=None)
settings.load_profile("galmorph")


@pytest.fixture(scope="session")
def real_data() -> Path:
    named = os.environ.get("GALMORPH_REAL_DATA")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "real"
    if not folder.is_dir():
        pytest.skip(f"no folder {folder} with real data; GALMORPH_REAL_DATA names one")
    return folder


@pytest.fixture(scope="session", autouse=True)
def _in_process_worker() -> Iterator[None]:
    """Run jobs in one worker thread of the test's own process: to start a process and import TensorFlow takes seconds.

    Tests of the processes themselves use the fixture `processes`.
    """
    import dask
    from distributed import Client, LocalCluster

    with ExitStack() as stack:
        started: list[LocalCluster] = []

        @contextmanager
        def client(count: int) -> Iterator[Client]:
            if cluster.scheduler_address():
                with cluster.client(count) as connected:
                    yield connected
                return
            if not started:
                logging.getLogger("distributed").setLevel(logging.CRITICAL)
                stack.enter_context(dask.config.set({"distributed.worker.profile.enabled": False}))
                started.append(
                    stack.enter_context(
                        LocalCluster(
                            n_workers=1,
                            threads_per_worker=1,
                            processes=False,
                            memory_limit=None,  # a worker pauses near its limit, and this process holds the tests too
                            dashboard_address="127.0.0.1:0",
                            silence_logs=logging.CRITICAL,
                        )
                    )
                )
            with Client(started[0]) as connected:
                yield connected

        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(workers, "client", client)
        yield


@pytest.fixture(autouse=True)
def _every_message() -> None:
    """Let `caplog` see every message of the package, whatever level an earlier test or command left behind."""
    logging.getLogger("galmorph").setLevel(logging.DEBUG)


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run jobs in worker processes, as the package does."""
    monkeypatch.setattr(workers, "client", cluster.client)


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[Scheduler]:
    """A Dask scheduler with two workers."""
    with running_scheduler(tmp_path / "cluster", 2) as started:
        yield started


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished study of made stamps: to be read only."""
    folder = tmp_path_factory.mktemp("study")
    made_trained_study(folder)
    return folder


@pytest.fixture
def own_study(study: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may spoil."""
    return Path(shutil.copytree(study, tmp_path / "own"))


@pytest.fixture(scope="session")
def ensemble(study: Path) -> Ensemble:
    return load_ensemble("three_class", study)


@pytest.fixture(scope="session")
def study_images(study: Path) -> NDArray[np.float32]:
    """The stamps of the study: (150, 16, 16) float32, DN."""
    images: NDArray[np.float32] = np.load(study / "data/cutouts/images.npy")
    return images


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An MLflow database without experiments; making one takes seconds, copying it does not."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path.read_bytes()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of the pipeline first: one process needs minutes for them, while the others do all the rest."""
    items.sort(key=lambda item: "pipeline" not in item.path.parts)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many faults were tried and survived, and how many sequences of steps."""
    tried = [
        (outcome, report)
        for outcome in ("passed", "failed", "skipped")
        for report in terminalreporter.getreports(outcome)
        if "fault" in getattr(report, "keywords", {}) and (report.when == "call" or outcome == "skipped")
    ]
    if tried:
        survived = sum(outcome == "passed" for outcome, _ in tried)
        skipped = sum(outcome == "skipped" for outcome, _ in tried)
        left = f", {skipped} skipped" if skipped else ""
        terminalreporter.write_line(f"faults: {len(tried) - skipped} tried, {survived} survived{left}")
    sequences = [
        dict(report.user_properties)["sequence"]
        for outcome in ("passed", "failed")
        for report in terminalreporter.getreports(outcome)
        if report.when == "call" and "sequence" in dict(report.user_properties)
    ]
    if sequences:
        total = {key: sum(one[key] for one in sequences) for key in sequences[0]}
        terminalreporter.write_line(
            f"sequences of what a user does: {len(sequences)}, of {total['steps']} steps; the numbers of a report that "
            f"stood were computed again {total['checked']} times, {total['refused']} times it was refused"
        )
