"""A kept network, out of MLflow again."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import mlflow.pyfunc
import numpy as np
import pytest
from mlflow.exceptions import MlflowException

from galmorph.errors import GalmorphError
from galmorph.files.reading import file_md5
from galmorph.scores.evaluation import ConditionRecords
from galmorph.tracking.store import Store
from galmorph.training.campaign import run_campaign
from galmorph.training.records import load_phase, record_name, weights_name
from tests.support.campaigns import made_campaign
from tests.support.damage import damage, empty, page, truncated

CLASSES = ["spiral", "elliptical", "uncertain"]


@pytest.fixture(scope="module")
def condition(tmp_path_factory: pytest.TempPathFactory) -> ConditionRecords:
    """Three confirmed runs, the network of the first of which is kept."""
    folder = tmp_path_factory.mktemp("kept")
    campaign = made_campaign(folder)
    place = folder / "records"
    run_campaign(campaign, place, lambda path: None)
    return ConditionRecords(
        "three_class",
        2,
        {"confirmed": load_phase(place, 3, "three_class", "confirmed")},
        {"confirmed": [place / record_name(run) for run in (1, 2, 3)]},
        {"images": campaign.images, "split": campaign.split},
        {1: place / weights_name(1)},
    )


@pytest.fixture(scope="module")
def store(condition: ConditionRecords, tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("store")
    store = Store(f"sqlite:///{folder / 'mlflow.db'}", "survey", folder / "mlartifacts")
    store.sync([condition])
    return store


@pytest.fixture
def load(store: Store, monkeypatch: pytest.MonkeyPatch) -> Callable[[], mlflow.pyfunc.PyFuncModel]:
    # Its one thread must be asked for before TensorFlow's first use, and other tests in this process need it.
    from galmorph.training.engine import prepare_device

    prepare_device()
    before = mlflow.get_tracking_uri()
    monkeypatch.setattr(sys, "path", list(sys.path))  # MLflow puts the model's copy of the package first

    def load() -> mlflow.pyfunc.PyFuncModel:
        mlflow.set_tracking_uri(store.uri)
        try:
            (run,) = store.runs("run", run="1")
            return mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/three_class-01")
        finally:
            mlflow.set_tracking_uri(before)

    return load


def models(store: Store) -> list[tuple[str, str, str]]:
    found = store.client.search_logged_models([store.experiment.experiment_id])
    return sorted((model.name, str(model.status), model.tags["galmorph.status"]) for model in found)


def test_loaded_back_it_gives_the_record_s_probabilities(
    condition: ConditionRecords, load: Callable[[], mlflow.pyfunc.PyFuncModel]
) -> None:
    model = load()
    images = np.load(condition.data["images"])
    for name, answers in condition.phases["confirmed"][0].sets.items():
        given = model.predict(images[answers.rows])
        assert list(given.columns) == CLASSES
        np.testing.assert_allclose(given.to_numpy(), answers.probabilities, rtol=0, atol=1e-6, err_msg=name)


def test_it_says_what_it_takes_and_gives(
    condition: ConditionRecords, load: Callable[[], mlflow.pyfunc.PyFuncModel]
) -> None:
    model = load()
    assert model.metadata.signature.inputs.inputs[0].shape == (-1, 16, 16)
    assert [column.name for column in model.metadata.signature.outputs.inputs] == CLASSES
    assert model.metadata.metadata["classes"] == CLASSES
    assert model.metadata.metadata["fingerprint"] == condition.phases["confirmed"][0].fingerprint
    np.testing.assert_allclose(model.predict(model.input_example).sum(axis=1), 1, atol=1e-6)
    assert len(model.predict(np.empty((0, 16, 16), np.float32))) == 0


def test_wrong_stamps_are_refused(load: Callable[[], mlflow.pyfunc.PyFuncModel]) -> None:
    model = load()
    with pytest.raises(MlflowException, match="shape"):
        model.predict(np.zeros((2, 8, 8), np.float32))
    with pytest.raises(MlflowException, match="float64"):
        model.predict(np.zeros((2, 16, 16)))
    stamps = np.zeros((3, 16, 16), np.float32)
    stamps[1, 4, 4] = np.nan
    with pytest.raises(GalmorphError, match=r"stamp 1 \(from 0\) has pixels that are not finite"):
        model.predict(stamps)


def test_the_page_of_the_run_leads_to_its_network_and_no_other_run_has_one(store: Store) -> None:
    outputs = {run.info.run_name: len(run.outputs.model_outputs) for run in store.runs("run")}
    assert outputs == {"three_class confirmed 01": 1, "three_class confirmed 02": 0, "three_class confirmed 03": 0}
    assert models(store) == [("three_class-01", "READY", "current")]


def test_it_needs_nothing_of_the_checkout(condition: ConditionRecords, store: Store, tmp_path: Path) -> None:
    (model,) = store.client.search_logged_models([store.experiment.experiment_id])
    script = (
        "import sys, numpy as np, mlflow.pyfunc\n"
        "model = mlflow.pyfunc.load_model(sys.argv[1])\n"
        "import galmorph\n"
        "print(galmorph.__file__)\n"
        "print(model.predict(np.load(sys.argv[2])[:2]).round(4).to_json())\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-c", script, model.artifact_location, str(condition.data["images"])]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    place, answer = done.stdout.splitlines()[-2:]
    assert "mlartifacts" in place
    assert list(json.loads(answer)) == CLASSES


def test_a_lost_network_is_logged_again_and_a_stray_one_removed(store: Store, condition: ConditionRecords) -> None:
    (model,) = store.client.search_logged_models([store.experiment.experiment_id])
    store.client.delete_logged_model(model.model_id)
    ours = {"galmorph.status": "current", "galmorph.fingerprint": "gone"}
    store.client.create_logged_model(store.experiment.experiment_id, "stray", tags=ours)
    assert store.sync([condition]).kept == 4
    assert models(store) == [("three_class-01", "READY", "current")]


@pytest.mark.fault
@pytest.mark.parametrize("how", [truncated, empty, page, None])
def test_stamps_that_are_damaged_are_not_the_stores_fault(
    condition: ConditionRecords, tmp_path: Path, how: Callable[[bytes], bytes] | None
) -> None:
    images = Path(shutil.copy(condition.data["images"], tmp_path / "images.npy"))
    if how is None:
        np.save(images, np.load(images)[:1])
    else:
        damage(images, how)
    fresh = Store(f"sqlite:///{tmp_path / 'mlflow.db'}", "survey", tmp_path / "mlartifacts")
    with pytest.raises(GalmorphError, match=r"^\S*images\.npy: .*dvc (repro|checkout)"):
        fresh.sync([dataclasses.replace(condition, data={**condition.data, "images": images})])


def test_a_persons_own_model_is_left_alone(store: Store, condition: ConditionRecords) -> None:
    mine = store.client.create_logged_model(store.experiment.experiment_id, "mine", tags={"galmorph.status": "mine"})
    store.sync([condition])
    assert models(store) == [("mine", "PENDING", "mine"), ("three_class-01", "READY", "current")]
    store.client.delete_logged_model(mine.model_id)


def test_where_the_weights_are_not_at_hand_the_networks_stay(store: Store, condition: ConditionRecords) -> None:
    store.sync([dataclasses.replace(condition, weights={})])
    assert models(store) == [("three_class-01", "READY", "current")]


def test_earlier_networks_stay_with_their_runs(store: Store, condition: ConditionRecords) -> None:
    records = [dataclasses.replace(r, fingerprint="other") for r in condition.phases["confirmed"]]
    changed = dataclasses.replace(condition, phases={"confirmed": records})
    store.sync([changed])
    assert models(store) == [("three_class-01", "READY", "current"), ("three_class-01", "READY", "earlier")]
    store.sync([condition])
    assert models(store) == [("three_class-01", "READY", "current"), ("three_class-01", "READY", "earlier")]
    found = store.client.search_logged_models([store.experiment.experiment_id])
    (kept,) = (model for model in found if model.tags["galmorph.status"] == "current")
    assert kept.tags["galmorph.fingerprint"] == condition.phases["confirmed"][0].fingerprint
    assert kept.tags["galmorph.weights_md5"] == file_md5(condition.weights[1])
