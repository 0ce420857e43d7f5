"""MLflow's own server on loopback, for tests."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def mlflow_serving(folder: Path, command: str, *arguments: str) -> Iterator[str]:
    """Run `mlflow server` or `mlflow ui` in a folder, on a free port; gives its address once it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    environment = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"}
    environment.pop("MLFLOW_TRACKING_URI", None)
    address = f"http://127.0.0.1:{port}"
    options = ["--host", "127.0.0.1", "--port", port, "--workers", "1", *arguments]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", command, *options],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            deadline = time.monotonic() + 120
            while True:
                try:
                    urllib.request.urlopen(f"{address}/health", timeout=5).close()
                    break
                except (urllib.error.URLError, OSError):
                    assert process.poll() is None, (folder / "server.log").read_text()
                    assert time.monotonic() < deadline, (folder / "server.log").read_text()
                    time.sleep(0.3)
            yield address
        finally:
            process.terminate()
            process.wait()
