"""The MLflow store: truncated, overwritten, from an older MLflow, written by two at once.

What must be kept: refused with the remedy, or rebuilt to show exactly the records; never more or fewer runs.
Runs deleted, edited, doubled or left RUNNING, and stores locked or lost: tests/tracking/test_store.py.
"""

import re
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from mlflow.store.entities.paged_list import PagedList

from galmorph.errors import GalmorphError
from galmorph.report.study import load_results
from galmorph.tracking.store import Store
from tests.support.damage import empty, page, truncated
from tests.support.parameters import ROOT
from tests.support.records import made_condition

pytestmark = pytest.mark.fault


def open_store(place):
    return Store(f"sqlite:///{place / 'mlflow.db'}", "survey", place / "mlartifacts")


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """A store that shows one condition."""
    place = tmp_path_factory.mktemp("store")
    declared = [made_condition(place / "models")]
    open_store(place).sync(declared)
    return place, declared


@pytest.mark.parametrize("how", [truncated, page, empty], ids=lambda how: how.__name__)
def test_a_damaged_store_is_refused_with_the_remedy_which_helps(shown, tmp_path, how):
    place, declared = shown
    (tmp_path / "mlflow.db").write_bytes(how((place / "mlflow.db").read_bytes()))
    done = synced(tmp_path)
    if done.returncode:
        assert re.fullmatch(
            r"(?s)galmorph: the MLflow store .*mlflow\.db.*remove it and run galmorph sync.*", done.stderr
        )
        (tmp_path / "mlflow.db").unlink()
        done = synced(tmp_path)
    assert (done.returncode, done.stdout.strip()) == (0, f"{len(declared[0].phases['confirmed'])} confirmed runs")


def test_a_store_of_an_older_mlflow_is_refused_with_the_remedy(shown, tmp_path):
    (tmp_path / "mlflow.db").write_bytes((shown[0] / "mlflow.db").read_bytes())
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '451aebb31d03'")
    with pytest.raises(GalmorphError, match=r"(?s)mlflow\.db.*remove it and run galmorph sync"):
        open_store(tmp_path)


SYNC = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from galmorph.errors import GalmorphError
from galmorph.report.study import load_results
from galmorph.tracking.store import Store
from tests.support.records import made_condition
declared = [made_condition(Path({models!r}) / sys.argv[1])]
try:
    store = Store({uri!r}, "survey", Path({artifacts!r}))
    store.sync(declared)
    print(len(load_results(store, declared)["two_class"].confirmed.scores), "confirmed runs")
except GalmorphError as error:
    sys.exit(f"galmorph: {{error}}")
"""


def command(place, name="one"):
    """A process of its own, because MLflow keeps what it has opened once."""
    code = SYNC.format(
        root=str(ROOT),
        models=str(place / "copies"),
        uri=f"sqlite:///{place / 'mlflow.db'}",
        artifacts=str(place / "mlartifacts"),
    )
    return [sys.executable, "-c", code, name]


def synced(place):
    return subprocess.run(command(place), capture_output=True, text=True, cwd=place)


def test_two_at_once_on_one_store_leave_it_right(tmp_path):
    place = tmp_path
    declared = [made_condition(place / "models")]
    open_store(place)  # made before, as by the first of the two
    both = [
        subprocess.Popen(command(place, name), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=place)
        for name in ("one", "two")
    ]
    for process in both:
        _, said = process.communicate(timeout=300)
        # The other one may have been in the way: then it is said, and not with a traceback.
        assert process.returncode == 0 or said.startswith("galmorph: ")
    open_store(place).sync(declared)
    results = load_results(open_store(place), declared)
    for phase in (results["two_class"].selected, results["two_class"].confirmed):
        assert list(phase.scores.index) == [1, 2, 3]


OPEN = """
import os, sys
from pathlib import Path
from galmorph.tracking.store import Store
Store(f"sqlite:///{os.getpid()}.db", "survey", Path("mlartifacts"))  # so that all is imported
print("ready", flush=True)
sys.stdin.readline()
Store(sys.argv[1], "survey", Path("mlartifacts"))
"""


def test_two_at_once_make_one_new_store(tmp_path):
    both = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN, f"sqlite:///{tmp_path / 'mlflow.db'}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
        )
        for _ in range(2)
    ]
    for process in both:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in both:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate(timeout=300)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert open_store(tmp_path).runs("run") == []


def test_a_store_whose_driver_is_not_installed(tmp_path):
    with pytest.raises(GalmorphError, match=r"psycopg://\*\*\*@.* needs the Python module psycopg: install it"):
        Store("postgresql+psycopg://me:sesame@127.0.0.1:9/runs", "survey", tmp_path)


@pytest.mark.parametrize("address", ["http://127.0.0.1:port", "http://127.0.0.1:99999", "http://[::1", "sqlite:///"])
def test_an_address_that_is_none(tmp_path, monkeypatch, address):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.chdir(tmp_path)
    try:
        Store(address, "survey", tmp_path / "mlartifacts")
    except GalmorphError as error:
        assert f"the MLflow store {address} refuses" in str(error)  # noqa: PT017
    else:
        # Of SQLAlchemy's: a database in memory.
        assert address == "sqlite:///"


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
        with pytest.raises(GalmorphError, match=r"the MLflow store http://127\.0\.0\.1:\d+ refuses"):
            Store(f"http://127.0.0.1:{server.server_address[1]}", "survey", tmp_path)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("pages", ["empty", "the same"])
def test_a_store_that_never_ends_its_list_of_runs(shown, monkeypatch, pages):
    store = open_store(shown[0])
    found = store.runs("run")
    monkeypatch.setattr(
        store.client, "search_runs", lambda *given, **named: PagedList([] if pages == "empty" else found, "next")
    )
    with pytest.raises(GalmorphError, match="the list of runs does not end"), store.explained():
        store.runs("run")


def test_a_password_in_the_address_is_never_repeated(monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(GalmorphError) as error:
        Store("http://me:sesame@127.0.0.1:9/", "survey", tmp_path)
    assert "sesame" not in str(error.value)
    assert "127.0.0.1:9" in str(error.value)
