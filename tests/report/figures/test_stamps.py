from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch, Rectangle
from numpy.typing import NDArray

from galmorph.report.figures.stamps import (
    Schematic,
    block_mean,
    border,
    contact_sheet,
    cutout_schematic,
    example_rows,
    show_stamp,
    stamp_corner,
    stretch,
)
from galmorph.stamps.pixels import cut, nearest_pixel


def test_the_box_lies_around_the_galaxy_and_is_joined_to_the_stamp(schematic: Schematic) -> None:
    figure = cutout_schematic(schematic)
    left, right = figure.axes
    picture: Any = right.images[0].get_array()
    (box,) = [patch for patch in left.patches if isinstance(patch, Rectangle)]
    centre = np.add(box.get_xy(), (box.get_width() / 2, box.get_height() / 2))
    np.testing.assert_allclose(centre, (schematic.x, schematic.y))
    assert (box.get_width(), box.get_height()) == (64, 64)
    assert left.get_xlim() == (-0.5, 511.5)
    assert picture.shape == (64, 64)
    lines = [artist for artist in figure.artists if isinstance(artist, ConnectionPatch)]
    assert [line.xy2 for line in lines] == [(-0.5, 63.5), (-0.5, -0.5)]


@pytest.mark.parametrize(("name", "above"), [("a.jpg", True), ("a.PNG", True), ("a.fits", False), ("a.npy", False)])
def test_a_stamp_is_drawn_as_its_file_shows_it(name: str, above: bool) -> None:
    """Row 0 is the top of a picture and the bottom of a FITS image; the other way up a spiral winds the other way."""
    stamp = np.random.default_rng(1).normal(0, 1, (32, 32)).astype(np.float32)
    stamp[2:8, 2:8] += 100
    figure = Figure(figsize=(1, 1), dpi=64)
    axes = figure.add_axes((0, 0, 1, 1))
    show_stamp(axes, stamp, name)
    axes.set_axis_off()
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    drawn = np.asarray(canvas.buffer_rgba())[..., 0].astype(float)
    top, bottom = drawn[4:16, 4:16].mean(), drawn[-16:-4, 4:16].mean()
    assert (top > bottom + 100) == above
    assert (bottom > top + 100) != above


def test_stretch_is_monotonous_bounded_and_knows_the_sky() -> None:
    rng = np.random.default_rng(3)
    image = rng.normal(1000, 5, (80, 80))
    image[40, 40] = 9000
    shown = stretch(image)
    assert shown.min() >= 0
    assert shown.max() == 1
    order = np.argsort(image, axis=None)
    assert (np.diff(shown.ravel()[order]) >= 0).all()
    np.testing.assert_allclose(shown, stretch(10 * image - 500), atol=1e-12)


def test_a_flat_image_is_drawn_without_a_division_by_zero() -> None:
    assert np.isfinite(stretch(np.ones((8, 8)))).all()


def test_the_background_alone_sets_the_noise(images: NDArray[np.float32]) -> None:
    ring = border(images[0], 5)
    assert ring.shape == (64 * 64 - 54 * 54,)
    assert not np.array_equal(stretch(images[0], ring), stretch(images[0]))


@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 5))
def test_block_mean_keeps_the_mean_of_whole_blocks(ny: int, nx: int, factor: int) -> None:
    image = np.arange(ny * factor * nx * factor, dtype=float).reshape(ny * factor, nx * factor)
    ragged = np.pad(image, ((0, factor - 1), (0, factor - 1)), constant_values=1e9)
    for given_image in (image, ragged):
        means = block_mean(given_image, factor)
        assert means.shape == (ny, nx)
        assert means.mean() == pytest.approx(image.mean())


def test_examples_are_of_their_class_and_spaced_through_the_sample(galaxies: pd.DataFrame) -> None:
    rows = example_rows(galaxies, 4)
    for name, chosen in rows.items():
        of_class = np.flatnonzero(galaxies["class"] == name)
        assert len(chosen) == 4
        assert (chosen[0], chosen[-1]) == (of_class[0], of_class[-1])
        assert set(galaxies["class"].iloc[chosen]) == {name}
        assert (np.diff(chosen) > 0).all()
    assert "uncertain" not in example_rows(galaxies[galaxies["class"] != "uncertain"], 4)


def test_a_sheet_shows_fewer_where_a_class_has_fewer(images: NDArray[np.float32]) -> None:
    galaxies = pd.DataFrame({"class": ["spiral"] * 5 + ["elliptical"], "redshift": [0.05, np.nan, 0.1, 0.1, 0.1, 0.2]})
    galaxies["frame"] = "a.fits"
    figure = contact_sheet(images[:6], galaxies, 3)
    assert sum(len(axes.images) for axes in figure.axes) == 3 + 1
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert texts.count("z = 0.050") == 1
    assert "z = 0.200" in texts
    assert {"spiral", "elliptical"} <= set(texts)


def test_many_examples_go_on_several_lines(images: NDArray[np.float32], galaxies: pd.DataFrame) -> None:
    spirals = galaxies[galaxies["class"] == "spiral"].reset_index(drop=True)
    figure = contact_sheet(images[: len(spirals)], spirals, 20)
    assert len(figure.axes) == 24
    assert sum(len(axes.images) for axes in figure.axes) == 20


@given(st.floats(40, 60), st.floats(40, 60))
def test_the_box_holds_the_pixels_that_are_cut(x: float, y: float) -> None:
    rows, columns = np.mgrid[:100, :100]
    for expected, grid in zip(stamp_corner(x, y, 16), (columns, rows), strict=True):
        stamp = cut(grid.astype(np.float32), nearest_pixel(x), nearest_pixel(y), 16)
        assert stamp is not None
        assert stamp.min() - 0.5 == expected
