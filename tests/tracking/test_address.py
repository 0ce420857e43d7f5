"""Where an MLflow store keeps the files of its runs, when its checkout is copied or moved."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import pytest

from galmorph.tracking.store import Store
from galmorph.training.records import record_name, save_record
from tests.support.records import made_record, open_store


def add_run(store: Store, folder: Path, run: int) -> None:
    path = folder / record_name(run)
    record = made_record(run=run)
    save_record(path, record)
    store.add(record, path)


def addresses(store: Store) -> list[str]:
    versions = store.client.search_model_versions("name = 'network'")
    return [run.info.artifact_uri for run in store.runs("run")] + [version.source for version in versions]


@pytest.fixture
def checkout(place: Path) -> Path:
    """A checkout with a store of one run."""
    folder = place / "study 50% done"
    folder.mkdir()
    shutil.move(place / "mlflow.db", folder / "mlflow.db")
    store = open_store(folder)
    add_run(store, folder, 1)
    store.client.create_registered_model("network")
    store.client.create_model_version("network", f"{store.experiment.artifact_location}/models/m-1/artifacts")
    return folder


@pytest.mark.parametrize("moved", [False, True])
def test_a_store_that_was_copied_or_moved_has_its_own_files(
    checkout: Path, moved: bool, caplog: pytest.LogCaptureFixture
) -> None:
    before = sorted(path.relative_to(checkout) for path in checkout.rglob("*"))
    here = checkout.parent / "new place"
    _ = shutil.move(checkout, here) if moved else shutil.copytree(checkout, here)
    store = open_store(here)
    add_run(store, here, 2)
    assert len(addresses(store)) == 3
    assert all(address.startswith((here / "mlartifacts").as_uri() + "/") for address in addresses(store))
    for run in store.runs("run"):
        assert record_name(int(run.data.tags["galmorph.run"])) in {
            file.path for file in store.client.list_artifacts(run.info.run_id)
        }
    assert caplog.text == ""
    # Nothing is written in the old place.
    assert not checkout.exists() if moved else before == sorted(p.relative_to(checkout) for p in checkout.rglob("*"))


def test_a_store_that_was_copied_without_its_files_is_said_to_be(
    checkout: Path, caplog: pytest.LogCaptureFixture
) -> None:
    here = checkout.parent / "copy"
    here.mkdir()
    shutil.copy(checkout / "mlflow.db", here)
    with caplog.at_level(logging.WARNING, logger="galmorph"):
        store = open_store(here)
    assert "was copied without the files of its runs" in caplog.text
    assert "run galmorph sync" in caplog.text
    assert addresses(store)[0].startswith(checkout.as_uri())


def test_another_checkouts_experiments_are_left_alone(checkout: Path, caplog: pytest.LogCaptureFixture) -> None:
    """MLFLOW_TRACKING_URI of one checkout names the store of another."""
    other = checkout.parent / "other"
    other.mkdir()
    guest = Store(f"sqlite:///{checkout / 'mlflow.db'}", "another survey", other / "mlartifacts")
    add_run(guest, other, 1)
    open_store(checkout)
    again = Store(f"sqlite:///{checkout / 'mlflow.db'}", "another survey", other / "mlartifacts")
    assert addresses(again)[0].startswith((other / "mlartifacts").as_uri())
    assert addresses(open_store(checkout))[0].startswith((checkout / "mlartifacts").as_uri())
    assert caplog.text == ""
