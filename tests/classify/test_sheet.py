"""The contact sheet."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from galmorph.classify.sheet import COLUMNS, contact_sheet, select_rows

CLASSES = ("spiral", "elliptical")


def classified(spirals: int, ellipticals: int) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    count = spirals + ellipticals
    p = rng.uniform(0.5, 1, count)
    names = [f"stamp_{number}.fits" for number in range(count)]
    table = pd.DataFrame({"name": names, "frame": names, "class": ""})
    table["predicted"] = ["spiral"] * spirals + ["elliptical"] * ellipticals
    table["p_spiral"] = np.where(table["predicted"] == "spiral", p, 1 - p)
    table["p_elliptical"] = 1 - table["p_spiral"]
    table["std_spiral"] = table["std_elliptical"] = 0.1
    table["doubts"] = ""
    table.index = table.index + 100
    return table


def test_few_are_all_shown_from_the_surest_down() -> None:
    table = classified(11, 1)
    lines = select_rows(table, CLASSES)
    assert [(line.predicted, line.caption, len(line.rows)) for line in lines] == [
        ("spiral", "all 11", 8),
        ("spiral", "", 3),
        ("elliptical", "the only one", 1),
    ]
    shown = table.loc[[row for line in lines[:2] for row in line.rows], "p_spiral"].tolist()
    assert shown == sorted(table["p_spiral"][:11], reverse=True)


def test_of_many_the_surest_the_least_sure_and_some_between() -> None:
    table = classified(200, 0)
    surest, between, least = select_rows(table, CLASSES)
    assert (surest.caption, between.caption, least.caption) == ("surest", "of 200", "least sure")
    ranked = table.sort_values("p_spiral", ascending=False).index.tolist()
    assert surest.rows == ranked[:COLUMNS]
    assert least.rows == ranked[-COLUMNS:]
    ranks = [ranked.index(row) for row in between.rows]
    assert ranks[0] == COLUMNS
    assert ranks[-1] == 199 - COLUMNS
    assert np.ptp(np.diff(ranks)) <= 1


@pytest.mark.parametrize("std", [0.1, np.nan])
def test_each_stamp_has_its_name_its_probability_its_doubt_and_a_label_that_differs(std: float) -> None:
    table = classified(2, 1)
    table["std_spiral"] = std
    table.loc[101, "doubts"] = "noise: 0.02, expected 2 to 14"
    table.loc[100, "class"], table.loc[101, "class"], table.loc[102, "class"] = "elliptical", "spiral", ""
    images = {row: np.random.default_rng(row).normal(0, 5, (16, 16)).astype(np.float32) for row in table.index}
    figure = contact_sheet(select_rows(table, CLASSES), table, images, "a title")
    texts = {axes.get_title(): [text.get_text() for text in axes.texts] for axes in figure.axes if axes.get_title()}
    assert set(texts) == {"stamp_0", "stamp_1", "stamp_2"}
    spread = "" if np.isnan(std) else " ± 0.10"
    assert texts["stamp_0"] == [f"{table['p_spiral'].iloc[0]:.2f}{spread}", "labelled elliptical"]
    assert len(texts["stamp_1"]) == 1
    assert len(texts["stamp_2"]) == 1
    dotted = {axes.get_title(): axes.spines["left"].get_linestyle() for axes in figure.axes if axes.get_title()}
    assert dotted == {"stamp_0": "-", "stamp_1": ":", "stamp_2": "-"}


@pytest.mark.parametrize(("ending", "origin"), [("fits", "lower"), ("png", "upper")])
def test_the_first_row_of_a_picture_is_its_top(ending: str, origin: str) -> None:
    table = classified(1, 0).assign(frame=f"a.{ending}")
    figure = contact_sheet(select_rows(table, CLASSES), table, {100: np.zeros((16, 16), np.float32)}, "")
    assert figure.axes[0].images[0].origin == origin


def test_a_long_name_keeps_its_end() -> None:
    table = classified(1, 0).assign(name="a_very_long_folder_name_587727178986356823.fits")
    images = {100: np.zeros((16, 16), np.float32)}
    figure = contact_sheet(select_rows(table, CLASSES), table, images, "")
    assert figure.axes[0].get_title() == "…_587727178986356823"
