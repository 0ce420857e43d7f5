from __future__ import annotations

import logging
from pathlib import Path

import pytest

from galmorph.errors import GalmorphError
from galmorph.stages.train import Showing
from galmorph.tracking import Store
from parameters import settings_with


def test_trouble_with_the_store_is_said_once_and_stops_no_training(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'gone' / 'mlflow.db'}")
    (tmp_path / "gone").write_text("a file where a folder should be")
    caplog.set_level(logging.INFO, logger="galmorph")
    show = Showing(settings_with({}))
    written: list[Store] = []
    for _ in range(3):
        show(written.append)
    assert written == []
    (message,) = [record.getMessage() for record in caplog.records if "training goes on" in record.getMessage()]
    assert "galmorph sync shows these runs later" in message


def test_a_store_that_is_there_again_is_written_to_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("galmorph.stages.train.open_store", lambda chosen: "store")
    show = Showing(settings_with({}))
    seen: list[object] = []

    def locked(store: object) -> None:
        raise GalmorphError("the store is locked")

    for write in (locked, locked, seen.append, locked):
        show(write)
    assert seen == ["store"]
    assert caplog.text.count("the store is locked") == 2
