"""A kept network, out of MLflow again."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import sys
from pathlib import Path

import mlflow.pyfunc
import numpy as np
import pytest
from mlflow.artifacts import download_artifacts
from mlflow.exceptions import MlflowException

from galmorph.errors import GalmorphError
from galmorph.files.reading import file_md5
from galmorph.scores.evaluation import ConditionRecords
from galmorph.tracking.models import PACKAGES
from galmorph.training.records import load_phase, record_name, weights_name
from tests.support.damage import damage, empty, page, truncated
from tests.support.parameters import ROOT
from tests.support.records import open_store

CLASSES = ["spiral", "elliptical", "uncertain"]


@pytest.fixture(scope="module")
def condition(study):
    """Three confirmed runs, the network of the first of which is kept."""
    folder = study / "models/three_class/confirmed"
    return ConditionRecords(
        "three_class",
        2,
        {"confirmed": load_phase(folder, 3, "three_class", "confirmed")},
        {"confirmed": [folder / record_name(run) for run in (1, 2, 3)]},
        {"images": study / "data/cutouts/images.npy", "split": study / "data/splits/three_class.parquet"},
        {1: folder / weights_name(1)},
    )


def synced_store(folder, empty_database, condition):
    (folder / "mlflow.db").write_bytes(empty_database)
    store = open_store(folder)
    store.sync([condition])
    return store


@pytest.fixture(scope="module")
def store(condition, empty_database, tmp_path_factory):
    return synced_store(tmp_path_factory.mktemp("store"), empty_database, condition)


@pytest.fixture(scope="module")
def model(store):
    # TensorFlow takes its number of threads before its first use only, and other tests in this process need one.
    from galmorph.training.engine import prepare_device

    prepare_device()
    before = mlflow.get_tracking_uri()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", list(sys.path))  # MLflow puts the model's copy of the package first
        mlflow.set_tracking_uri(store.uri)
        (run,) = store.runs("run", run="1")
        yield mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/three_class-01")
        mlflow.set_tracking_uri(before)


def test_it_is_registered_under_an_alias(store, model):
    (version,) = store.client.search_model_versions("name = 'galmorph-three_class'")
    before = mlflow.get_tracking_uri()
    try:
        mlflow.set_tracking_uri(store.uri)
        loaded = mlflow.pyfunc.load_model("models:/galmorph-three_class@confirmed")
    finally:
        mlflow.set_tracking_uri(before)
    assert loaded.metadata.model_uuid == model.metadata.model_uuid
    assert store.client.get_registered_model("galmorph-three_class").aliases == {"confirmed": version.version}


def test_the_alias_follows_the_records(condition, empty_database, tmp_path):
    store = synced_store(tmp_path, empty_database, condition)
    store.sync([condition])
    (version,) = store.client.search_model_versions("name = 'galmorph-three_class'")
    # Another network of the same condition becomes the second version, and has the alias.
    store.client.delete_logged_model(version.tags["galmorph.model"])
    store.sync([condition])
    assert store.client.get_model_version_by_alias("galmorph-three_class", "confirmed").version == 2
    (current,) = store.client.search_logged_models([store.experiment.experiment_id])
    assert store.client.get_model_version("galmorph-three_class", "2").tags["galmorph.model"] == current.model_id


def models(store):
    found = store.client.search_logged_models([store.experiment.experiment_id])
    return sorted((model.name, str(model.status), model.tags["galmorph.status"]) for model in found)


def test_loaded_back_it_gives_the_record_s_probabilities(condition, model):
    images = np.load(condition.data["images"])
    for name, expected in condition.phases["confirmed"][0].sets.items():
        given = model.predict(images[expected.rows])
        assert list(given.columns) == CLASSES
        np.testing.assert_allclose(given.to_numpy(), expected.probabilities, rtol=0, atol=1e-6, err_msg=name)


def test_it_says_what_it_takes_and_gives(condition, model):
    assert model.metadata.signature.inputs.inputs[0].shape == (-1, 16, 16)
    assert [column.name for column in model.metadata.signature.outputs.inputs] == CLASSES
    assert model.metadata.metadata["classes"] == CLASSES
    assert "Stamps are not compared with those of the training" in model.metadata.metadata["warning"]
    assert model.metadata.metadata["fingerprint"] == condition.phases["confirmed"][0].fingerprint
    np.testing.assert_allclose(model.predict(model.input_example).sum(axis=1), 1, atol=1e-6)
    assert len(model.predict(np.empty((0, 16, 16), np.float32))) == 0


def test_wrong_stamps_are_refused(model):
    with pytest.raises(MlflowException, match="shape"):
        model.predict(np.zeros((2, 8, 8), np.float32))
    with pytest.raises(MlflowException, match="float64"):
        model.predict(np.zeros((2, 16, 16)))
    stamps = np.zeros((3, 16, 16), np.float32)
    stamps[1, 4, 4] = np.nan
    with pytest.raises(GalmorphError, match=r"stamp 1 \(from 0\) has pixels that are not finite"):
        model.predict(stamps)


def test_the_page_of_the_run_leads_to_its_network_and_no_other_run_has_one(store):
    outputs = {run.info.run_name: len(run.outputs.model_outputs) for run in store.runs("run")}
    assert outputs == {"three_class confirmed 01": 1, "three_class confirmed 02": 0, "three_class confirmed 03": 0}
    assert models(store) == [("three_class-01", "READY", "current")]


def test_it_needs_nothing_of_the_checkout(store, tmp_path):
    """It holds the whole package, and names the packages that this imports."""
    (model,) = store.client.search_logged_models([store.experiment.experiment_id])
    folder = Path(download_artifacts(model.artifact_location, dst_path=str(tmp_path)))
    source = ROOT / "src/galmorph"
    for path in source.rglob("*.py"):
        assert (folder / "code/galmorph" / path.relative_to(source)).read_bytes() == path.read_bytes()
    script = "import sys; sys.path.insert(0, 'code'); from galmorph.tracking import pyfunc; print(pyfunc.__file__)"
    done = subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()) == folder / "code/galmorph/tracking/pyfunc.py"
    names = {line.split("==")[0] for line in (folder / "requirements.txt").read_text().split()}
    assert names - {"tensorflow", "tensorflow-cpu"} == set(PACKAGES) - {"tensorflow", "tensorflow-cpu"}


def test_a_lost_network_is_logged_again_and_a_stray_one_removed(store, condition):
    (model,) = store.client.search_logged_models([store.experiment.experiment_id])
    store.client.delete_logged_model(model.model_id)
    ours = {"galmorph.status": "current", "galmorph.fingerprint": "gone"}
    store.client.create_logged_model(store.experiment.experiment_id, "stray", tags=ours)
    assert store.sync([condition]).kept == 4
    assert models(store) == [("three_class-01", "READY", "current")]


@pytest.mark.fault
@pytest.mark.parametrize("how", [truncated, empty, page, None])
def test_stamps_that_are_damaged_are_not_the_stores_fault(condition, place, how):
    images = Path(shutil.copy(condition.data["images"], place / "images.npy"))
    if how is None:
        np.save(images, np.load(images)[:1])
    else:
        damage(images, how)
    with pytest.raises(GalmorphError, match=r"^\S*images\.npy: .*dvc (repro|checkout)"):
        open_store(place).sync([dataclasses.replace(condition, data={**condition.data, "images": images})])


def test_a_persons_own_model_is_left_alone(store, condition):
    mine = store.client.create_logged_model(store.experiment.experiment_id, "mine", tags={"galmorph.status": "mine"})
    store.sync([condition])
    assert models(store) == [("mine", "PENDING", "mine"), ("three_class-01", "READY", "current")]
    store.client.delete_logged_model(mine.model_id)


def test_where_the_weights_are_not_at_hand_the_networks_stay(store, condition):
    store.sync([dataclasses.replace(condition, weights={})])
    assert models(store) == [("three_class-01", "READY", "current")]


def test_earlier_networks_stay_with_their_runs(store, condition):
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
