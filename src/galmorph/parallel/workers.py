"""Many independent jobs over processes.

The results of a job may not depend on where it runs or in which order, so that the bytes the project writes are the
same for any number of workers. A job whose process dies is done again elsewhere.
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

from galmorph.errors import GalmorphError, lack
from galmorph.parallel.cluster import ATTEMPTS, client, scheduler_address, worker_count
from galmorph.parallel.progress import Progress

log = logging.getLogger(__name__)

Result = TypeVar("Result")

QUEUE = 64  # jobs that a scheduler is given for workers that are yet to come
TICK_SECONDS = 1.0  # between two words of a job on how far it is

_job = threading.local()  # the job that this thread of a worker is doing


def tick(done: int) -> None:
    """Say, from within a job, how many of its steps are done; at most one word a second is sent."""
    if (sent := getattr(_job, "sent", None)) is None or time.monotonic() - sent < TICK_SECONDS:
        return
    from distributed import get_worker

    _job.sent = time.monotonic()
    get_worker().log_event(_job.topic, (_job.index, done))


def _do(function: Callable[..., Result], topic: str, index: int, job: tuple[Any, ...]) -> Result:
    """Do a job in a worker, so that `tick` knows which it is."""
    from distributed import get_worker

    worker = get_worker()
    if worker.state.nthreads != 1:
        # Two runs in one process would train one network.
        raise GalmorphError(
            f"the worker {worker.address} does {worker.state.nthreads} jobs at once, where each needs a process to "
            "itself: start it anew with --nthreads 1"
        )
    _job.topic, _job.index, _job.sent = topic, index, time.monotonic()
    try:
        return function(*job)
    finally:
        _job.sent = None


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
        If nobody answers at the scheduler, or it goes away; if a job's process dies again and again; if a job raised
        ATTEMPTS times, with its last exception as the cause; or a job's own, at once: what a person can put right
        does not go away by itself.
    """
    if not jobs:
        return
    from distributed import as_completed

    called = names or [f"job {number}" for number in range(1, len(jobs) + 1)]
    topic = f"galmorph-{uuid.uuid4().hex}"
    with _attended(label), client(min(worker_count(), len(jobs))) as connected:
        progress = Progress(len(jobs), steps, label, unit)
        with progress.bar:
            connected.subscribe_topic(topic, lambda event: progress.step(*event[1]))
            places: dict[str, int] = {}
            attempts = [0] * len(jobs)

            def submit(index: int) -> Any:
                attempts[index] += 1
                future = connected.submit(_do, function, topic, index, jobs[index], pure=False, retries=0)
                places[future.key] = index
                return future

            waiting = iter(range(len(jobs)))
            pending = as_completed()
            least = QUEUE if scheduler_address() else 0

            def top_up() -> None:
                # A short queue, so that neither jobs nor results pile up.
                workers = len(connected.scheduler_info(n_workers=-1)["workers"])
                room = max(2 * workers, least, 1) - pending.count()
                for index in itertools.islice(waiting, max(room, 0)):
                    pending.add(submit(index))

            top_up()
            for future in pending:
                index = places.pop(future.key)
                try:
                    result = _result(future, f"{label}, {called[index]}", attempts[index])
                except GalmorphError as error:
                    if on_failure is None:
                        raise
                    on_failure(index, error)
                except _TransientError:
                    pending.add(submit(index))
                else:
                    progress.finish(index)
                    yield index, result
                top_up()


class _TransientError(Exception):
    """A job is to be done again."""


def _result(future: Any, job: str, attempt: int) -> Any:
    """Return what a job returned.

    Raises
    ------
    GalmorphError
        If it failed for good.
    _TransientError
        If it failed otherwise.
    """
    from distributed import KilledWorker

    try:
        return future.result()
    except (GalmorphError, CancelledError):
        raise
    except KilledWorker as error:
        raise GalmorphError(
            f"{job}: the worker process that did it died {error.allowed_failures + 1} times; if it ran out of memory, "
            "give each worker more (GALMORPH_WORKER_MEMORY) or start fewer (GALMORPH_WORKERS)"
        ) from None
    except Exception as error:
        if isinstance(error, OSError) and (lacking := lack(error)):
            # Again would be the same.
            raise GalmorphError(f"{job}: {lacking}") from None
        if attempt == ATTEMPTS:
            log.error("%s failed %d times", job, ATTEMPTS, exc_info=error)
            raise GalmorphError(f"{job} failed {ATTEMPTS} times: {error!r}") from error
        log.warning("%s failed and is done again: %r", job, error)
        raise _TransientError from None


@contextmanager
def _attended(label: str) -> Iterator[None]:
    """Say what to do where the scheduler goes away while jobs are under way."""
    from distributed.client import ClosedClientError

    try:
        yield
    except (CancelledError, ClosedClientError):
        raise GalmorphError(
            f"{label}: the scheduler {scheduler_address() or 'of this machine'} is gone; start one again and repeat "
            "the command: what had finished is kept"
        ) from None
