"""Many independent jobs over the processes of this machine.

The results of a job may not depend on where it runs or in which order, so that the bytes the project writes are the
same for any number of workers.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from tqdm import tqdm

from galmorph.errors import GalmorphError

Result = TypeVar("Result")


def worker_count() -> int:
    """Return the number of worker processes: GALMORPH_WORKERS, else the cores that this process may use."""
    text = os.environ.get("GALMORPH_WORKERS")
    if text is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not text.isdecimal() or int(text) < 1:
        raise GalmorphError(f"GALMORPH_WORKERS: a whole number of 1 or more, not {text!r}")
    return int(text)


def progress(total: int, label: str, unit: str) -> tqdm[Any]:
    """Return a progress bar with the time left; where the output is no terminal, a line every ten seconds."""
    terminal = sys.stderr.isatty()
    return tqdm(
        total=total,
        desc=label,
        unit=unit,
        dynamic_ncols=terminal,
        mininterval=0.5 if terminal else 10.0,
        maxinterval=30,
    )


def spread(
    function: Callable[..., Result], jobs: Sequence[tuple[Any, ...]], *, label: str, unit: str
) -> Iterator[tuple[int, Result]]:
    """Call `function(*job)` for each job in worker processes of one thread each, and show the progress.

    Parameters
    ----------
    function
        Importable by name in another process.
    jobs
        Argument tuples; small, because each is sent to a process (send a path, not an array).
    label, unit
        What the progress display calls the whole, and one job.

    Yields
    ------
    index, result
        The job's place in `jobs` and what the function returned, in order of completion.

    Raises
    ------
    Exception
        The first exception that a job raised; jobs not yet started are dropped.
    """
    if not jobs:
        return
    import dask
    from distributed import Client, LocalCluster, as_completed

    count = min(worker_count(), len(jobs))
    # A job's error reaches the caller as its exception; what dask says of its own comings and goings does not help.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    # A busy machine may take longer to start a process than dask's own limit allows.
    patient = {"distributed.comm.timeouts.connect": "120s"}
    with (
        dask.config.set(patient),
        tempfile.TemporaryDirectory(prefix="galmorph-") as scratch,
        LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            processes=True,
            # Any free port: with None, the scheduler's web server still asks for 8787 and warns where it is taken.
            dashboard_address="127.0.0.1:0",
            local_directory=scratch,
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster) as client,
        progress(len(jobs), label, unit) as bar,
    ):
        waiting = iter(enumerate(jobs))
        places = {}

        def submit() -> Any | None:
            for index, job in waiting:
                future = client.submit(function, *job, pure=False, retries=0)
                places[future.key] = index
                return future
            return None

        # A short queue: one job per worker under way, one waiting for each.
        pending = as_completed([future for _ in range(2 * count) if (future := submit()) is not None])
        for future in pending:
            result = future.result()
            if (following := submit()) is not None:
                pending.add(following)
            bar.update()
            yield places.pop(future.key), result
