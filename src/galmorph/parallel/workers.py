"""Spread independent jobs over worker processes.

The result of a job must not depend on where or in which order it runs, so that all files have the same bytes for any
number of workers. A job whose process dies is done again by another.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from typing import Any, TypeVar

from galmorph.environment import require_settled
from galmorph.errors import GalmorphError, with_remedy
from galmorph.files.reading import source_hash
from galmorph.parallel.cluster import ATTEMPTS, client, scheduler_address, worker_count
from galmorph.parallel.progress import Progress

QUEUE = 64  # jobs submitted to a scheduler, where workers may join later
TICK_SECONDS = 1.0  # between two messages of a job about its progress

Result = TypeVar("Result")

log = logging.getLogger(__name__)

_job = threading.local()  # the job of this thread of a worker


def tick(done: int) -> None:
    """Report from within a job how many of its steps are done; at most one message a second is sent."""
    if (sent := getattr(_job, "sent", None)) is None or time.monotonic() - sent < TICK_SECONDS:
        return
    from distributed import get_worker

    _job.sent = time.monotonic()
    get_worker().log_event(_job.topic, (_job.index, done))


def spread(
    function: Callable[..., Result],
    jobs: Sequence[tuple[Any, ...]],
    *,
    label: str,
    unit: str,
    steps: int = 1,
    names: Sequence[str] | None = None,
    on_failure: Callable[[int, GalmorphError], None] | None = None,
    code: tuple[str, ...] = (),
) -> Iterator[tuple[int, Result]]:
    """Call `function(*job)` for each job in single-threaded worker processes, and show the progress.

    Parameters
    ----------
    function
        Importable by name in another process.
    jobs
        Argument tuples; small, because each is sent to a process (send a path, not an array).
    label, unit
        Names of the work and of a step, for the progress bar.
    steps
        Steps of a job, of which it reports with `tick`.
    names
        Names of the jobs in messages; by default "job 1", ...
    on_failure
        Called with the index of a job and its GalmorphError; if it returns, the other jobs go on. By default the
        error is raised.
    code
        Packages and modules, as `galmorph.files.reading.source_hash` takes them, that a worker must have as this
        process has them.

    Yields
    ------
    index, result
        The index of a job and what the function returned, in order of completion.

    Raises
    ------
    GalmorphError
        If the scheduler does not answer or disappears; if a worker has other code; if a job raises a GalmorphError; if
        a job fails otherwise, or its process dies, ATTEMPTS times.
    """
    if not jobs:
        return
    from distributed import as_completed

    names = names or [f"job {number}" for number in range(1, len(jobs) + 1)]
    topic = f"galmorph-{uuid.uuid4().hex}"
    ours = code, source_hash(code)
    with (
        _lost_scheduler_named(label),
        client(min(worker_count(), len(jobs))) as connected,
        Progress(len(jobs), len(jobs) * steps, label, unit, "runs" if steps > 1 else "") as progress,
    ):
        connected.subscribe_topic(topic, lambda event: progress.step(*event[1]))
        indices: dict[str, int] = {}
        attempts = [0] * len(jobs)
        waiting = iter(range(len(jobs)))
        pending = as_completed()

        def submit(index: int) -> None:
            attempts[index] += 1
            future = connected.submit(_do, function, ours, topic, index, jobs[index], pure=False, retries=0)
            indices[future.key] = index
            pending.add(future)

        def top_up() -> None:
            # A short queue, so that neither jobs nor results pile up.
            workers = len(connected.scheduler_info(n_workers=-1)["workers"])
            room = max(2 * workers, QUEUE if scheduler_address() else 1) - pending.count()
            for index in itertools.islice(waiting, max(room, 0)):
                submit(index)

        top_up()
        for future in pending:
            index = indices.pop(future.key)
            try:
                result = future.result()
            except CancelledError:
                raise
            except Exception as error:
                failure = _failure(error, f"{label}, {names[index]}", attempts[index])
                if failure is None:
                    submit(index)
                elif on_failure is None:
                    raise failure from failure.__cause__
                else:
                    on_failure(index, failure)
            else:
                progress.step(index, steps)
                progress.finish(index, steps)
                yield index, result
            top_up()


def _do(
    function: Callable[..., Result], code: tuple[tuple[str, ...], str], topic: str, index: int, job: tuple[Any, ...]
) -> Result:
    """Do a job in a worker, for which `tick` then reports."""
    from distributed import get_worker

    require_settled()
    worker = get_worker()
    if worker.state.nthreads != 1:
        # Two runs in one process would train one network.
        raise GalmorphError(
            f"the worker {worker.address} does {worker.state.nthreads} jobs at once, where each needs a process to "
            "itself: start it anew with --nthreads 1"
        )
    parts, expected = code
    if source_hash(parts) != expected:
        raise GalmorphError(
            f"the worker {worker.address} has other code than this project: {' or '.join(parts)} differs; update it to "
            "the same commit and restart it; if the code was edited meanwhile, run dvc repro again"
        )
    _job.topic, _job.index, _job.sent = topic, index, time.monotonic()
    try:
        return function(*job)
    finally:
        _job.sent = None


def _failure(error: Exception, job: str, attempt: int) -> GalmorphError | None:
    """Return the error to raise for a job that failed, or None if it is to be tried again."""
    from distributed import KilledWorker

    if isinstance(error, GalmorphError):
        return error
    if isinstance(error, KilledWorker):
        return GalmorphError(
            f"{job}: the worker process that did it died {error.allowed_failures + 1} times; if it ran out of memory, "
            "give each worker more (GALMORPH_WORKER_MEMORY) or start fewer (GALMORPH_WORKERS)"
        )
    if isinstance(error, OSError) and (explained := with_remedy(error)):
        return GalmorphError(f"{job}: {explained}")
    if attempt < ATTEMPTS:
        log.warning("%s failed (%s) and is done again", job, type(error).__name__)
        return None
    log.error("%s failed %d times", job, ATTEMPTS, exc_info=error)
    failure = GalmorphError(
        f"{job} failed {ATTEMPTS} times ({type(error).__name__}); the traceback above says where: a bug in galmorph, "
        "or a machine that is short of something"
    )
    failure.__cause__ = error
    return failure


@contextmanager
def _lost_scheduler_named(label: str) -> Iterator[None]:
    """Turn the errors of a scheduler that disappears into a GalmorphError."""
    from distributed.client import ClosedClientError

    try:
        yield
    except (CancelledError, ClosedClientError):
        raise GalmorphError(
            f"{label}: the scheduler {scheduler_address() or 'of this machine'} is gone; start one again and repeat "
            "the command: finished work is kept"
        ) from None
