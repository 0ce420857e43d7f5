from __future__ import annotations

from pathlib import Path

import pytest

from galmorph.atomic import whole_folder


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
    (tmp_path / ".set.partial").mkdir()
    (tmp_path / ".set.partial" / "stale").touch()

    def fail() -> None:
        with whole_folder(target) as folder:
            assert list(folder.iterdir()) == []
            (folder / "half").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
    assert [path.name for path in target.iterdir()] == ["old"]
