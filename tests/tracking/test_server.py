"""The store behind a server, as a group would have it."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from galmorph.errors import GalmorphError
from galmorph.report.study import load_results
from galmorph.tracking.address import default_uri
from galmorph.tracking.store import Store
from galmorph.tracking.views import shared_views
from tests.support.mlflow_server import mlflow_serving


def opened_by_two_at_once(address, place, monkeypatch):
    """Return the experiments of two processes that both find none and create it."""
    barrier, found = Barrier(2), MlflowClient.get_experiment_by_name

    def found_at_once(client, name):
        if (experiment := found(client, name)) is None:
            barrier.wait(timeout=60)
        return experiment

    with monkeypatch.context() as patched, ThreadPoolExecutor(2) as two:
        patched.setattr(MlflowClient, "get_experiment_by_name", found_at_once)
        stores = list(two.map(lambda _: Store(address, "first", place / "unused"), range(2)))
    return [store.experiment.experiment_id for store in stores]


@pytest.mark.parametrize("first", ["another", "none"])
def test_views_that_another_process_wrote_first_are_there(place, monkeypatch, first):
    write = MlflowClient.set_experiment_tag

    def refused(client, experiment, name, value):
        if first == "another":
            write(client, experiment, name, value)
        raise MlflowException("UNIQUE constraint failed")

    monkeypatch.setattr(MlflowClient, "set_experiment_tag", refused)
    address = f"sqlite:///{place / 'views.db'}"
    if first == "another":
        store = Store(address, "survey", place / "unused")
        tags = store.client.get_experiment(store.experiment.experiment_id).tags
        assert shared_views(store.experiment.creation_time).items() <= tags.items()
    else:
        with pytest.raises(GalmorphError, match="cannot be used"):
            Store(address, "survey", place / "unused")


def test_a_server_shows_what_the_project_s_own_store_shows(store, place, declared, empty_database, monkeypatch):
    (place / "server.db").write_bytes(empty_database)
    store_arguments = ["--backend-store-uri", f"sqlite:///{place / 'server.db'}"]
    artifact_arguments = ["--artifacts-destination", str(place / "artifacts")]
    one = declared[:1]
    with mlflow_serving(place, "server", *store_arguments, *artifact_arguments) as address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        assert default_uri(place) == address
        assert len(set(opened_by_two_at_once(address, place, monkeypatch))) == 1
        remote = Store(address, "survey", place / "unused")
        # As training does, one by one; then as the report does.
        remote.add(one[0].phases["selected"][0], one[0].files["selected"][0])
        assert remote.sync(one).added == 6  # the parent and 5 runs
        assert remote.sync(one).kept == 7
        other = load_results(remote, one)["two_class"]
        run = remote.runs("run", phase="confirmed", run="2")[0]
        artifacts = {file.path for file in remote.client.list_artifacts(run.info.run_id)}
    result = load_results(store, one)["two_class"]
    assert result.selected.history.equals(other.selected.history)
    assert result.confirmed.scores.equals(other.confirmed.scores)
    assert (result.confirmed.confusion == other.confirmed.confusion).all()
    assert artifacts == {"confusion.png", "run-002.npz"}
    assert not (place / "unused").exists()
