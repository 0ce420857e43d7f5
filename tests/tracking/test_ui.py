"""MLflow's server on this machine, as `galmorph ui` runs it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from galmorph.errors import GalmorphError
from galmorph.tracking.ui import HOST, PORTS, free_port, serving
from galmorph.tracking.views import page
from tests.support.parameters import ROOT


def test_a_port_in_use_is_passed_over() -> None:
    with socket.create_server((HOST, 0)) as other:
        taken = other.getsockname()[1]
        assert taken < free_port(taken) < taken + PORTS


def test_no_free_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("galmorph.tracking.ui.PORTS", 1)
    with (
        socket.create_server((HOST, 0)) as other,
        pytest.raises(GalmorphError, match=r"no free port from \d+ to \d+; name another: galmorph ui --port"),
    ):
        free_port(other.getsockname()[1])


def test_a_server_that_ends_at_once(tmp_path: Path) -> None:
    log = tmp_path / "logs/mlflow.log"
    with (
        pytest.raises(
            GalmorphError, match=r"does not answer at http://127\.0\.0\.1:\d+; .*mlflow\.log has what it said"
        ),
        serving("nonsense://nowhere", free_port(5000), log),
    ):
        pass
    assert "nonsense" in log.read_text()


def of_group(group: int) -> list[int]:
    """The processes of a group, read from /proc."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_ui_prints_the_address_when_it_answers_and_ends_with_the_command(
    tmp_path: Path, empty_database: bytes, number: signal.Signals
) -> None:
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    (tmp_path / "mlflow.db").write_bytes(empty_database)
    environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    command = [sys.executable, "-m", "galmorph.cli", "ui", "--port", str(free_port(5600))]
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as ui:
        assert ui.stdout is not None
        line = ui.stdout.readline().split()
        address = line[-1]
        assert address.endswith(page("", "1").removeprefix("/"))
        assert urllib.request.urlopen(address.partition("#")[0], timeout=30).status == 200
        # It listens on this machine only.
        port = int(address.split(":")[2].split("/")[0])
        listening = [entry.split()[1:4] for entry in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        assert [a.split(":")[0] for a, _, state in listening if state == "0A" and a.endswith(f":{port:04X}")] == [
            "0100007F"
        ]
        children = [int(number) for number in Path(f"/proc/{ui.pid}/task/{ui.pid}/children").read_text().split()]
        groups = [group for group in children if of_group(group)]
        assert groups
        ui.send_signal(number)
        assert ui.wait(60) == 0
    deadline = time.monotonic() + 20
    while any(of_group(group) for group in groups):
        assert time.monotonic() < deadline
        time.sleep(0.1)
