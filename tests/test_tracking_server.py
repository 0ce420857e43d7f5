"""The store behind a server, as a group would have it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from galmorph.report.study import load_results
from galmorph.tracking.address import default_uri
from galmorph.tracking.store import Store
from tests.support.mlflow_server import mlflow_serving
from tests.support.records import made_condition


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`mlflow server` with a store of its own; gives its address."""
    folder = tmp_path_factory.mktemp("server")
    arguments = ("--backend-store-uri", f"sqlite:///{folder / 'server.db'}")
    with mlflow_serving(folder, "server", *arguments, "--artifacts-destination", str(folder / "artifacts")) as address:
        yield address


def test_a_server_shows_what_the_project_s_own_store_shows(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    declared = [made_condition(tmp_path / "models"), made_condition(tmp_path / "models", "balanced")]
    uri = default_uri(tmp_path)
    assert uri == server
    remote = Store(uri, "survey", tmp_path / "unused")
    # As training does, one by one; then as the report does.
    remote.add(declared[0].phases["selected"][0], declared[0].files["selected"][0])
    assert remote.sync(declared).added == 13  # of 2 parents and 12 runs
    assert remote.sync(declared).kept == 14
    local = Store(f"sqlite:///{tmp_path / 'mlflow.db'}", "survey", tmp_path / "mlartifacts")
    local.sync(declared)
    for name, result in load_results(local, declared).items():
        other = load_results(remote, declared)[name]
        assert result.selected.history.equals(other.selected.history)
        assert result.confirmed.scores.equals(other.confirmed.scores)
        assert (result.confirmed.confusion == other.confirmed.confusion).all()
    run = remote.runs("run", condition="balanced", phase="confirmed", run="2")[0]
    artifacts = {file.path for file in remote.client.list_artifacts(run.info.run_id)}
    assert artifacts == {"confusion.png", "run-002.npz"}
    assert not (tmp_path / "unused").exists()
