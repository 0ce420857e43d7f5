from __future__ import annotations

import hashlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from galmorph.errors import GalmorphError
from galmorph.sources.fetch import ATTEMPTS, Download, Mirror, require_answer
from tests.support.archive_server import serving

CONTENT = bytes(range(256)) * 4000  # a megabyte
REMEDY = "use the other one"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GALMORPH_TIMEOUT", "1")
    monkeypatch.setattr("urllib3.util.retry.Retry.get_backoff_time", lambda self: 0.0)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    folder = tmp_path / "server"
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "one.bin").write_bytes(CONTENT)
    (folder / "two.bin").write_bytes(CONTENT[::-1])
    return folder


def right(path: Path) -> None:
    # As a gzip stream's checksum would tell.
    expected = CONTENT if path.name == "one.bin" else CONTENT[::-1]
    if path.read_bytes() != expected:
        raise GalmorphError(f"{path}: damaged or cut short; fetch the file again")


def downloads(url: str, *paths: str) -> list[Download]:
    return [Download(f"{url}/{path}", path, right, 900_000) for path in paths or ("a/one.bin", "two.bin")]


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


WHOLE = {"whole/a/one.bin": CONTENT, "whole/two.bin": CONTENT[::-1]}


def test_files_come_whole_and_once(store: Path, tmp_path: Path) -> None:
    mirror = Mirror(tmp_path / "mirror")
    with serving(store) as archive:
        assert mirror.fetch(downloads(archive.url), "files", REMEDY) == {}
        assert files(tmp_path / "mirror") == WHOLE
        assert mirror.fetch(downloads(archive.url), "files", REMEDY) == {}
        assert set(archive.requests.values()) == {1}


@pytest.mark.parametrize("fault", ["truncated", "flipped", "html", "500", "503", "429", "slow", "drip", "no ranges"])
def test_what_can_pass_is_asked_for_again(store: Path, tmp_path: Path, fault: str) -> None:
    mirror = Mirror(tmp_path / "mirror")
    with serving(store, lambda path, number: fault if number <= 2 else None) as archive:
        assert mirror.fetch(downloads(archive.url), "files", REMEDY) == {}
        assert files(tmp_path / "mirror") == WHOLE
        assert max(archive.requests.values()) <= 3
        if fault == "truncated":
            # Only what was missing was asked for: a quarter, after a half and a quarter had come.
            assert archive.bytes_sent == 2 * len(CONTENT)
            assert sorted(archive.ranges) == sorted([f"bytes={part}-" for part in (512000, 768000)] * 2)


@pytest.mark.parametrize(
    ("fault", "reason", "requests"),
    [
        ("404", "the server says 404 Not Found", 1),
        ("403", "the server says 403 Forbidden", 1),
        ("416", "the server says 416 Requested Range Not Satisfiable", 1),
        ("500", f"the server gave 500, {ATTEMPTS} times", ATTEMPTS),
        ("flipped", f"damaged or cut short; fetch the file again, {ATTEMPTS} times", ATTEMPTS),
        ("html", f"damaged or cut short; fetch the file again, {ATTEMPTS} times", ATTEMPTS),
        ("slow", f"the server fell silent for 1 s, {ATTEMPTS} times", ATTEMPTS),
        ("drip", f"the server sent less than 1,000 bytes a second, {ATTEMPTS} times", ATTEMPTS),
    ],
)
def test_what_does_not_pass_is_given_up_with_its_reason(
    store: Path, tmp_path: Path, fault: str, reason: str, requests: int
) -> None:
    mirror = Mirror(tmp_path / "mirror")
    with serving(store, lambda path, number: fault if path == "/two.bin" else None) as archive:
        assert mirror.fetch(downloads(archive.url), "files", REMEDY) == {"two.bin": reason}
        assert files(tmp_path / "mirror") == {"whole/a/one.bin": CONTENT}
        assert archive.requests["/two.bin"] == requests


def test_one_file_is_checked_at_a_time(tmp_path: Path) -> None:
    # A check silences warnings, which Python does for all threads.
    names = [f"{number}.bin" for number in range(6)]
    for name in names:
        (tmp_path / name).write_bytes(b"content")
    at_work: list[Path] = []

    def check(path: Path) -> None:
        at_work.append(path)
        time.sleep(0.05)
        if at_work.pop() != path or at_work:
            raise GalmorphError(f"{path}: not alone")

    with serving(tmp_path) as archive:
        asked = [Download(f"{archive.url}/{name}", name, check, 7) for name in names]
        assert Mirror(tmp_path / "mirror").fetch(asked, "files", REMEDY) == {}
        assert max(archive.requests.values()) == 1


def test_a_file_that_was_spoilt_on_the_disk_is_fetched_again(store: Path, tmp_path: Path) -> None:
    mirror = Mirror(tmp_path / "mirror")
    with serving(store) as archive:
        mirror.fetch(downloads(archive.url), "files", REMEDY)
        (mirror.whole / "two.bin").write_bytes(b"spoilt")
        assert mirror.fetch(downloads(archive.url), "files", REMEDY) == {}
        assert files(tmp_path / "mirror") == WHOLE
        assert archive.requests == {"/a/one.bin": 1, "/two.bin": 2}


