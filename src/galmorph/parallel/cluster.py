"""What environment variables say: what belongs to the machine, and so to no parameter of the study.

The processes that do the work: those of this machine, or those of a Dask scheduler that has a name.
"""

from __future__ import annotations

import logging
import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from galmorph.errors import GalmorphError

LONGEST = 20  # digits; more take Python itself too long


def whole_number(variable: str, default: int, most: int) -> int:
    """Return what an environment variable says, or the default.

    Raises
    ------
    GalmorphError
        If it says anything but a whole number from 1 to `most`.
    """
    text = os.environ.get(variable, str(default))
    if not (text.isdecimal() and len(text) < LONGEST and 1 <= int(text) <= most):
        raise GalmorphError(f"{variable}: a whole number from 1 to {most}, not {text[:40]!r}")
    return int(text)


log = logging.getLogger(__name__)

MOST_WORKERS = 4096  # on one machine
ATTEMPTS = 3  # of a job, before its error is the caller's
SMALLEST_MEMORY = 2**28  # bytes in which a worker can start at all
KEPT_BYTES = 2**25  # arrays up to this size are allocated from memory that a worker has; the most that glibc takes
CONNECT_SECONDS = 20  # that a scheduler has to answer


def worker_count() -> int:
    """Return the number of worker processes: GALMORPH_WORKERS, else the cores that this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return whole_number("GALMORPH_WORKERS", cores, MOST_WORKERS)


def scheduler_address() -> str | None:
    """Return the address of the Dask scheduler that the environment names: GALMORPH_SCHEDULER."""
    return os.environ.get("GALMORPH_SCHEDULER") or None


def worker_memory() -> str:
    """Return the memory that a worker process may take: GALMORPH_WORKER_MEMORY, else its share of the machine's."""
    import dask

    text = os.environ.get("GALMORPH_WORKER_MEMORY", "auto")
    try:
        if text != "auto" and dask.utils.parse_bytes(text) < SMALLEST_MEMORY:
            raise ValueError
    except (ValueError, OverflowError):
        raise GalmorphError(f"GALMORPH_WORKER_MEMORY: a size such as 2GiB, not {text[:40]!r}") from None
    return text


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Let processes that are started meanwhile ignore Ctrl-C.

    A terminal sends it to all of them: each would say so with a traceback, where the main process ends them anyway.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def client(count: int) -> Iterator[Any]:
    """Give a client of the scheduler that GALMORPH_SCHEDULER names, else of `count` processes of this machine.

    Raises
    ------
    GalmorphError
        If nobody answers at the scheduler's address.
    """
    import dask
    from distributed import Client, LocalCluster

    address = scheduler_address()
    # A job's error reaches the caller as its exception; what dask says of its own comings and goings does not help.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with ExitStack() as stack:
        if address:
            try:
                connected = stack.enter_context(Client(address, timeout=CONNECT_SECONDS))
            except (OSError, ValueError, TypeError, RuntimeError) as error:  # tls:// without a certificate
                raise GalmorphError(
                    f"GALMORPH_SCHEDULER: nobody answers at {address} ({error}); start one there (dask scheduler), or "
                    "unset the variable, and the processes of this machine do the work"
                ) from None
            workers = len(connected.scheduler_info(n_workers=-1)["workers"])
            waiting = "" if workers else ": waiting for the first"
            log.info("%d workers at the scheduler %s%s", workers, address, waiting)
        else:
            # A busy machine may take longer to start a process than dask's own limit allows. A job that takes its
            # process down with it is not tried for ever.
            patient = {
                "distributed.comm.timeouts.connect": "120s",
                "distributed.scheduler.allowed-failures": ATTEMPTS - 1,
                # One job at a worker, none behind it: dask counts the death of a worker against every job that it has.
                "distributed.scheduler.worker-saturation": 1.0,
                # Above a part of its memory dask gives a worker no more jobs, and waits. TensorFlow keeps what it has
                # once taken: that would be for ever. A worker is stopped at 95 %, and replaced.
                "distributed.worker.memory.pause": False,
                "distributed.worker.memory.spill": False,
                "distributed.worker.memory.target": False,
                # A record of what a worker was doing at every hundredth of a second, which grows with time.
                "distributed.worker.profile.enabled": False,
                # As dask has it, every array of more than 128 KiB is fetched from the system page by page and given
                # back after use: a quarter of the time of reading a frame.
                "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": str(4 * KEPT_BYTES),
                "distributed.nanny.pre-spawn-environ.MALLOC_MMAP_THRESHOLD_": str(KEPT_BYTES),
            }
            # The scheduler's files too: dask would leave locks of its own in the system's temporary folder.
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="galmorph-"))
            stack.enter_context(dask.config.set(patient | {"temporary-directory": folder}))
            with _deaf_to_interrupts():
                cluster = stack.enter_context(
                    LocalCluster(
                        n_workers=count,
                        threads_per_worker=1,
                        processes=True,
                        memory_limit=worker_memory(),
                        # Any free port: with None, the scheduler's web server still asks for 8787 and warns if it is
                        # taken.
                        dashboard_address="127.0.0.1:0",
                        silence_logs=logging.CRITICAL,
                        # What TensorFlow leaves when its process is killed.
                        env={"TMPDIR": folder},
                    )
                )
            connected = stack.enter_context(Client(cluster))
        yield connected
