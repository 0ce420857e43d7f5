import os
import time
from pathlib import Path

import pytest

from galmorph.errors import GalmorphError
from galmorph.files.atomic import atomic_file, atomic_folder, move_into_place


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_appears_complete_and_replaces_the_old_one(tmp_path):
    target = tmp_path / "deep" / "set"
    for text in ("first", "second"):
        with atomic_folder(target) as folder:
            (folder / text).write_text(text)
            assert not (target / text).exists()
        assert names(target) == [text]
    assert names(target.parent) == ["set"]


def test_an_interrupted_write_leaves_the_old_content_and_nothing_else(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "old").touch()
    (tmp_path / "a.txt").write_text("old")

    def write_half():
        with atomic_folder(tmp_path / "set") as folder, atomic_file(tmp_path / "a.txt") as partial:
            (folder / "half").touch()
            partial.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert names(tmp_path) == ["a.txt", "set"]
    assert names(tmp_path / "set") == ["old"]
    assert (tmp_path / "a.txt").read_text() == "old"


def test_two_processes_may_write_the_same_file_or_folder(tmp_path):
    with atomic_file(tmp_path / "a.txt") as one, atomic_file(tmp_path / "a.txt") as two:
        one.write_text("same")
        two.write_text("same")
    with atomic_folder(tmp_path / "set") as first:
        (first / "one").touch()
        with atomic_folder(tmp_path / "set") as second:
            (second / "two").touch()
    assert names(tmp_path) == ["a.txt", "set"]
    assert names(tmp_path / "set") == ["one"]


def test_what_killed_processes_left_is_removed_after_a_week(tmp_path):
    for name, days in ((".partial.abcd1234", 8), (".partial.efgh5678", 6), (".partial.0.old", 8)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "half").touch()
        os.utime(tmp_path / name, (0, time.time() - days * 86_400))
    with atomic_file(tmp_path / "a.txt") as partial:
        partial.touch()
    assert names(tmp_path) == [".partial.0.old", ".partial.efgh5678", "a.txt"]


def test_a_moved_folder_replaces_the_old_one(tmp_path):
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    move_into_place(tmp_path / "new", tmp_path / "old")
    assert names(tmp_path / "old") == ["new"]
    assert names(tmp_path) == ["old"]


def test_a_failed_move_keeps_source_and_destination(tmp_path, monkeypatch):
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()

    def refuse(self, target):
        raise PermissionError(13, os.strerror(13))

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(PermissionError) as caught:
        move_into_place(tmp_path / "new", tmp_path / "old")
    assert caught.value.filename == str(tmp_path / "old")
    assert names(tmp_path) == ["new", "old"]
    assert names(tmp_path / "old") == ["old"]


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    with (
        pytest.raises(GalmorphError, match=r"gone/a\.txt: cannot be written \(No such file or directory\)"),
        atomic_file(tmp_path / "gone" / "a.txt"),
    ):
        pass
