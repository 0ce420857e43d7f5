"""Stamps: how one is cut out of its frame, and sheets of many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch, Rectangle
from numpy.typing import NDArray
from scipy import stats

from galmorph.report.figures import style
from galmorph.report.language import SOURCE, class_name, current, say
from galmorph.settings.fields import CLASS_NAMES
from galmorph.stamps.origin import is_picture
from galmorph.stamps.pixels import nearest_pixel

# A frame is drawn at about this many pixels a side; more would not be seen in print.
_DRAWN = 700
_COLUMNS = 6  # of the sheet of the hardest galaxies


@dataclass(frozen=True)
class Schematic:
    """A galaxy in its frame, and its stamp.

    Attributes
    ----------
    frame
        (ny, nx), DN or any linear unit, (y, x); the sky may still be in it.
    x, y
        The galaxy's 0-based pixel position in the frame.
    stamp
        (size, size) float32, DN, (y, x), sky subtracted.
    name
        The frame's name.
    """

    frame: NDArray[np.generic]
    x: float
    y: float
    stamp: NDArray[np.float32]
    name: str


def stretch(
    image: NDArray[np.generic], background: NDArray[np.generic] | None = None, top: float = 99.7
) -> NDArray[np.float64]:
    """Return an image for display: asinh of the signal over three times its noise, scaled to 0..1.

    For the eye only: flux is not kept.

    Parameters
    ----------
    image
        (ny, nx), any linear unit.
    background
        The pixels that give the sky (median) and the noise (normalised median absolute deviation), in any shape;
        None: all of the image's.
    top
        Percentile that is drawn white.
    """
    values = np.asarray(image, dtype=np.float64)
    reference = values if background is None else np.asarray(background, dtype=np.float64)
    noise = float(stats.median_abs_deviation(reference, axis=None, scale="normal")) or 1.0
    scaled = np.arcsinh((values - float(np.median(reference))) / (3 * noise))
    low, high = float(np.arcsinh(-2 / 3)), float(np.percentile(scaled, top))
    return np.clip((scaled - low) / max(high - low, 1e-6), 0, 1)


def border(stamp: NDArray[np.float32], width: int = 5) -> NDArray[np.float32]:
    """Return the pixels of a stamp within `width` of an edge, flat: the galaxy lies in the middle."""
    inside = np.zeros(stamp.shape, dtype=bool)
    inside[width:-width, width:-width] = True
    return stamp[~inside]


def show_stamp(axes: Axes, stamp: NDArray[np.float32], frame: str) -> None:
    """Show a stamp, stretched by the noise of its border, as the file named `frame` shows it: upright, not mirrored."""
    origin: Literal["upper", "lower"] = "upper" if is_picture(frame) else "lower"
    axes.imshow(stretch(stamp, border(stamp)), cmap="gray", origin=origin, vmin=0, vmax=1)


def show_frame(axes: Axes, frame: NDArray[np.generic], x: float, y: float, size: int) -> None:
    """Show a frame, with a box around the stamp of `size` pixels that is cut out at (x, y)."""
    ny, nx = frame.shape
    factor = max(1, max(ny, nx) // _DRAWN)
    drawn = block_mean(frame, factor)
    extent = (-0.5, drawn.shape[1] * factor - 0.5, -0.5, drawn.shape[0] * factor - 0.5)
    axes.imshow(stretch(drawn, top=99.8), cmap="gray", origin="lower", extent=extent, vmin=0, vmax=1)
    axes.add_patch(Rectangle(stamp_corner(x, y, size), size, size, fill=False, edgecolor="#FFB000", linewidth=1.3))
    axes.set_xlim(-0.5, nx - 0.5)
    axes.set_ylim(-0.5, ny - 0.5)


def block_mean(image: NDArray[np.generic], factor: int) -> NDArray[np.float64]:
    """Return the mean over blocks of factor x factor pixels; an incomplete block at the far edges is left out."""
    ny, nx = (side // factor for side in image.shape)
    values = np.asarray(image[: ny * factor, : nx * factor], dtype=np.float64)
    means: NDArray[np.float64] = values.reshape(ny, factor, nx, factor).mean(axis=(1, 3))
    return means


def stamp_corner(x: float, y: float, size: int) -> tuple[float, float]:
    """Return the lower left corner, in pixels, of the stamp that `stamps.pixels.cut` takes around a position."""
    return nearest_pixel(x) - size // 2 - 0.5, nearest_pixel(y) - size // 2 - 0.5


@style.house()
def cutout_schematic(schematic: Schematic) -> Figure:
    """Draw the frame with a box around the galaxy, and the stamp beside it, enlarged."""
    ny, nx = schematic.frame.shape
    size = schematic.stamp.shape[0]
    figure = style.new_figure(style.FULL, 3.2)
    left, right = figure.subplots(1, 2, width_ratios=(nx / ny, 1.0))
    show_frame(left, schematic.frame, schematic.x, schematic.y, size)
    left.set_xlabel(say("x (pixels)"))
    left.set_ylabel(say("y (pixels)"))
    left.set_title(say("frame, {width} × {height} pixels", width=nx, height=ny), fontsize=10)
    show_stamp(right, schematic.stamp, schematic.name)
    right.set_xlabel(say("x (pixels)"))
    right.set_title(say("cutout, {size} × {size} pixels", size=size), fontsize=10)
    for spine in right.spines.values():
        spine.set_edgecolor("#E09000")
        spine.set_linewidth(1.6)
    for axes in (left, right):
        axes.tick_params(direction="out", top=False, right=False)
    edge = schematic.x + size / 2
    for frame_y, stamp_y in ((schematic.y + size / 2, size - 0.5), (schematic.y - size / 2, -0.5)):
        ends = (edge, frame_y), (-0.5, stamp_y)
        line = ConnectionPatch(*ends, left.transData, right.transData, color="#E09000", linewidth=0.9)
        line.set_in_layout(False)
        figure.add_artist(line)
    return figure


def example_rows(galaxies: pd.DataFrame, per_class: int) -> dict[str, NDArray[np.int64]]:
    """Return the rows shown of each class that has any: evenly spaced through the sample, chosen by nothing else."""
    rows: dict[str, NDArray[np.int64]] = {}
    for name in CLASS_NAMES:
        of_class = np.flatnonzero((galaxies["class"] == name).to_numpy())
        if len(of_class):
            places = np.linspace(0, len(of_class) - 1, min(per_class, len(of_class)))
            rows[name] = of_class[np.round(places).astype(np.int64)].astype(np.int64)
    return rows


@style.house()
def contact_sheet(images: NDArray[np.float32], galaxies: pd.DataFrame, per_class: int) -> Figure:
    """Draw example stamps, one row of pictures per class.

    Parameters
    ----------
    images
        (n, size, size) float32, DN, (y, x); a memory map will do, only the rows shown are read.
    galaxies
        n rows: `class`, `frame`, and `redshift`, printed in the corner where it is finite.
    per_class
        Stamps per class; fewer where the class has fewer.
    """
    rows = example_rows(galaxies, per_class)
    columns = min(per_class, 8)
    lines = [
        (name, chosen[at : at + columns]) for name, chosen in rows.items() for at in range(0, len(chosen), columns)
    ]
    side = style.FULL / columns if columns > 4 else 1.4
    figure = style.new_figure(side * columns + 0.3, side * len(lines), gap=0.01)
    redshift = galaxies["redshift"].to_numpy(dtype=float, na_value=np.nan)
    grid = figure.subplots(len(lines), columns, squeeze=False)
    for (name, chosen), cells in zip(lines, grid, strict=True):
        for axes in cells:
            axes.set_axis_off()
        for row, axes in zip(chosen, cells, strict=False):
            show_stamp(axes, images[row], galaxies["frame"].iloc[row])
            if np.isfinite(redshift[row]):
                axes.text(0.04, 0.04, f"z = {redshift[row]:.3f}", transform=axes.transAxes, color="white", fontsize=7.5)
        at = {"transform": cells[0].transAxes, "ha": "right", "va": "center"}
        cells[0].text(-0.08, 0.5, class_name(name), rotation=90, fontsize=10, **at)
    return figure


@style.house()
def hardest_sheet(images: NDArray[np.float32], frames: Sequence[str], legends: Sequence[str]) -> Figure:
    """Draw stamps with some lines under each.

    Parameters
    ----------
    images
        (n, size, size) float32, DN, (y, x).
    frames
        The n files that they come from.
    legends
        n texts.
    """
    lines = -(-len(images) // _COLUMNS)
    tallest = max(legend.count("\n") + 1 for legend in legends)
    side = style.FULL / _COLUMNS
    # The digits of the sans serif of other languages are wider, and an object id has 18.
    size = 7 if current() == SOURCE else 5.8
    figure = style.new_figure(style.FULL, lines * (side + 0.125 * tallest), gap=0.015)
    cells = figure.subplots(lines, _COLUMNS, squeeze=False).ravel()
    for axes in cells:
        axes.set_axis_off()
    for axes, image, frame, legend in zip(cells, images, frames, legends, strict=False):
        show_stamp(axes, image, frame)
        axes.text(0.5, -0.04, legend, transform=axes.transAxes, ha="center", va="top", fontsize=size, linespacing=1.15)
    return figure
