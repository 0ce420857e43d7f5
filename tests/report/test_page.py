from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from galmorph.report.page import as_yaml, embed, unbroken, what_was_run
from galmorph.settings.reading import parse_settings
from galmorph.settings.study import Settings


def test_a_spread_is_not_broken_over_two_lines() -> None:
    text = unbroken("of 0.9 ± 0.1 (± 2 std), ± 1 σ here, 5 % there").replace("\u00a0", "~")
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


@pytest.mark.parametrize(("size", "kind"), [(1000, "svg+xml"), (200_000, "png")])
def test_a_heavy_vector_picture_goes_in_as_pixels(tmp_path: Path, size: int, kind: str) -> None:
    (tmp_path / "a.svg").write_bytes(b"s" * size)
    (tmp_path / "a.png").write_bytes(b"p")
    assert embed(tmp_path, "a").startswith(f"data:image/{kind};base64,")
