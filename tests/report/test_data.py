from __future__ import annotations

import re
from collections.abc import Callable

import pandas as pd
import pytest

from galmorph.report import conditions, data, thesis
from galmorph.settings.study import Settings


def test_classes_are_counted_beside_the_thesis() -> None:
    galaxies = pd.DataFrame({"class": ["spiral"] * 3 + ["uncertain"] * 5})
    table = data.class_counts(galaxies)
    counts = table.data.set_index("class")
    assert list(counts["galaxies"]) == [3, 0, 5]
    assert list(counts["fraction"]) == [0.375, 0, 0.625]
    assert list(counts["thesis_galaxies"]) == [4058, 1561, 9310]
    assert counts["thesis_fraction"].sum() == pytest.approx(1)
    assert list(table.shown["Thesis"]) == ["4,058", "1,561", "9,310"]
    assert not table.results


def test_filters_are_in_order_of_wavelength_and_agree_with_their_curves() -> None:
    shown = data.filters().data
    assert list(shown["band"]) == list("ugriz")
    assert list(shown["wavelength"]) == [3551, 4686, 6165, 7481, 8931]
    assert list(shown["depth"]) == [22.0, 22.2, 22.2, 21.3, 20.5]
    # The printed means are of the same filters: within 2 % of what the curves give.
    assert (shown["effective_wavelength"] / shown["wavelength"]).between(0.98, 1.02).all()


def test_a_row_of_table_2_keeps_every_digit_of_its_object_id() -> None:
    shown = data.table2_row({"OBJID": 587727178986356823, "RA": "00:00:00.41"}).shown
    assert shown.to_numpy().tolist() == [["OBJID", "587727178986356823"], ["RA", "00:00:00.41"]]


def test_the_words_for_a_condition_read_without_an_article() -> None:
    """They stand in sentences: "higher for balanced two classes than for two classes (control)"."""
    for condition in thesis.CONDITIONS:
        assert re.fullmatch(r"([a-z]+ )+classes( \([a-z]+\))?", thesis.label(condition))


def test_conditions_are_listed_as_declared(make_settings: Callable[..., Settings]) -> None:
    shown = conditions.declared(make_settings()).shown.set_index("Name")
    assert list(shown.index) == ["three_class", "two_class", "balanced", "two_class_small"]
    assert list(shown.loc["two_class_small"]) == [
        "two classes (control)",
        "spiral, elliptical",
        "spiral, elliptical, uncertain",
        "natural",
        "200",
    ]
