"""The browser's own tests: that each kind of trouble is seen."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.support.browser import Page

PAGE = "<!doctype html><title>t</title><body style='margin:0'>{}</body>"


def opened(browser: Page, folder: Path, body: str, width: int = 390) -> Page:
    (folder / "page.html").write_text(PAGE.format(body), encoding="utf-8")
    browser.open((folder / "page.html").as_uri(), width)
    return browser


def test_a_sound_page_has_no_problems(browser: Page, tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    opened(browser, tmp_path, "<img src=a.png><p>sound</p>")
    assert browser.missing_images() == []
    assert browser.problems == []
    assert browser.overhang() == 0
    assert browser.text() == "sound"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("<script>console.error('oh', 'no')</script>", "oh no"),
        ("<script>nothing.at.all</script>", "nothing is not defined"),
        ("<script src=away.js></script>", "away.js"),
    ],
)
def test_trouble_is_seen(browser: Page, tmp_path: Path, body: str, said: str) -> None:
    assert any(said in problem for problem in opened(browser, tmp_path, body).problems)


def test_a_missing_picture_is_named(browser: Page, tmp_path: Path) -> None:
    (missing,) = opened(browser, tmp_path, "<img alt=stamp src=away.png>").missing_images()
    assert missing.startswith("stamp file:")


def test_what_is_too_wide_is_measured_at_the_width_that_was_asked_for(browser: Page, tmp_path: Path) -> None:
    opened(browser, tmp_path, "<div style='width:450px'>wide</div>")
    assert browser.evaluate("innerWidth") == 390
    assert browser.overhang() == 60
    browser.resize(1280, 800)
    assert browser.overhang() <= 0
    browser.screenshot(tmp_path / "window.png")
    with Image.open(tmp_path / "window.png") as picture:
        assert picture.size == (1280, 800)


def test_a_whole_page_is_pictured(browser: Page, tmp_path: Path) -> None:
    opened(browser, tmp_path, "<div style='height:3000px'>tall</div>")
    browser.screenshot(tmp_path / "page.png", whole=True)
    with Image.open(tmp_path / "page.png") as picture:
        assert picture.size == (390, 3000)
