"""Pages in a real browser; without one these tests are skipped, which says why."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

# The made-up study of the report's own tests.
from tests.report.conftest import *  # noqa: F403
from tests.support.browser import NO_BROWSER, Page, find_browser, page
from tests.support.parameters import ROOT


@pytest.fixture
def browser() -> Iterator[Page]:
    """A page of a browser that was started for this test."""
    program = find_browser()
    if program is None:
        pytest.skip(NO_BROWSER)
    with page(program) as opened:
        yield opened


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """Where pictures of the pages are kept, for people to look at; git ignores it."""
    return ROOT / "screenshots"
