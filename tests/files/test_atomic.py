from __future__ import annotations

import os
from pathlib import Path

import pytest

from galmorph.errors import GalmorphError
from galmorph.files.atomic import atomic_file, atomic_folder, move_into_place


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_appears_complete_and_replaces_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "set"
    for text in ("first", "second"):
        with atomic_folder(target) as folder:
            (folder / text).write_text(text)
            assert not (target / text).exists()
        assert names(target) == [text]
    assert names(target.parent) == ["set"]


def test_an_interrupted_write_leaves_the_old_content_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "old").touch()
    (tmp_path / "a.txt").write_text("old")

    def write_half() -> None:
        with atomic_folder(tmp_path / "set") as folder, atomic_file(tmp_path / "a.txt") as partial:
            (folder / "half").touch()
            partial.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert names(tmp_path) == ["a.txt", "set"]
    assert names(tmp_path / "set") == ["old"]
    assert (tmp_path / "a.txt").read_text() == "old"


def test_two_processes_may_write_the_same_file_or_folder(tmp_path: Path) -> None:
    with atomic_file(tmp_path / "a.txt") as one, atomic_file(tmp_path / "a.txt") as two:
        one.write_text("same")
        two.write_text("same")
    with atomic_folder(tmp_path / "set") as first:
        (first / "one").touch()
        with atomic_folder(tmp_path / "set") as second:
            (second / "two").touch()
    assert names(tmp_path) == ["a.txt", "set"]
    assert names(tmp_path / "set") == ["one"]


def test_a_moved_folder_replaces_the_old_one(tmp_path: Path) -> None:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    move_into_place(tmp_path / "new", tmp_path / "old")
    assert names(tmp_path / "old") == ["new"]
    assert names(tmp_path) == ["old"]


def test_a_failed_move_keeps_source_and_destination(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()

    def refuse(self: Path, target: Path) -> None:
        raise PermissionError(13, os.strerror(13))

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(PermissionError) as caught:
        move_into_place(tmp_path / "new", tmp_path / "old")
    assert caught.value.filename == str(tmp_path / "old")
    assert names(tmp_path) == ["new", "old"]
    assert names(tmp_path / "old") == ["old"]


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(GalmorphError, match=r"gone/a\.txt: cannot be written \(No such file or directory\)"),
        atomic_file(tmp_path / "gone" / "a.txt"),
    ):
        pass
