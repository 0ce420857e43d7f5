from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from ruamel.yaml import YAML

from galmorph.report.figures import style
from galmorph.report.page import as_yaml, embed, prose, what_was_run
from galmorph.settings.reading import parse_settings
from galmorph.settings.study import Settings
from tests.support.parameters import ROOT


def test_a_spread_is_not_broken_over_two_lines() -> None:
    text = prose("of 0.9 ± 0.1 (± 2 std), ± 1 σ here, 5 % there").replace("\u00a0", "~")
    assert text == "of 0.9~±~0.1 (±~2~std), ±~1~σ here, 5~% there"


def test_parameters_on_the_page_are_a_params_file(make_settings: Callable[..., Settings]) -> None:
    settings = make_settings()
    assert parse_settings(YAML(typ="safe", pure=True).load(as_yaml(settings))) == settings


def test_what_was_run_is_counted(make_settings: Callable[..., Settings]) -> None:
    assert what_was_run(make_settings(runs=30, epochs=25), 3000) == (
        "3,000 galaxies; 4 conditions; in each, 30 runs of 25 epochs and 30 fresh ones to the selected epoch; "
        "draws of 200 galaxies, 70 % of them for training."
    )
    one = what_was_run(make_settings(runs=1, conditions=("balanced",)), 90)
    assert one.startswith("90 galaxies; 1 condition; in each, 1 run of 12 epochs and 1 fresh one to")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("sources: docs/statistics.md.", "../docs/statistics.md"),
        ("MNRAS 493, 4209 (arXiv:1908.03610).", "https://arxiv.org/abs/1908.03610"),
        ("file formats (https://www.sdss.org/).", "https://www.sdss.org/"),
    ],
)
def test_an_address_is_a_link_that_leads_there(text: str, address: str) -> None:
    before, _, rest = prose(text).partition(f'<a href="{address}">')
    inside, _, after = rest.partition("</a>")
    assert before + inside + after == text
    assert address.startswith("https") or (ROOT / address.removeprefix("../")).is_file()


def test_text_is_escaped_once() -> None:
    assert prose("A&A <b> docs/a.md") == 'A&amp;A &lt;b&gt; <a href="../docs/a.md">docs/a.md</a>'


@pytest.mark.parametrize(("size", "kind"), [(1000, "svg+xml"), (200_000, "png")])
def test_a_heavy_vector_picture_goes_in_as_pixels(tmp_path: Path, size: int, kind: str) -> None:
    (tmp_path / "a.svg").write_text(f'<svg height="9pt" width="288pt">{"s" * size}</svg>')
    (tmp_path / "a.png").write_bytes(b"p")
    image = embed(tmp_path, "a")
    assert image.uri.startswith(f"data:image/{kind};base64,")
    assert image.width == 384


def test_a_figure_keeps_its_note_in_its_file_and_has_none_on_the_page(tmp_path: Path) -> None:
    style.save(Figure(figsize=(2, 1)), tmp_path, "a", 60, "Simulated.")
    shown = base64.b64decode(embed(tmp_path, "a").uri.partition(",")[2]).decode()
    assert 'id="note"' in (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert shown.count("#note{display: none}") == 1
