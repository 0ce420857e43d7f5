"""An MLflow store that shows two conditions: made once and copied, because a sync takes seconds."""

import pytest
from matplotlib.figure import Figure

from galmorph.tracking.content import Confusion
from tests.support.records import THREE, made_condition, open_store, shown


@pytest.fixture(scope="session")
def declared(tmp_path_factory):
    """The records of two conditions."""
    folder = tmp_path_factory.mktemp("models")
    return [made_condition(folder), made_condition(folder, "three_class", classes=THREE)]


@pytest.fixture(scope="session")
def synced(declared, empty_database, tmp_path_factory):
    """The database of a store that shows `declared`, and what it shows."""
    folder = tmp_path_factory.mktemp("synced")
    (folder / "mlflow.db").write_bytes(empty_database)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Confusion, "figure", lambda self: Figure(figsize=(1, 1)))
        store = open_store(folder)
        assert store.sync(declared).added == 14
    return (folder / "mlflow.db").read_bytes(), shown(store)


@pytest.fixture
def place(tmp_path, empty_database, monkeypatch):
    """A folder with an empty MLflow store, see `open_store`; its pictures are blank, because drawing takes longest."""
    (tmp_path / "mlflow.db").write_bytes(empty_database)
    monkeypatch.setattr(Confusion, "figure", lambda self: Figure(figsize=(1, 1)))
    return tmp_path


@pytest.fixture
def store(place, synced):
    """A store of its own that shows `declared`; the files of its runs are shared."""
    (place / "mlflow.db").write_bytes(synced[0])
    return open_store(place)


@pytest.fixture
def before(synced):
    """What `store` shows at first."""
    return synced[1]
