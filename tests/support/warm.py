"""Commands that start at once: each is a fork of one process in which the libraries are already imported.

A stage of `dvc repro` spends seconds on imports, and on a tiny study hundredths of a second on its work. The commands
`python` and `dvc` that are made here are to be put first in PATH. Each imports the project's own modules from its own
checkout. They draw no figures.
"""

from __future__ import annotations

import json
import os
import select
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.parameters import ROOT

CLIENT = """import json, os, signal, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect(sys.argv[1])
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda number, frame: server.send(bytes([number])))
request = json.dumps([sys.argv[2:], os.getcwd(), dict(os.environ)]).encode()
socket.send_fds(server, [len(request).to_bytes(8, "big")], [0, 1, 2])
server.sendall(request)
sys.exit((server.recv(1) or bytes([1]))[0])
"""


@contextmanager
def warm_commands(folder: Path) -> Iterator[Path]:
    """Start the process; returns the folder of the commands."""
    commands = folder / "bin"
    commands.mkdir(parents=True)
    address = folder / "socket"
    client = folder / "client.py"
    client.write_text(CLIENT, encoding="utf-8")
    for name in ("python", "dvc"):
        # Without the site packages it starts in hundredths of a second.
        command = shlex.join([sys.executable, "-IS", str(client), str(address), name])
        (commands / name).write_text(f'#!/bin/sh\nexec {command} "$@"\n', encoding="utf-8")
        (commands / name).chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    # A lock that another thread holds at a fork is never released in the child, and pyarrow's allocator has a thread.
    environment["JE_ARROW_MALLOC_CONF"] = "background_thread:false"
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.support.warm", str(address)],
            cwd=ROOT,
            env=environment | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
            stdout=subprocess.PIPE,
            stderr=log,
        )
    try:
        assert server.stdout is not None
        assert server.stdout.readline() == b"ready\n", (folder / "log").read_text()
        yield commands
    finally:
        server.kill()
        server.wait()
        assert server.stdout is not None
        server.stdout.close()


def _import_libraries() -> None:
    import importlib

    from galmorph.stages.launch import ENVIRONMENT

    os.environ.update(ENVIRONMENT)
    import galmorph.training.backend  # noqa: F401  # before TensorFlow, as in every process

    for name in (
        *("dvc.cli", "dvc.cli.parser", "dvc.repo", "dvc.commands.repro", "dvc.repo.reproduce", "dvc_objects.fs.local"),
        *("mlflow", "mlflow.tracking.client", "mlflow.store.tracking.sqlalchemy_store", "mlflow.pyfunc"),
        *("matplotlib.pyplot", "distributed", "pandas", "pyarrow.parquet", "scipy.stats", "scipy.ndimage"),
        *("sklearn.metrics", "astropy.io.fits", "jinja2", "ruamel.yaml", "pydantic", "git", "filelock", "PIL.Image"),
    ):
        importlib.import_module(name)
    from matplotlib.figure import Figure

    # The greater part of a report's time. The page reads the width.
    empty = '<svg width="72pt" height="72pt"></svg>'
    Figure.savefig = lambda figure, target, **options: Path(target).write_text(empty)  # type: ignore[assignment]
    for name in [name for name in sys.modules if name.split(".")[0] == "galmorph"]:
        del sys.modules[name]
    sys.path[:] = [entry for entry in sys.path if entry != str(ROOT / "src")]


def _program(argv: list[str], folder: str, environment: dict[str, str]) -> None:
    """Be the command, up to its end."""
    import atexit
    import runpy
    import threading
    import traceback

    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:0] = [folder, *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
    status: object = 0
    try:
        if argv[0] == "dvc":
            from dvc.cli import main

            sys.argv = argv
            status = main(argv[1:])
        else:
            assert argv[1] == "-m", argv
            sys.argv = argv[2:]
            runpy.run_module(argv[2], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        status = end.code
        if isinstance(status, str):
            sys.stderr.write(f"{status}\n")
            status = 1
    except BaseException:
        traceback.print_exc()
        status = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status if isinstance(status, int) else 0)


def _serve_one(connection: socket.socket) -> None:
    """Run one command, pass it the signals that its client gets, and return its status."""
    size, files, _, _ = socket.recv_fds(connection, 8, 3)
    text = b""
    while len(text) < int.from_bytes(size, "big"):
        text += connection.recv(1 << 16)
    argv, folder, environment = json.loads(text)
    child = os.fork()
    if child == 0:
        connection.close()
        for number, file in enumerate(files):
            os.dup2(file, number)
            os.close(file)
        _program(argv, folder, environment)
    for file in files:
        os.close(file)
    ended = os.pidfd_open(child)
    while ended not in select.select([connection.fileno(), ended], [], [])[0]:
        signals = connection.recv(1)
        os.kill(child, signals[0] if signals else signal.SIGKILL)  # no client: it was killed
        if not signals:
            break
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with suppress(OSError):
        connection.send(bytes([status & 0xFF]))
    os._exit(0)


def main() -> None:
    """Serve commands until killed."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(sys.argv[1])
    listening.listen(64)
    _import_libraries()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    assert len(os.listdir("/proc/self/task")) == 1, "forks are safe only with one thread"
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        connection, _ = listening.accept()
        if os.fork() == 0:
            listening.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _serve_one(connection)
        connection.close()


if __name__ == "__main__":
    main()