@settings(max_examples=15, deadline=None)
@given(length=st.integers(0, len(CONTENT)), spoilt=st.booleans())
def test_resumed_at_any_byte(tmp_path_factory: pytest.TempPathFactory, length: int, spoilt: bool) -> None:
    folder = tmp_path_factory.mktemp("resume")
    (folder / "server").mkdir()
    (folder / "server" / "one.bin").write_bytes(CONTENT)
    mirror = Mirror(folder / "mirror")
    mirror.partial.mkdir(parents=True)
    (mirror.partial / "one.bin").write_bytes(b"\xff" * length if spoilt else CONTENT[:length])
    with serving(folder / "server") as archive:
        assert mirror.fetch(downloads(archive.url, "one.bin"), "files", REMEDY) == {}
        assert files(folder / "mirror") == {"whole/one.bin": CONTENT}
        if not spoilt:
            assert archive.bytes_sent == len(CONTENT) - length


def test_a_killed_process_is_resumed(store: Path, tmp_path: Path) -> None:
    script = """
import sys
from pathlib import Path
from galmorph.download import Mirror
from galmorph.fetch import Download
Mirror(Path(sys.argv[1])).fetch([Download(sys.argv[2], "a/one.bin", lambda path: None, 1)], "files", "")
"""
    large = CONTENT * 60
    (store / "a" / "one.bin").write_bytes(large)
    partial = tmp_path / "mirror" / "partial" / "a" / "one.bin"
    with serving(store) as archive:
        command = [sys.executable, "-c", script, str(tmp_path / "mirror"), f"{archive.url}/a/one.bin"]
        killed = 0
        for _ in range(3):
            process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": "src"}, stderr=subprocess.DEVNULL)
            before = partial.stat().st_size if partial.exists() else 0
            while process.poll() is None and (not partial.exists() or partial.stat().st_size <= before):
                time.sleep(0.001)
            process.send_signal(signal.SIGKILL)
            killed += process.wait() == -signal.SIGKILL
        subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": "src"}, stderr=subprocess.DEVNULL)
        assert killed >= 1
        assert archive.ranges
    assert files(tmp_path / "mirror") == {"whole/a/one.bin": large}


def test_many_refusals_do_not_use_up_the_connections(tmp_path: Path) -> None:
    (tmp_path / "server").mkdir()
    with serving(tmp_path / "server") as archive:
        asked = [Download(f"{archive.url}/{number}.bin", f"{number}.bin", right, 1) for number in range(20)]
        failures = Mirror(tmp_path / "mirror").fetch(asked, "files", REMEDY)
    assert set(failures.values()) == {"the server says 404 Not Found"}
    assert len(failures) == 20


def test_no_more_at_once_than_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "server").mkdir()
    names = [f"{number}.bin" for number in range(30)]
    for name in names:
        (tmp_path / "server" / name).write_bytes(b"x" * 100_000)
    monkeypatch.setenv("GALMORPH_CONNECTIONS", "2")
    with serving(tmp_path / "server") as archive:
        asked = [Download(f"{archive.url}/{name}", name, lambda path: None, 1) for name in names]
        assert Mirror(tmp_path / "mirror").fetch(asked, "files", REMEDY) == {}
        assert archive.most_at_once == 2


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        message = r"127\.0\.0\.1:\d+ does not answer \(NewConnectionError\): use the other one; what had come is kept"
        with pytest.raises(GalmorphError, match=message):
            require_answer(url, REMEDY)
        with pytest.raises(GalmorphError, match=message):
            Mirror(tmp_path / "mirror").fetch(downloads(url), "files", REMEDY)


def test_a_server_that_says_nothing(tmp_path: Path) -> None:
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        start = time.monotonic()
        with pytest.raises(GalmorphError, match=r"does not answer \(ReadTimeoutError\): use the other one"):
            require_answer(f"http://127.0.0.1:{mute.getsockname()[1]}", REMEDY)
        assert time.monotonic() - start < 5  # the limit set is 1 s


def test_a_folder_that_may_not_be_written(store: Path, tmp_path: Path) -> None:
    # As root, permissions hold nobody back; a file where a folder must be does.
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "whole").write_text("in the way")
    with (
        serving(store) as archive,
        pytest.raises(GalmorphError, match=r"cannot be written .* what had finished is kept"),
    ):
        Mirror(tmp_path / "mirror").fetch(downloads(archive.url), "files", REMEDY)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk(store: Path, tmp_path: Path) -> None:
    mirror = Mirror(tmp_path / "mirror")
    mirror.partial.mkdir(parents=True)
    (mirror.partial / "two.bin").symlink_to("/dev/full")
    with serving(store) as archive, pytest.raises(GalmorphError, match=r"two\.bin: cannot be written \(No space left"):
        mirror.fetch(downloads(archive.url, "two.bin"), "files", REMEDY)
    assert not mirror.whole.joinpath("two.bin").exists()


@pytest.mark.parametrize("variable", ["GALMORPH_CONNECTIONS", "GALMORPH_TIMEOUT"])
def test_wrong_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "none")
    with pytest.raises(GalmorphError, match=rf"{variable}: a whole number from 1 to \d+, not 'none'"):
        Mirror(tmp_path).fetch(downloads("http://127.0.0.1:9"), "files", REMEDY)


def test_links_share_their_bytes(tmp_path: Path) -> None:
    mirror = Mirror(tmp_path / "mirror")
    mirror.whole.mkdir(parents=True)
    (mirror.whole / "two.bin").write_bytes(CONTENT)
    mirror.link("two.bin", tmp_path / "raw" / "two.bin")
    assert (tmp_path / "raw" / "two.bin").samefile(mirror.whole / "two.bin")
    assert hashlib.sha256((tmp_path / "raw" / "two.bin").read_bytes()).digest() == hashlib.sha256(CONTENT).digest()
