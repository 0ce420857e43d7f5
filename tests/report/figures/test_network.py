from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.patches import Polygon

from galmorph.report.figures import style
from galmorph.report.figures.network import LayerDrawing, network_diagram


def test_each_layer_has_a_block_and_its_shape(layers: list[LayerDrawing]) -> None:
    axes = network_diagram(layers).axes[0]
    assert len([patch for patch in axes.patches if isinstance(patch, Polygon)]) == 3 * len(layers)
    texts = [text.get_text() for text in axes.texts]
    for shape in ("64 × 64 × 1", "29 × 29 × 64", "6 × 6 × 128", "4608", "3"):
        assert shape in texts
    assert texts.count("1024") == 2
    assert texts.count("convolution") == 3
    assert texts.count("3 × 3,\nReLU") == 2


def test_blocks_stand_side_by_side_and_shrink_with_their_maps(layers: list[LayerDrawing]) -> None:
    axes = network_diagram(layers).axes[0]
    patches: list[Any] = list(axes.patches)
    blocks = [patches[i : i + 3] for i in range(0, len(patches), 3)]
    left = [min(patch.get_xy()[:, 0].min() for patch in block) for block in blocks]
    right = [max(patch.get_xy()[:, 0].max() for patch in block) for block in blocks]
    assert all(a < b for a, b in zip(right[:-1], left[1:], strict=True))
    height = [block[2].get_xy()[:, 1].max() - block[2].get_xy()[:, 1].min() for block in blocks[:7]]
    assert height == sorted(height, reverse=True)


def test_a_figure_is_saved_the_same_whatever_the_users_style(layers: list[LayerDrawing], tmp_path: Path) -> None:
    odd_style: dict[str, object] = {"font.size": 30.0, "font.weight": "bold", "savefig.facecolor": "red"}
    for name, changes in (("plain", {}), ("odd", odd_style)):
        with matplotlib.rc_context(changes):
            (tmp_path / name).mkdir()
            style.save(network_diagram(layers), tmp_path / name, "network", 60, "A note.")
    for ending in ("png", "svg"):
        plain, odd = ((tmp_path / name / f"network.{ending}").read_bytes() for name in ("plain", "odd"))
        assert plain == odd
