from __future__ import annotations

import dataclasses
import logging
from pathlib import Path

import numpy as np
import pytest

from galmorph.errors import GalmorphError
from galmorph.stages.campaign import LiveStore, read_epoch, write_epoch
from galmorph.tracking.store import Store
from galmorph.training.records import Evaluation, record_name, save_record
from tests.support.parameters import settings_with
from tests.support.records import made_record


def test_trouble_with_the_store_is_reported_once_and_does_not_stop_training(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'gone' / 'mlflow.db'}")
    (tmp_path / "gone").write_text("a file where a folder should be")
    caplog.set_level(logging.INFO, logger="galmorph")
    live = LiveStore(settings_with({}))
    written: list[Store] = []
    for _ in range(3):
        live.write(written.append)
    assert written == []
    (message,) = [record.getMessage() for record in caplog.records if "training goes on" in record.getMessage()]
    assert "galmorph sync adds these runs later" in message


def test_a_store_that_recovers_is_written_to_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("galmorph.stages.campaign.open_store", lambda settings: "store")
    live = LiveStore(settings_with({}))
    seen: list[object] = []

    def locked(store: object) -> None:
        raise GalmorphError("the store is locked")

    for write in (locked, locked, seen.append, locked):
        live.write(write)
    assert seen == ["store"]
    assert caplog.text.count("the store is locked") == 2


def test_the_epoch_is_the_best_one_of_the_validation_parts(tmp_path: Path) -> None:
    truth = np.array([0, 1, 0, 1], np.uint8)
    for run in (1, 2):
        record = made_record(run=run, epochs=3)
        # The test part would choose the first epoch, the validation part the third.
        history = record.history | {"test_accuracy": np.array([1.0, 0.0, 0.0])}
        predicted = np.array([[0, 0, 0, 0], [1, 0, 1, 0], [0, 1, 0, 0]], np.uint8)
        part = Evaluation(np.arange(4), truth, np.empty((0, 2), np.float32), predicted)
        for folder, sets in (("with", record.sets | {"validation": part}), ("without", record.sets)):
            (tmp_path / folder).mkdir(exist_ok=True)
            save_record(tmp_path / folder / record_name(run), dataclasses.replace(record, history=history, sets=sets))
    assert write_epoch(tmp_path / "with", 2, "two_class") == read_epoch(tmp_path / "with", 3) == 3
    assert write_epoch(tmp_path / "without", 2, "two_class") == read_epoch(tmp_path / "without", 3) == 1
