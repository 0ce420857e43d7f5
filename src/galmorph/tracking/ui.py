"""`mlflow ui` over a store, on this machine only, for as long as it is wanted."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from galmorph.errors import GalmorphError

HOST = "127.0.0.1"
PORTS = 100  # that are tried, from the first that is wanted
_START_SECONDS, _END_SECONDS = 300, 10


def free_port(first: int) -> int:
    """Return the first free port from `first`.

    Raises
    ------
    GalmorphError
        If there is none among PORTS.
    """
    for port in range(first, min(first + PORTS, 65536)):
        with suppress(OSError), socket.create_server((HOST, port)):
            return port
    raise GalmorphError(f"no free port from {first} to {first + PORTS - 1}; name another: galmorph ui --port 8000")


@contextmanager
def serving(uri: str, port: int, log: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run `mlflow ui` over a store, and end it with the block.

    Parameters
    ----------
    uri
        The store's address.
    port
        A free port.
    log
        The file for what the server says.

    Yields
    ------
    address, process
        When the server answers.

    Raises
    ------
    GalmorphError
        If it ends, or does not answer.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    options = ["--host", HOST, "--port", str(port), "--workers", "1"]
    with log.open("wb") as said:
        # A session of its own: the server starts processes, which end together, and only here.
        process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "ui", *options],
            env=os.environ
            | {"MLFLOW_BACKEND_STORE_URI": uri},  # which may hold a password, and a command line is public
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    try:
        address = f"http://{HOST}:{port}"
        _wait(process, address, log)
        yield address, process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    """Wait until the server answers."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy of the user's for this machine
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError), direct.open(f"{address}/health", timeout=5):
            return
        time.sleep(0.2)
    raise GalmorphError(f"MLflow's server does not answer at {address}; {log} has what it said")
