from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from galmorph.errors import GalmorphError
from galmorph.stages.campaign import LiveStore, run_and_store, write_epoch
from galmorph.stages.work import stage_work
from galmorph.training.declared import read_epoch
from galmorph.training.plan import Campaign
from galmorph.training.records import Evaluation, record_name, save_record
from tests.support.campaigns import made_campaign
from tests.support.parameters import ROOT, settings_with
from tests.support.records import made_record


def test_trouble_with_the_store_is_reported_once_and_training_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def locked(unused: object) -> Any:
        raise GalmorphError("the store is locked")

    live = LiveStore(settings_with({}))
    seen: list[object] = []
    monkeypatch.setattr("galmorph.stages.campaign.open_store", locked)
    for _ in range(2):
        live.write(seen.append)
    monkeypatch.setattr("galmorph.stages.campaign.open_store", lambda settings: "store")
    for write in (seen.append, locked, locked):
        live.write(write)
    assert seen == ["store"]
    assert caplog.text.count("the store is locked; training goes on, and galmorph sync adds these runs later") == 2


@pytest.mark.parametrize("refused", [False, True], ids=["finished", "refused by a new worker"])
def test_a_campaign_ends_with_the_first_run_after_an_edit_and_keeps_it(
    refused: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    campaign = made_campaign(tmp_path)
    trained = []

    def train(campaign: Campaign, folder: Path, finished: Any, failed: Any) -> None:
        for run in (1, 2, 3):
            folder.mkdir(parents=True, exist_ok=True)
            save_record(folder / record_name(run), made_record(run=run))
            if run == 2:
                (tmp_path / "params.yaml").write_text("edited")
            trained.append(run)
            if run == 2 and refused:
                failed(2, "the worker has other code than this project")
            finished(folder / record_name(run), 1.0)

    monkeypatch.setattr("galmorph.stages.campaign.run_campaign", train)
    with stage_work("selected-x") as work, pytest.raises(GalmorphError, match=r"params\.yaml: edited while"):
        run_and_store(work, campaign, tmp_path / "models", log_runs=False)
    assert trained == [1, 2]
    assert not (tmp_path / "models").exists()
    kept = tmp_path / ".galmorph/partial" / campaign.fingerprint
    assert [path.name for path in sorted(kept.iterdir())] == [record_name(1), record_name(2)]


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
