from __future__ import annotations

from typing import Any

import numpy as np

from galmorph.report.figures.results import confusion_matrix


def test_cells_print_mean_and_std_with_rows_true_and_columns_predicted() -> None:
    matrices = np.array([[[40, 4], [3, 13]], [[42, 2], [7, 9]]])
    axes: Any = confusion_matrix(matrices, ("spiral", "elliptical"), "Two classes").axes[0]
    printed: dict[tuple[int, int], list[str]] = {}
    for text in axes.texts:
        column, row = (round(place) for place in text.get_position())
        printed.setdefault((column, row), []).append(text.get_text())
    # Keys are (column, row): the spirals called elliptical stand in the first row, second column.
    assert printed == {
        (0, 0): ["41.0 ± 1.4", "93 %"],
        (1, 0): ["3.0 ± 1.4", "7 %"],
        (0, 1): ["5.0 ± 2.8", "31 %"],
        (1, 1): ["11.0 ± 2.8", "69 %"],
    }
    assert [label.get_text() for label in axes.get_xticklabels()] == ["spiral", "elliptical"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted class", "true class")
    np.testing.assert_allclose(axes.images[0].get_array(), [[41 / 44, 3 / 44], [5 / 16, 11 / 16]])


def test_one_run_and_an_absent_class() -> None:
    axes = confusion_matrix(np.array([[[9, 1], [0, 0]]]), ("spiral", "elliptical"), "").axes[0]
    texts = [text.get_text() for text in axes.texts]
    assert texts == ["9", "90 %", "1", "10 %", "0", "no galaxy", "0", "no galaxy"]
