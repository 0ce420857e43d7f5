from pathlib import Path

import pandas as pd
import pytest

from tests.support.archive_server import serving


@pytest.fixture(scope="session")
def server():
    with serving(Path("nowhere")) as archive:
        yield archive


@pytest.fixture
def archive(server, tmp_path, monkeypatch):
    """A server of the folder `server`, which a test fills; there are no pauses between retries."""
    monkeypatch.setattr("urllib3.util.retry.Retry.get_backoff_time", lambda self: 0.0)
    (tmp_path / "server").mkdir()
    server.reset(tmp_path / "server")
    return server


@pytest.fixture
def known(real_data):
    """The galaxies in the real frames, with their pixel positions as measured elsewhere."""
    return pd.read_csv(real_data / "galaxies_in_frames.csv", dtype={"objid_dr7": "Int64"})


@pytest.fixture
def raw(tmp_path):
    """An empty folder, as the stage gives it to a source."""
    (tmp_path / "raw").mkdir()
    return tmp_path / "raw"
