"""A Dask scheduler and its workers, started as the user of a cluster does."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.parameters import ROOT

ENVIRONMENT = {
    "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
    "DASK_DISTRIBUTED__WORKER__MEMORY__PAUSE": "False",
}


@dataclass
class Scheduler:
    """Processes of a scheduler and of its workers; they end with the stack."""

    folder: Path
    stack: ExitStack
    address: str = ""
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.process = self._start("scheduler", "--port", "0", "--scheduler-file", str(self.file))

    @property
    def file(self) -> Path:
        """Where the scheduler writes its address."""
        return self.folder / "scheduler.json"

    def _start(self, *command: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", *command, "--host", "127.0.0.1", "--no-dashboard"],
            cwd=self.folder,
            env=os.environ | ENVIRONMENT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.stack.callback(process.wait)
        self.stack.callback(process.kill)
        return process

    def start_worker(self) -> None:
        self.workers.append(self._start("worker", "--scheduler-file", str(self.file), "--no-nanny", "--nthreads", "1"))


@contextmanager
def running_scheduler(folder: Path, workers: int) -> Iterator[Scheduler]:
    """Start a scheduler and its workers on loopback, in a folder of their own."""
    from distributed import Client

    folder.mkdir()
    with ExitStack() as stack:
        scheduler = Scheduler(folder, stack)
        for _ in range(workers):
            scheduler.start_worker()
        deadline = time.monotonic() + 60
        while not scheduler.file.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        with Client(scheduler_file=str(scheduler.file), timeout="60s") as client:
            client.wait_for_workers(workers, timeout=60)
            scheduler.address = client.scheduler.address
        yield scheduler
