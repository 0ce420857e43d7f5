import os

import pytest

from galmorph.errors import GalmorphError
from galmorph.sources.fetch import Mirror
from galmorph.sources.manifest import read_manifest, repair, verify, write_manifest


@pytest.fixture
def raw(tmp_path, archive):
    """A folder of two files that the server has, and one that was made here."""
    folder = tmp_path / "raw"
    for place in (folder, archive.folder):
        (place / "a").mkdir(parents=True)
        (place / "a" / "one.fit").write_bytes(b"1" * 1000)
        (place / "two.fit").write_bytes(b"2" * 1000)
    (folder / "table.csv").write_text("made,here\n")
    write_manifest(folder, {name: f"{archive.url}/{name}" for name in ("a/one.fit", "two.fit")})
    return folder


def test_the_manifest_lists_every_file(raw, archive):
    assert write_manifest(raw, {"two.fit": f"{archive.url}/two.fit"}) == 3
    lines = (raw / "manifest.csv").read_text().splitlines()
    assert lines[0] == "path,size,sha256,url"
    assert [line.split(",")[0] for line in lines[1:]] == ["a/one.fit", "table.csv", "two.fit"]
    assert lines[1].endswith(",")
    assert lines[3].startswith("two.fit,1000,")
    assert lines[3].endswith(f",{archive.url}/two.fit")
    assert read_manifest(raw)["size"].tolist() == [1000, 10, 1000]
    assert verify(raw) == (3, {})


def test_every_difference_is_found(raw):
    (raw / "a" / "one.fit").write_bytes(b"1" * 999 + b"2")
    (raw / "two.fit").unlink()
    (raw / "table.csv").write_text("made, here\n")
    (raw / "stranger").touch()
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
        ("a/one.fit", "/etc/passwd", "line 2: path '/etc/passwd' is not a path below the manifest's folder"),
        ("a/one.fit", "../one.fit", r"line 2: path '\.\./one\.fit' is not a path below"),
        (",1000,", ",many,", r"line 2 \(path a/one\.fit\): size 'many' is not a whole number"),
        (",1000,", "", "line 2: 2 cells, the header has 4 columns"),
        ("two.fit", "table.csv", "line 4: path 'table.csv' is in the table twice"),
    ],
)
def test_a_damaged_manifest_is_refused(raw, old, new, message):
    path = raw / "manifest.csv"
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(GalmorphError, match=message):
        verify(raw)


def test_a_missing_manifest_is_named(tmp_path):
    with pytest.raises(GalmorphError, match=r"manifest\.csv: no such file; run dvc repro acquire"):
        verify(tmp_path)


def test_repair_downloads_what_differs_and_nothing_else(raw, archive, tmp_path):
    mirror = Mirror(tmp_path / "mirror")
    kept = (raw / "a" / "one.fit").stat().st_ino
    # data/raw, the mirror and DVC's cache may be links to one file, all of them damaged.
    mirror.whole.mkdir(parents=True)
    os.link(raw / "two.fit", mirror.whole / "two.fit")
    (raw / "two.fit").write_bytes(b"3" * 1000)
    (raw / "table.csv").write_text("made,there\n")
    (raw / "stranger").touch()
    assert repair(raw, mirror) == (
        ["two.fit"],
        {
            "stranger": "not in the manifest; it was not downloaded",
            "table.csv": "11 bytes instead of 10; it was not downloaded",
        },
    )
    assert (raw / "two.fit").read_bytes() == b"2" * 1000
    assert (raw / "a" / "one.fit").stat().st_ino == kept
    assert archive.requests == {"/two.fit": 1}


def test_repair_refuses_another_file_from_the_server(raw, archive, tmp_path):
    (raw / "two.fit").unlink()
    (archive.folder / "two.fit").write_bytes(b"4" * 1000)
    repaired, wrong = repair(raw, Mirror(tmp_path / "mirror"))
    assert repaired == []
    assert wrong["two.fit"].startswith("other bytes than the manifest's: the server's file, or the manifest, changed")
    assert not (raw / "two.fit").exists()
