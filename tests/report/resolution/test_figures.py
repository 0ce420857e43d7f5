"""What the figures print and where; that they draw with one level, one run, and many."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from numpy.typing import NDArray

from galmorph.report.resolution import figures, tables
from galmorph.report.resolution.results import BY_SIZE, Level, ResolutionResults
from tests.support.resolution import made_resolution


@pytest.fixture(scope="module")
def results() -> ResolutionResults:
    return made_resolution(levels=3)


@pytest.fixture(scope="module")
def matrix(results: ResolutionResults) -> Any:
    return tables.matrix(results).data.set_index(["trained", "tested"])


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
    results: ResolutionResults, matrix: Any, metric: str
) -> None:
    axes = figures.heat_map(results, metric).axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("tested at (PSF FWHM)", "trained at (PSF FWHM)")
    assert [label.get_text() for label in axes.get_yticklabels()] == [lv.stacked_label for lv in results.trained]
    assert [label.get_text() for label in axes.get_xticklabels()] == [lv.stacked_label for lv in results.tested]
    printed = {tuple(reversed(text.get_position())): text.get_text() for text in axes.texts}
    for i, trained in enumerate(results.trained):
        for j, tested in enumerate(results.tested):
            row = matrix.loc[(trained.name, tested.name)]
            assert printed[i, j] == f"{row[f'{metric}_mean']:.3f}\n± {row[f'{metric}_std']:.3f}"
            np.testing.assert_allclose(np.asarray(axes.images[0].get_array())[i, j], row[f"{metric}_mean"])
    assert len(axes.patches) == 3


def test_a_missing_score_is_a_dash(results: ResolutionResults) -> None:
    lacking = {pair: value * np.array([[1], [0]]) for pair, value in results.confusion.items()}
    broken = dataclasses.replace(results, confusion=lacking)
    heat_map = figures.heat_map(broken, "tss")
    for figure in (heat_map, figures.recall_against_fwhm(broken)):
        figure.draw_without_rendering()
    assert {text.get_text() for text in heat_map.axes[0].texts} == {"—"}


def test_loss_against_the_size_of_the_galaxies(results: ResolutionResults) -> None:
    rows = [
        {
            "tested": "coarse",
            "class": name,
            "part": part,
            "ratio": 0.5 * part,
            "loss_mean": loss * part,
            "loss_half": 0.01,
        }
        for name, loss in (("elliptical", 0.1), ("spiral", -0.2))
        for part in (2, 1)
    ]
    sized = dataclasses.replace(results, by_size=pd.DataFrame(rows, columns=BY_SIZE))
    spirals, ellipticals = figures.loss_against_size(sized).axes
    assert (spirals.get_title(), ellipticals.get_title()) == ("spirals", "ellipticals")
    for axes, losses in ((spirals, [-0.2, -0.4]), (ellipticals, [0.1, 0.2])):
        ((label, points),) = lines(axes).items()
        assert label == "coarse (2.55″)"
        for drawn, expected in zip(points, ([0.5, 1.0], losses, [0.01, 0.01]), strict=True):
            np.testing.assert_allclose(drawn, expected)


def test_loss_against_the_ratio_of_the_widths(results: ResolutionResults, matrix: Any) -> None:
    axes = figures.loss_against_ratio(results).axes[0]
    assert axes.get_xscale() == "log"
    drawn = lines(axes)
    assert list(drawn) == ["native (1.30″)", "blurred (1.82″)", "coarse (2.55″)"]
    x, y, bars = drawn["coarse (2.55″)"]
    # Tested at native, blurred, coarse: sharper than the training, from left to right.
    np.testing.assert_allclose(x, [1.4**-2, 1.4**-1, 1])
    data = matrix.loc["coarse"].loc[["native", "blurred", "coarse"]]
    np.testing.assert_allclose(y, data["loss_mean"])
    np.testing.assert_allclose(bars, data["loss_half"], atol=1e-12)
    assert y[-1] == 0


def test_recall_has_a_panel_per_class_and_a_line_per_trained_level(results: ResolutionResults, matrix: Any) -> None:
    figure = figures.recall_against_fwhm(results)
    assert [axes.get_title() for axes in figure.axes] == ["spirals", "ellipticals"]
    for axes, name in zip(figure.axes, results.classes, strict=True):
        drawn = lines(axes)
        for (label, (x, y, bars)), trained in zip(drawn.items(), ("native", "blurred", "coarse", "mixed"), strict=True):
            assert label.startswith(trained)
            data = matrix.loc[trained].loc[["native", "blurred", "coarse"]]
            np.testing.assert_allclose(y, data[f"recall_{name}_mean"])
            np.testing.assert_allclose(bars, data[f"recall_{name}_std"])
            np.testing.assert_allclose(x, [1.3, 1.3 * 1.4, 1.3 * 1.4**2], atol=0.03)


def test_corners(results: ResolutionResults) -> None:
    axes = figures.corner_confusions(results).axes[:4]
    titles = [one.get_title() for one in axes]
    assert titles[1] == "trained at native (1.30″),\ntested at coarse (2.55″)"
    assert titles[2] == "trained at coarse (2.55″),\ntested at native (1.30″)"
    cell = results.confusion["native", "coarse"][:, 0, 1]
    assert f"{cell.mean():.1f} ± {cell.std(ddof=1):.1f}" == axes[1].texts[2].get_text()


def test_stamps_have_a_row_per_galaxy_and_a_column_per_level(results: ResolutionResults) -> None:
    levels = results.tested
    classes = ["spiral", "spiral", "elliptical"]
    figure = figures.stamps_at_every_level(stamps(levels, 3), classes, ["a.png", "b.fits", "c.fits"], results.levels)
    assert len(figure.axes) == 3 * len(levels)
    assert [axes.get_title() for axes in figure.axes[: len(levels)]] == [level.stacked_label for level in levels]
    assert [figure.axes[i * len(levels)].texts[0].get_text() for i in range(3)] == classes
    assert [axes.images[0].origin for axes in figure.axes[:: len(levels)]] == ["upper", "lower", "lower"]


def test_long_names_are_broken_and_a_missing_width_is_not_printed() -> None:
    assert Level("blur_and_noise_only", 2.0, 0.4, 1.0, "ablation").stacked_label == "blur and\nnoise only\n2.00″"
    assert Level("mixed", float("nan"), 0.4, 1.0, "remedy").label == "mixed"


@pytest.mark.parametrize(("levels", "runs"), [(1, 1), (4, 2)])
def test_figures_draw_with_any_number_of_levels_and_runs(levels: int, runs: int) -> None:
    results = made_resolution(levels=levels, runs=runs, ablations=levels > 1, mixed=levels > 1)
    drawn: list[Figure] = [
        figures.heat_map(results, "accuracy"),
        figures.corner_confusions(results),
        figures.stamps_at_every_level(stamps(results.tested, 2), ["spiral", "elliptical"], [""] * 2, results.levels),
        figures.loss_against_ratio(results),
        figures.recall_against_fwhm(results),
    ]
    for figure in drawn:
        figure.draw_without_rendering()
    if runs == 1:
        assert all(not bars for figure in drawn[3:] for _, _, bars in lines(figure.axes[0]).values())
        assert "± —" in drawn[0].axes[0].texts[0].get_text()
