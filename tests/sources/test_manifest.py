from __future__ import annotations

from pathlib import Path

import pytest

from galmorph.errors import GalmorphError
from galmorph.sources.fetch import Mirror
from galmorph.sources.manifest import read_manifest, repair, verify, write_manifest
from tests.support.archive_server import serving


@pytest.fixture
def store(tmp_path: Path) -> Path:
    folder = tmp_path / "server"
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "one.fit").write_bytes(b"1" * 1000)
    (folder / "two.fit").write_bytes(b"2" * 1000)
    return folder


@pytest.fixture
def raw(tmp_path: Path, store: Path) -> Path:
    """A folder that was downloaded from a server on port 9, but for one file."""
    folder = tmp_path / "raw"
    (folder / "a").mkdir(parents=True)
    for name in ("a/one.fit", "two.fit"):
        (folder / name).write_bytes((store / name).read_bytes())
    (folder / "table.csv").write_text("made,here\n")
    return folder


def test_a_manifest_says_what_is_there(raw: Path) -> None:
    assert write_manifest(raw, {"two.fit": "http://127.0.0.1/two.fit"}) == 3
    lines = (raw / "manifest.csv").read_text().splitlines()
    assert lines[0] == "path,size,sha256,url"
    assert [line.split(",")[0] for line in lines[1:]] == ["a/one.fit", "table.csv", "two.fit"]
    assert lines[1].endswith(",")
    assert lines[3].startswith("two.fit,1000,")
    assert lines[3].endswith(",http://127.0.0.1/two.fit")
    assert [entry.size for entry in read_manifest(raw)] == [1000, 10, 1000]
    assert verify(raw) == (3, {})


def test_everything_that_may_be_wrong_with_a_file(raw: Path) -> None:
    write_manifest(raw, {})
    (raw / "a" / "one.fit").write_bytes(b"1" * 999 + b"2")
    (raw / "two.fit").unlink()
    (raw / "table.csv").write_text("made, here\n")
    (raw / "stranger").write_text("")
    assert verify(raw) == (
        3,
        {
            "a/one.fit": "other bytes than the manifest's",
            "stranger": "not in the manifest",
            "table.csv": "11 bytes instead of 10",
            "two.fit": "missing",
        },
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("path,size", "path,bytes", "no column size"),
        ("a/one.fit", "/etc/passwd", "line 2: path '/etc/passwd' is no path below the manifest's folder"),
        ("a/one.fit", "../one.fit", r"line 2: path '\.\./one\.fit' is no path below"),
        ("a/one.fit", "two.fit", "line 4: path 'two.fit' stands in the table twice"),
        (",1000,", ",many,", r"line 2 \(path a/one\.fit\): size 'many' is not a whole number"),
        (",http", ",ftp", "url 'ftp.*' is no address"),
        ("line 2", "", "cut short"),
    ],
)
def test_a_manifest_that_was_edited(raw: Path, old: str, new: str, message: str) -> None:
    write_manifest(raw, {"a/one.fit": "http://127.0.0.1/one.fit"})
    path = raw / "manifest.csv"
    text = path.read_text()
    if message == "cut short":
        path.write_text(text[: text.index("\n") + 40])
        message = "line 2: Expected 4 columns, got 3"
    else:
        path.write_text(text.replace(old, new, 1))
    with pytest.raises(GalmorphError, match=message):
        verify(raw)


def test_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(GalmorphError, match=r"manifest\.csv: no such file"):
        verify(tmp_path)


def test_repair_fetches_what_is_wrong_and_nothing_else(raw: Path, store: Path, tmp_path: Path) -> None:
    mirror = Mirror(tmp_path / "mirror")
    with serving(store) as archive:
        write_manifest(raw, {name: f"{archive.url}/{name}" for name in ("a/one.fit", "two.fit")})
        kept = (raw / "a" / "one.fit").stat().st_ino
        # As where data/raw, the mirror and DVC's cache are links to one file.
        mirror.whole.mkdir(parents=True)
        (mirror.whole / "two.fit").hardlink_to(raw / "two.fit")
        (raw / "two.fit").write_bytes(b"3" * 1000)
        (raw / "table.csv").write_text("made,there\n")
        repaired, wrong = repair(raw, mirror)
        assert repaired == ["two.fit"]
        assert wrong == {"table.csv": "11 bytes instead of 10; it was not downloaded"}
        assert (raw / "two.fit").read_bytes() == b"2" * 1000
        assert (raw / "a" / "one.fit").stat().st_ino == kept
        assert archive.requests == {"/two.fit": 1}


def test_a_server_that_now_has_another_file(
    raw: Path, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("urllib3.util.retry.Retry.get_backoff_time", lambda self: 0.0)
    with serving(store) as archive:
        write_manifest(raw, {"two.fit": f"{archive.url}/two.fit"})
        (raw / "two.fit").unlink()
        (store / "two.fit").write_bytes(b"4" * 1000)
        repaired, wrong = repair(raw, Mirror(tmp_path / "mirror"))
        assert repaired == []
        assert wrong["two.fit"].startswith(
            "other bytes than the manifest's: the server's file, or the manifest, changed"
        )
        assert not (raw / "two.fit").exists()
