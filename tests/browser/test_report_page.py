"""The report in a browser, wide and narrow."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.browser import Page

# A PNG has as many pixels as its resolution asks for, and no natural size.
LARGER = (
    "[...document.images].filter(image => image.src.startsWith('data:image/svg')"
    " && image.getBoundingClientRect().width > image.naturalWidth + 1).map(image => image.alt)"
)
# By how much each paragraph and table of the page is wider than the page's column.
EXCESS = (
    "[...document.querySelectorAll('main > section > p, main > section > .table > .scroll')].map(part => "
    "Math.round(part.getBoundingClientRect().width - document.querySelector('main').getBoundingClientRect().width))"
)
WITHOUT_CUE = (
    "[...document.querySelectorAll('.scroll')].filter(part => part.scrollWidth > part.clientWidth"
    " && !getComputedStyle(part).backgroundImage.includes('gradient')).length"
)


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
    assert browser.evaluate(WITHOUT_CUE) == 0
    assert browser.evaluate(f"Math.max(...{EXCESS}) - Math.min(...{EXCESS})") == 0


def test_three_answers_are_on_the_first_screen_and_the_contents_stay(browser: Page, whole: Path) -> None:
    browser.open((whole / "report.html").as_uri(), 1280, 800)
    ends = browser.evaluate(
        "[...document.querySelectorAll('#findings article')].map(part => part.getBoundingClientRect().bottom)"
    )
    assert len(ends) == 3
    assert max(ends) <= 800
    assert browser.evaluate(LARGER) == []
    browser.evaluate("scrollTo(0, document.body.scrollHeight / 2)")
    assert browser.evaluate("document.querySelector('nav').getBoundingClientRect().top") == 0
    browser.resize(390, 844)
    assert browser.evaluate("document.querySelector('.bar').getBoundingClientRect().top") == 0
