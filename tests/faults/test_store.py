"""The MLflow store: truncated, overwritten, from an older MLflow, written by two at once.

What must be kept: refused with the remedy, or rebuilt to show exactly the records; never more or fewer runs.
Runs deleted, edited, doubled or left RUNNING, and stores locked or lost: tests/tracking/test_store.py.
"""

import os
import re
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from matplotlib.figure import Figure

from galmorph.errors import GalmorphError
from galmorph.report.study import load_results
from galmorph.tracking.content import Confusion
from galmorph.tracking.store import Store
from tests.support.damage import page, truncated
from tests.support.parameters import ROOT
from tests.support.records import made_condition, open_store

pytestmark = pytest.mark.fault


@pytest.fixture(scope="module", autouse=True)
def _blank_figures():
    """Draw nothing: drawing takes longest."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Confusion, "figure", lambda self: Figure(figsize=(1, 1)))
        yield


@pytest.fixture(scope="module")
def shown(tmp_path_factory, empty_database):
    """A store that shows one condition, and its records."""
    place = tmp_path_factory.mktemp("store")
    (place / "mlflow.db").write_bytes(empty_database)
    declared = [made_condition(place / "models")]
    open_store(place).sync(declared)
    return place, declared


@pytest.mark.parametrize("how", [truncated, page], ids=lambda how: how.__name__)
def test_a_damaged_store_is_refused_with_the_remedy_which_helps(shown, tmp_path, empty_database, how):
    place, declared = shown
    (tmp_path / "mlflow.db").write_bytes(how((place / "mlflow.db").read_bytes()))
    with pytest.raises(GalmorphError, match=r"(?s)the MLflow store .*mlflow\.db.*remove it and run galmorph sync"):
        open_store(tmp_path).sync(declared)
    (tmp_path / "mlflow.db").write_bytes(empty_database)
    open_store(tmp_path).sync(declared)
    assert len(load_results(open_store(tmp_path), declared)["two_class"].confirmed.scores) == 3


def test_a_store_of_an_older_mlflow_is_refused_with_the_remedy(tmp_path, empty_database):
    (tmp_path / "mlflow.db").write_bytes(empty_database)
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '451aebb31d03'")
    with pytest.raises(GalmorphError, match=r"(?s)mlflow\.db.*remove it and run galmorph sync"):
        open_store(tmp_path)


SYNC = """
import sys
from pathlib import Path
from matplotlib.figure import Figure
from galmorph.errors import GalmorphError
from galmorph.tracking.content import Confusion
from tests.support.records import made_condition, open_store

Confusion.figure = lambda self: Figure(figsize=(1, 1))
declared = [made_condition(Path("models") / sys.argv[1])]
print("ready", flush=True)
sys.stdin.readline()
store = open_store(Path())
print("opened", flush=True)
try:
    store.sync(declared)
except GalmorphError as error:
    sys.exit(f"galmorph: {error}")
"""


def test_two_at_once_make_one_store_and_leave_it_right(tmp_path):
    both = [
        subprocess.Popen(
            [sys.executable, "-c", SYNC, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
        )
        for name in ("one", "two")
    ]
    for process in both:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in both:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in both:
        printed, said = process.communicate(timeout=300)
        assert printed == "opened\n", said
        # The other process may have been in the way: then a message says so, without a traceback.
        assert process.returncode == 0 or said.startswith("galmorph: ")
    declared = [made_condition(tmp_path / "models")]
    open_store(tmp_path).sync(declared)
    results = load_results(open_store(tmp_path), declared)
    for phase in (results["two_class"].selected, results["two_class"].confirmed):
        assert list(phase.scores.index) == [1, 2, 3]


def test_a_store_whose_driver_is_not_installed(tmp_path):
    with pytest.raises(GalmorphError, match=r"psycopg://\*\*\*@.* needs the Python module psycopg: install it"):
        Store("postgresql+psycopg://me:sesame@127.0.0.1:9/runs", "survey", tmp_path)


@pytest.mark.parametrize("address", ["http://127.0.0.1:port", "http://127.0.0.1:99999", "http://[::1"])
def test_an_address_that_is_none(tmp_path, monkeypatch, address):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(
        GalmorphError,
        match=f"the MLflow store {re.escape(address)} does not answer as an",
    ):
        Store(address, "survey", tmp_path / "mlartifacts")


class Nonsense(BaseHTTPRequestHandler):
    """A server whose answers are JSON, and make no sense."""

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        body = b'{"experiment": {"experiment_id": {"a": 1}, "name": 7}, "runs": 5}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        self.do_GET()


def test_a_server_that_is_no_mlflow(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Nonsense)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        with pytest.raises(
            GalmorphError, match=r"the MLflow store http://127\.0\.0\.1:\d+ does not answer as an MLflow server"
        ):
            Store(f"http://127.0.0.1:{server.server_address[1]}", "survey", tmp_path)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_password_in_the_address_is_never_repeated(monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(GalmorphError) as error:
        Store("http://me:sesame@127.0.0.1:9/", "survey", tmp_path)
    assert "sesame" not in str(error.value)
    assert "127.0.0.1:9" in str(error.value)
