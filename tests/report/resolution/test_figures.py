"""What the figures print and where; that they draw with one level, one run, and many."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from numpy.typing import NDArray

from galmorph.report.resolution import figures, tables
from galmorph.report.resolution.results import COLUMNS, Level, ResolutionResults, fwhm, levels_tested, stacked

MakeResolution = Callable[..., ResolutionResults]


@pytest.fixture(scope="module")
def results(make_resolution: MakeResolution) -> ResolutionResults:
    return make_resolution(levels=3)


def stamps(levels: tuple[Level, ...], count: int) -> dict[str, NDArray[np.float32]]:
    rng = np.random.default_rng(5)
    return {level.name: rng.normal(0, 5, (count, 64, 64)).astype(np.float32) for level in levels}


def lines(axes: Any) -> dict[str, Any]:
    """Return the drawn points of each label, and its bars' half lengths."""
    drawn = {}
    for container in axes.containers:
        line, _, bars = container.lines
        ends = [segment[:, 1] for segment in bars[0].get_segments()] if bars else []
        drawn[container.get_label()] = (line.get_xdata(), line.get_ydata(), [(e[1] - e[0]) / 2 for e in ends])
    return drawn


@pytest.mark.parametrize("metric", ["accuracy", "tss"])
def test_rows_of_the_heat_map_are_trained_and_columns_tested(
    results: ResolutionResults, metric: figures.Metric
) -> None:
    axes = figures.heat_map(results, metric).axes[0]
    data: Any = tables.matrix(results).set_index(["trained", "tested"])
    trained = ["native", "blurred", "coarse", "mixed"]
    tested = ["native", "blur_only", "blurred", "coarse", "noise_only"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("tested at (PSF FWHM)", "trained at (PSF FWHM)")
    assert [label.get_text().split("\n")[0] for label in axes.get_yticklabels()] == trained
    columns = [label.get_text() for label in axes.get_xticklabels()]
    assert columns == ["native\n1.30″", *(stacked(level) for level in levels_tested(results)[1:])]
    assert all(name.replace("_", " ") in label for name, label in zip(tested, columns, strict=True))
    printed = {}
    for text in axes.texts:
        x, y = text.get_position()
        printed[round(y), round(x)] = text.get_text()
    for i, a in enumerate(trained):
        for j, b in enumerate(tested):
            mean, std = data.loc[(a, b), f"{metric}_mean"], data.loc[(a, b), f"{metric}_std"]
            assert printed[i, j] == f"{mean:.3f}\n± {std:.3f}"
            np.testing.assert_allclose(np.asarray(axes.images[0].get_array())[i, j], mean)
    assert len(axes.patches) == 3


def test_a_missing_score_is_a_dash(results: ResolutionResults) -> None:
    lacking = {pair: value.copy() for pair, value in results.confusion.items()}
    for value in lacking.values():
        value[:, 1] = 0
    broken = dataclasses.replace(results, confusion=lacking)
    for figure in (figures.heat_map(broken, "tss"), figures.recall_against_fwhm(broken)):
        figure.draw_without_rendering()
    assert {text.get_text() for text in figures.heat_map(broken, "tss").axes[0].texts} == {"—"}


def test_loss_against_the_size_of_the_galaxies(results: ResolutionResults) -> None:
    rows = [("native", "coarse", part, 0.5 * part, 9.0, 0.1 * part, 0.01) for part in (2, 1)]
    sized = dataclasses.replace(results, by_size=pd.DataFrame(rows, columns=COLUMNS))
    axes = figures.loss_against_size(sized).axes[0]
    drawn = lines(axes)
    assert list(drawn) == ["coarse (2.55″)"]
    x, y, bars = drawn["coarse (2.55″)"]
    np.testing.assert_allclose(x, [0.5, 1.0])
    np.testing.assert_allclose(y, [0.1, 0.2])
    np.testing.assert_allclose(bars, 0.01)


def test_loss_against_the_ratio_of_the_widths(results: ResolutionResults) -> None:
    axes = figures.loss_against_ratio(results).axes[0]
    assert axes.get_xscale() == "log"
    drawn = lines(axes)
    assert list(drawn) == ["native (1.30″)", "blurred (1.82″)", "coarse (2.55″)"]
    x, y, bars = drawn["coarse (2.55″)"]
    # Tested at native, blurred, coarse: sharper than the training, from left to right.
    np.testing.assert_allclose(x, [1.4**-2, 1.4**-1, 1])
    data: Any = tables.matrix(results).set_index(["trained", "tested"]).loc["coarse"]
    order = ["native", "blurred", "coarse"]
    np.testing.assert_allclose(y, [data.loc[name, "loss_mean"] for name in order])
    np.testing.assert_allclose(bars, [data.loc[name, "loss_std"] for name in order], atol=1e-12)
    assert y[-1] == 0


def test_recall_has_a_panel_per_class_and_a_line_per_trained_level(results: ResolutionResults) -> None:
    figure = figures.recall_against_fwhm(results)
    assert [axes.get_title() for axes in figure.axes] == ["spirals", "ellipticals"]
    data: Any = tables.matrix(results).set_index(["trained", "tested"])
    for axes, name in zip(figure.axes, results.classes, strict=True):
        drawn = lines(axes)
        assert list(drawn)[-1] == "mixed"
        for (label, (x, y, bars)), trained in zip(drawn.items(), ("native", "blurred", "coarse", "mixed"), strict=True):
            assert label.startswith(trained)
            rows = [(trained, tested) for tested in ("native", "blurred", "coarse")]
            np.testing.assert_allclose(y, [data.loc[row, f"recall_{name}_mean"] for row in rows])
            np.testing.assert_allclose(bars, [data.loc[row, f"recall_{name}_std"] for row in rows])
            np.testing.assert_allclose(x, [1.3, 1.3 * 1.4, 1.3 * 1.4**2], atol=0.03)


def test_corners(results: ResolutionResults) -> None:
    axes = figures.corner_confusions(results).axes[:4]
    titles = [one.get_title() for one in axes]
    assert titles[1] == "trained at native (1.30″),\ntested at coarse (2.55″)"
    assert titles[2] == "trained at coarse (2.55″),\ntested at native (1.30″)"
    cell = [float(m[0][1]) for m in results.confusion["native", "coarse"]]
    assert f"{statistics.fmean(cell):.1f} ± {statistics.stdev(cell):.1f}" == axes[1].texts[2].get_text()


def test_stamps_have_a_row_per_galaxy_and_a_column_per_level(results: ResolutionResults) -> None:
    levels = levels_tested(results)
    classes = ["spiral", "spiral", "elliptical"]
    figure = figures.stamps_at_every_level(stamps(levels, 3), classes, results.levels)
    assert len(figure.axes) == 3 * len(levels)
    assert [axes.get_title() for axes in figure.axes[: len(levels)]] == [stacked(level) for level in levels]
    rows = [figure.axes[i * len(levels)].texts[0].get_text() for i in range(3)]
    assert rows == classes


def test_long_names_are_broken_and_a_missing_width_is_not_printed() -> None:
    level = Level("blur_and_noise_only", 2.0, 0.4, 1.0, "ablation")
    assert stacked(level) == "blur and\nnoise only\n2.00″"
    assert fwhm(Level("mixed", float("nan"), 0.4, 1.0, "remedy")) == ""


@pytest.mark.parametrize(("levels", "runs"), [(1, 1), (1, 4), (2, 1), (6, 2)])
def test_figures_draw_whatever_the_numbers_of_levels_and_runs(
    make_resolution: MakeResolution, levels: int, runs: int
) -> None:
    results = make_resolution(levels=levels, runs=runs, ablations=levels > 2, mixed=levels == 6)
    drawn: list[Figure] = [
        figures.heat_map(results, "accuracy"),
        figures.corner_confusions(results),
        figures.stamps_at_every_level(stamps(levels_tested(results), 2), ["spiral", "elliptical"], results.levels),
        figures.loss_against_ratio(results),
        figures.recall_against_fwhm(results),
    ]
    for figure in drawn:
        figure.draw_without_rendering()
    if runs == 1:
        assert all(not bars for figure in drawn[3:] for _, _, bars in lines(figure.axes[0]).values())
        assert "± —" in drawn[0].axes[0].texts[0].get_text()
