"""Jobs that tests send to worker processes."""

from __future__ import annotations

import errno
import os
import signal
import tempfile
import time
from pathlib import Path

from galmorph.errors import GalmorphError
from galmorph.parallel.workers import tick
from galmorph.training.run import peak_memory


def attempts(folder: Path, number: int) -> int:
    """Count the calls for a job, over processes."""
    (folder / f"{number}.{time.monotonic_ns()}").touch()
    return len(list(folder.glob(f"{number}.*")))


def dies(folder: Path, number: int) -> int:
    """The first attempt at job 1 and each one at job 2 kill their process, which leaves a temporary file."""
    attempt = attempts(folder, number)
    if number == 2 or (number, attempt) == (1, 1):
        tempfile.NamedTemporaryFile(delete=False).close()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def fails_before(folder: Path, number: int, enough: int) -> int:
    if attempts(folder, number) < enough:
        raise ConnectionError(f"attempt at job {number}")
    return number


def refuses(folder: Path, number: int) -> int:
    attempts(folder, number)
    if number == 1:
        raise GalmorphError("job 1 can be fixed")
    return number


def lacks_room(folder: Path, number: int) -> int:
    attempts(folder, number)
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def takes_memory(folder: Path, number: int) -> int:
    attempts(folder, number)
    held = [bytearray(os.urandom(1 << 20)) for _ in range(2000)]
    time.sleep(5)
    return len(held)


KEPT: list[bytes] = []


def keeps_memory(total: float) -> int:
    while peak_memory() < total:
        KEPT.append(os.urandom(1 << 22))
    time.sleep(2)
    return os.getpid()


def steps(count: int, seconds: float = 0.0) -> int:
    for done in range(1, count + 1):
        time.sleep(seconds)
        tick(done)
    return os.getpid()


def variables(names: tuple[str, ...]) -> dict[str, str]:
    """Return those of some environment variables that are set."""
    return {name: os.environ[name] for name in names if name in os.environ}
