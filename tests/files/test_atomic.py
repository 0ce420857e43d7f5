from __future__ import annotations

from pathlib import Path

import pytest

from galmorph.errors import GalmorphError
from galmorph.files.atomic import HIDDEN, put, whole_file, whole_folder


def test_replaces_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "set"
    for text in ("first", "second"):
        with whole_folder(target) as folder:
            (folder / text).write_text(text)
            assert not (target / text).exists()
        assert [path.name for path in target.iterdir()] == [text]
    assert [path.name for path in target.parent.iterdir()] == ["set"]


def test_leaves_nothing_half_written(tmp_path: Path) -> None:
    target = tmp_path / "set"
    target.mkdir()
    (target / "old").touch()
    # What a killed process left does not get mixed in.
    left = tmp_path / f"{HIDDEN}{'0' * 32}"
    left.mkdir()
    (left / "stale").touch()

    def fail() -> None:
        with whole_folder(target) as folder:
            assert list(folder.iterdir()) == []
            (folder / "half").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
    assert [path.name for path in target.iterdir()] == ["old"]


def test_what_a_living_process_writes_and_what_another_host_does_is_left_alone(tmp_path: Path) -> None:
    foreign = tmp_path / f".partial.{'f' * 40}"
    foreign.mkdir()
    with whole_folder(tmp_path / "one") as one:
        (one / "a").touch()
        with whole_folder(tmp_path / "two") as two:
            (two / "b").touch()
        (one / "c").touch()
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == ["a", "c"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [foreign.name, "one", "two"]


def test_what_is_put_takes_the_place_of_what_was_there(tmp_path: Path) -> None:
    old, new = tmp_path / "place", tmp_path / "work"
    for folder, name in ((old, "old"), (new, "new")):
        folder.mkdir()
        (folder / name).touch()
    put(new, old)
    assert [path.name for path in old.iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["place"]


def test_two_processes_may_make_the_same_file(tmp_path: Path) -> None:
    with whole_file(tmp_path / "a.txt") as one, whole_file(tmp_path / "a.txt") as two:
        one.write_text("same")
        two.write_text("same")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(GalmorphError, match=r"gone/a\.txt: cannot be written \(No such file or directory\)"),
        whole_file(tmp_path / "gone" / "a.txt") as partial,
    ):
        partial.write_text("half")


def test_a_file_that_was_stopped_leaves_nothing(tmp_path: Path) -> None:
    def stop() -> None:
        with whole_file(tmp_path / "a.txt") as partial:
            partial.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop()
    assert list(tmp_path.iterdir()) == []


def test_of_the_words_of_hdf5_the_systems_are_kept(tmp_path: Path) -> None:
    words = "Can't close file (file write failed: time = now\n, errno = 28, error message = 'No space left on device')"
    with (
        pytest.raises(GalmorphError, match=r"a\.h5: cannot be written \(No space left on device\); make room"),
        whole_file(tmp_path / "a.h5"),
    ):
        raise OSError(words)
