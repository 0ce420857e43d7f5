from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.patches import StepPatch

from galmorph.report.figures.sky import redshift_histogram, throughput


def test_every_galaxy_is_in_one_bin_or_counted_as_without_redshift() -> None:
    galaxies = pd.DataFrame(
        {
            "class": ["spiral", "spiral", "spiral", "elliptical", "uncertain", "uncertain"],
            "redshift": [0.02, 0.039, 0.06, 0.11, np.nan, 0.001],
        }
    )
    axes = redshift_histogram(galaxies, 0.02).axes[0]
    outlines: list[Any] = [patch for patch in axes.patches if isinstance(patch, StepPatch)]
    counts = {patch.get_label(): patch.get_data().values.tolist() for patch in outlines}
    assert counts == {
        "spiral (3)": [0, 2, 0, 1, 0, 0],
        "elliptical (1)": [0, 0, 0, 0, 0, 1],
        "uncertain (1)": [1, 0, 0, 0, 0, 0],
    }
    legend = axes.get_legend()
    assert legend is not None
    assert "without redshift, not drawn (1)" in [text.get_text() for text in legend.get_texts()]
    np.testing.assert_allclose(outlines[0].get_data().edges, np.arange(7) * 0.02)


def test_a_blueshift_is_drawn_below_zero() -> None:
    galaxies = pd.DataFrame({"class": ["spiral", "spiral"], "redshift": [-0.001, 0.01]})
    axes = redshift_histogram(galaxies, 0.02).axes[0]
    assert axes.get_xlim() == pytest.approx((-0.02, 0.02))


def test_throughput_has_the_five_filters_in_order() -> None:
    axes = throughput().axes[0]
    annotations: list[Any] = list(axes.texts)
    labels = sorted(annotations, key=lambda text: text.xy[0])
    assert [text.get_text() for text in labels] == list("ugriz")
    peaks = [float(np.max(np.asarray(line.get_ydata()))) for line in axes.get_lines()]
    assert len(peaks) == 5
    assert max(peaks) == peaks[2]
    assert axes.get_ylim()[1] > max(peaks)
