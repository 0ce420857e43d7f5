from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.archive_server import Archive, serving


@pytest.fixture(scope="session")
def server() -> Iterator[Archive]:
    with serving(Path("nowhere")) as archive:
        yield archive


@pytest.fixture
def archive(server: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Archive:
    """A server of the folder `server`, which a test fills; there are no pauses between retries."""
    monkeypatch.setattr("urllib3.util.retry.Retry.get_backoff_time", lambda self: 0.0)
    (tmp_path / "server").mkdir()
    server.reset(tmp_path / "server")
    return server
