"""Worker processes: of this machine, or of a Dask scheduler; configured by environment variables."""

from __future__ import annotations

import logging
import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from galmorph.errors import GalmorphError, counted

MAX_WORKERS = 4096  # on one machine
MIN_MEMORY = 2**28  # bytes; a worker needs as much to start
ATTEMPTS = 3  # at a job
CONNECT_SECONDS = 20  # to wait for the scheduler's answer
MALLOC_BYTES = 2**25  # the largest mmap threshold of glibc

# Dask's settings for the workers of this machine.
CONFIG = {
    # A busy machine may take longer to start a process than Dask allows.
    "distributed.comm.timeouts.connect": "120s",
    "distributed.scheduler.allowed-failures": ATTEMPTS - 1,
    # No queue at a worker: Dask counts the death of a worker against every job it has.
    "distributed.scheduler.worker-saturation": 1.0,
    # Dask gives no jobs to a worker that uses much memory. TensorFlow never gives memory back, so that such a worker
    # would wait forever. A worker is still restarted at 95 % of its limit.
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.target": False,
    # The profile of a worker grows with time.
    "distributed.worker.profile.enabled": False,
    # By default Dask has malloc return every array above 128 KiB to the system, and get its memory page by page the
    # next time: a quarter of the time of reading a frame.
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": str(4 * MALLOC_BYTES),
    "distributed.nanny.pre-spawn-environ.MALLOC_MMAP_THRESHOLD_": str(MALLOC_BYTES),
}

log = logging.getLogger(__name__)


def whole_number(variable: str, default: int, most: int) -> int:
    """Return the value of an environment variable.

    Raises
    ------
    GalmorphError
        If it is not a whole number from 1 to `most`.
    """
    text = os.environ.get(variable, str(default))
    try:
        number = int(text)
    except ValueError:
        number = 0
    if not 1 <= number <= most:
        raise GalmorphError(f"{variable}: a whole number from 1 to {most}, not {text[:40]!r}")
    return number


def worker_count() -> int:
    """Return the number of worker processes: GALMORPH_WORKERS, by default the cores that this process may use.

    A container's quota of processor time counts as so many cores.
    """
    from dask.system import cpu_count

    return whole_number("GALMORPH_WORKERS", cpu_count(), MAX_WORKERS)


def worker_memory() -> str:
    """Return the memory limit of a worker: GALMORPH_WORKER_MEMORY, by default its share of the machine's."""
    import dask

    text = os.environ.get("GALMORPH_WORKER_MEMORY", "auto")
    try:
        if text != "auto" and dask.utils.parse_bytes(text) < MIN_MEMORY:
            raise ValueError
    except ValueError:
        raise GalmorphError(f"GALMORPH_WORKER_MEMORY: a size such as 2GiB, not {text[:40]!r}") from None
    return text


def scheduler_address() -> str | None:
    """Return the address of the Dask scheduler to use: GALMORPH_SCHEDULER."""
    return os.environ.get("GALMORPH_SCHEDULER") or None


@contextmanager
def client(count: int) -> Iterator[Any]:
    """Connect to the scheduler that GALMORPH_SCHEDULER names, or start `count` worker processes on this machine.

    Yields a `distributed.Client`.

    Raises
    ------
    GalmorphError
        If the scheduler does not answer.
    """
    from distributed import Client

    # The errors of jobs are raised here; Dask's own log does not help.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with ExitStack() as stack:
        if address := scheduler_address():
            try:
                connected = stack.enter_context(Client(address, timeout=CONNECT_SECONDS))
            # ValueError: no such address; TypeError: tls:// without a certificate.
            except (OSError, ValueError, TypeError, RuntimeError):
                raise GalmorphError(
                    f"GALMORPH_SCHEDULER: nobody answers at {address}; start one there (dask scheduler), correct "
                    "the address (tcp://HOST:8786; tls:// needs Dask's certificates), or unset the variable to use the "
                    "processes of this machine"
                ) from None
            if workers := len(connected.scheduler_info(n_workers=-1)["workers"]):
                log.debug("%s at the scheduler %s", counted(workers, "worker"), address)
            else:
                log.info("no worker at the scheduler %s: waiting for the first", address)
            yield connected
            return
        yield stack.enter_context(Client(stack.enter_context(processes(count))))


@contextmanager
def processes(count: int) -> Iterator[Any]:
    """Start `count` worker processes on this machine; they end with the block, or with this process if it is killed.

    Yields a `distributed.LocalCluster`.
    """
    import dask
    from distributed import LocalCluster

    for name in ("distributed", "tornado"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with ExitStack() as stack:
        # For the temporary files of Dask, and of TensorFlow in a worker that is killed.
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="galmorph-"))
        # Not what ~/.config/dask, /etc/dask or DASK_... set: their workers may have other limits, ports or plugins.
        stack.enter_context(dask.config.set(dask.config.merge(*dask.config.defaults)))
        stack.enter_context(dask.config.set(CONFIG | {"temporary-directory": folder}))
        with _ignored_interrupts():
            cluster = LocalCluster(
                n_workers=count,
                threads_per_worker=1,
                processes=True,
                memory_limit=worker_memory(),
                dashboard_address="127.0.0.1:0",  # any free port; None would warn if 8787 is taken
                silence_logs=logging.CRITICAL,
                env={"TMPDIR": folder},
            )
        try:
            yield cluster
        finally:
            # A process that a busy machine does not let end in time has been killed: no reason to fail finished work.
            with suppress(TimeoutError):
                cluster.close()


@contextmanager
def _ignored_interrupts() -> Iterator[None]:
    """Let processes started in the block ignore Ctrl-C.

    A terminal sends it to all processes: each worker would print a traceback, although the main process ends them.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
