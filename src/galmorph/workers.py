"""Many independent jobs over processes: those of this machine, or those of a Dask scheduler that has a name.

The results of a job may not depend on where it runs or in which order, so that the bytes the project writes are the
same for any number of workers. A job whose process dies is done again elsewhere.
"""

from __future__ import annotations

import itertools
import logging
import os
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

from tqdm import tqdm

from galmorph.errors import GalmorphError

log = logging.getLogger(__name__)

Result = TypeVar("Result")

ATTEMPTS = 3  # of a job, before its error is the caller's
SMALLEST_MEMORY = 2**28  # bytes in which a worker can start at all
CONNECT_SECONDS = 20  # that a scheduler has to answer
TICK_SECONDS = 1.0  # between two words of a job on how far it is

_job = threading.local()  # the job that this thread of a worker is doing


def worker_count() -> int:
    """Return the number of worker processes: GALMORPH_WORKERS, else the cores that this process may use."""
    text = os.environ.get("GALMORPH_WORKERS")
    if text is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not text.isdecimal() or int(text) < 1:
        raise GalmorphError(f"GALMORPH_WORKERS: a whole number of 1 or more, not {text!r}")
    return int(text)


def worker_memory() -> str:
    """Return the memory that a worker process may take: GALMORPH_WORKER_MEMORY, else its share of the machine's."""
    import dask

    text = os.environ.get("GALMORPH_WORKER_MEMORY", "auto")
    try:
        if text != "auto" and dask.utils.parse_bytes(text) < SMALLEST_MEMORY:
            raise ValueError
    except ValueError:
        raise GalmorphError(f"GALMORPH_WORKER_MEMORY: a size such as 2GiB, not {text!r}") from None
    return text


def tick(done: int) -> None:
    """Say, from within a job, how many of its steps are done; at most one word a second is sent."""
    if (sent := getattr(_job, "sent", None)) is None or time.monotonic() - sent < TICK_SECONDS:
        return
    from distributed import get_worker

    _job.sent = time.monotonic()
    get_worker().log_event(_job.topic, (_job.index, done))


def _do(function: Callable[..., Result], topic: str, index: int, job: tuple[Any, ...]) -> Result:
    """Do a job in a worker, so that `tick` knows which it is."""
    _job.topic, _job.index, _job.sent = topic, index, time.monotonic()
    try:
        return function(*job)
    finally:
        _job.sent = None


class Progress:
    """A bar over the steps of all jobs, with the time left; where the output is no terminal, a line now and then."""

    def __init__(self, jobs: int, steps: int, label: str, unit: str) -> None:
        terminal = sys.stderr.isatty()
        self.steps, self.label = steps, label
        self.done: dict[int, int] = {}
        self.jobs, self.finished = jobs, 0
        self.lock = threading.Lock()
        self.bar = tqdm(
            total=jobs * steps,
            desc=label,
            unit=unit,
            dynamic_ncols=terminal,
            mininterval=0.5 if terminal else 10.0,
            maxinterval=30,
            smoothing=0.05,
        )

    def step(self, index: int, done: int) -> None:
        """Move the bar to where a job is; a job that is done again starts from what it had."""
        with self.lock:
            ahead = min(done, self.steps) - self.done.get(index, 0)
            if ahead > 0:
                self.done[index] = min(done, self.steps)
                self.bar.update(ahead)

    def finish(self, index: int) -> None:
        """Count a job as finished."""
        self.finished += 1
        if self.steps > 1:
            self.bar.set_description(f"{self.label}: {self.finished} of {self.jobs} runs", refresh=False)
        self.step(index, self.steps)


