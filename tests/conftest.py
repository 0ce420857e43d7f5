"""What several test modules share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# Examples are bounded by number, not by time: these machines are shared.
settings.register_profile("galmorph", deadline=None)
settings.load_profile("galmorph")


@pytest.fixture(scope="session")
def real_data() -> Path:
    named = os.environ.get("GALMORPH_REAL_DATA")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "real"
    if not folder.is_dir():
        pytest.skip(f"no folder {folder} with real data; GALMORPH_REAL_DATA names one")
    return folder
