"""The report in a browser, wide and narrow."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.browser import Page


@pytest.mark.parametrize("width", [1280, 390])
def test_the_report_is_whole_and_readable_at_any_width(
    browser: Page, whole: Path, screenshots: Path, width: int
) -> None:
    browser.open((whole / "report.html").as_uri(), width)
    assert browser.missing_images() == []
    assert browser.problems == []
    assert int(browser.evaluate("document.images.length")) > 10
    browser.screenshot(screenshots / f"report-{width}.png", whole=True)
    wide = browser.evaluate(
        "[...document.querySelectorAll('body *')].filter(part => part.getBoundingClientRect().right > innerWidth"
        " && !part.parentElement.closest('table, pre, figure, svg'))"
        ".slice(0, 5).map(part => part.outerHTML.slice(0, 80))"
    )
    assert browser.overhang() <= 0, wide