@contextmanager
def _client(count: int) -> Iterator[Any]:
    """Give a client of the scheduler that GALMORPH_SCHEDULER names, else of `count` processes of this machine."""
    import dask
    from distributed import Client, LocalCluster

    address = os.environ.get("GALMORPH_SCHEDULER")
    # A job's error reaches the caller as its exception; what dask says of its own comings and goings does not help.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with ExitStack() as stack:
        if address:
            try:
                client = stack.enter_context(Client(address, timeout=CONNECT_SECONDS))
            except (OSError, ValueError) as error:
                raise GalmorphError(
                    f"GALMORPH_SCHEDULER: nobody answers at {address} ({error}); start one there (dask scheduler), or "
                    "unset the variable, and the processes of this machine do the work"
                ) from None
            workers = len(client.scheduler_info(n_workers=-1)["workers"])
            waiting = "" if workers else ": waiting for the first"
            log.info("%d workers at the scheduler %s%s", workers, address, waiting)
        else:
            # A busy machine may take longer to start a process than dask's own limit allows. A job that takes its
            # process down with it is not tried for ever.
            patient = {
                "distributed.comm.timeouts.connect": "120s",
                "distributed.scheduler.allowed-failures": ATTEMPTS - 1,
            }
            stack.enter_context(dask.config.set(patient))
            cluster = stack.enter_context(
                LocalCluster(
                    n_workers=count,
                    threads_per_worker=1,
                    processes=True,
                    memory_limit=worker_memory(),
                    # Any free port: with None, the scheduler's web server still asks for 8787 and warns if it is taken.
                    dashboard_address="127.0.0.1:0",
                    local_directory=stack.enter_context(tempfile.TemporaryDirectory(prefix="galmorph-")),
                    silence_logs=logging.CRITICAL,
                )
            )
            client = stack.enter_context(Client(cluster))
        yield client


def spread(
    function: Callable[..., Result],
    jobs: Sequence[tuple[Any, ...]],
    *,
    label: str,
    unit: str,
    steps: int = 1,
    names: Sequence[str] | None = None,
    on_failure: Callable[[int, GalmorphError], None] | None = None,
) -> Iterator[tuple[int, Result]]:
    """Call `function(*job)` for each job in worker processes of one thread each, and show the progress.

    Parameters
    ----------
    function
        Importable by name in another process.
    jobs
        Argument tuples; small, because each is sent to a process (send a path, not an array).
    label, unit
        What the progress display calls the whole, and one step.
    steps
        Steps of a job, of which it speaks with `tick`.
    names
        What messages call each job; by default "job 1", ...
    on_failure
        Called with a job's place and its GalmorphError; if it returns, the other jobs go on. By default the error is
        raised.

    Yields
    ------
    index, result
        The job's place in `jobs` and what the function returned, in order of completion.

    Raises
    ------
    GalmorphError
        If nobody answers at the scheduler, if a job's process dies again and again, or a job's own, at once: what a
        person can put right does not go away by itself.
    Exception
        Any other that a job raised ATTEMPTS times.
    """
    if not jobs:
        return
    from distributed import KilledWorker, as_completed

    called = names or [f"job {number}" for number in range(1, len(jobs) + 1)]
    topic = f"galmorph-{uuid.uuid4().hex}"
    with _client(min(worker_count(), len(jobs))) as client:
        progress = Progress(len(jobs), steps, label, unit)
        with progress.bar:
            client.subscribe_topic(topic, lambda event: progress.step(*event[1]))
            places: dict[str, int] = {}
            attempts = [0] * len(jobs)

            def submit(index: int) -> Any:
                attempts[index] += 1
                future = client.submit(_do, function, topic, index, jobs[index], pure=False, retries=0)
                places[future.key] = index
                return future

            waiting = iter(range(len(jobs)))
            pending = as_completed()

            def top_up() -> None:
                # A short queue, so that neither jobs nor results pile up; workers of a cluster come and go.
                room = 2 * max(1, len(client.scheduler_info(n_workers=-1)["workers"])) - pending.count()
                for index in itertools.islice(waiting, max(room, 0)):
                    pending.add(submit(index))

            top_up()
            for future in pending:
                index = places.pop(future.key)
                try:
                    result = future.result()
                except KilledWorker as error:
                    raise GalmorphError(
                        f"{label}, {called[index]}: the worker process that did it died {error.allowed_failures + 1} "
                        "times; if it ran out of memory, give each worker more (GALMORPH_WORKER_MEMORY) or start fewer "
                        "(GALMORPH_WORKERS)"
                    ) from None
                except GalmorphError as error:
                    if on_failure is None:
                        raise
                    on_failure(index, error)
                    continue
                except Exception as error:
                    if attempts[index] == ATTEMPTS:
                        log.error("%s, %s failed %d times: %r", label, called[index], ATTEMPTS, error)
                        raise
                    log.warning("%s, %s failed and is done again: %r", label, called[index], error)
                    pending.add(submit(index))
                    continue
                finally:
                    top_up()
                progress.finish(index)
                yield index, result
