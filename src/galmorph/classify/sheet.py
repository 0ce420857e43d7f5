"""A contact sheet of classified galaxies: each class, from those that the networks are surest of to the others."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from galmorph.report.figures import style
from galmorph.report.figures.stamps import show_stamp
from galmorph.sources.pictures import ENDINGS

COLUMNS = 8
_SIDE, _NAME = 0.82, 0.14  # inches: of a stamp, and of the line above it
_LONGEST_NAME = 20
_ENDING = "|".join(rf"{re.escape(ending)}$" for ending in ENDINGS)


@dataclass(frozen=True)
class SheetRow:
    """A row of stamps: the class that was predicted, a caption, and the rows of the table shown."""

    predicted: str
    caption: str
    rows: list[int]


def select_rows(galaxies: pd.DataFrame, classes: tuple[str, ...]) -> list[SheetRow]:
    """Select the galaxies of a sheet.

    Of each class all, from the highest mean probability down; where they would fill more than three rows: the
    surest, some evenly from all between, and the least sure.

    Parameters
    ----------
    galaxies
        predicted, and p_CLASS for each class; the index names the rows.
    classes
        The networks' classes.
    """
    lines = []
    for name in classes:
        of_class = galaxies[galaxies["predicted"] == name]
        rows = of_class.sort_values(f"p_{name}", ascending=False, kind="stable").index.to_numpy()
        if len(rows) <= 3 * COLUMNS:
            pieces = [rows[start : start + COLUMNS] for start in range(0, len(rows), COLUMNS)]
            captions = [f"all {len(rows):,}" if len(rows) > 1 else "the only one", "", ""]
        else:
            between = rows[COLUMNS:-COLUMNS]
            places = np.linspace(0, len(between) - 1, COLUMNS).round().astype(int)
            pieces = [rows[:COLUMNS], between[places], rows[-COLUMNS:]]
            captions = ["surest", f"of {len(rows):,}", "least sure"]
        lines += [SheetRow(name, caption, piece.tolist()) for caption, piece in zip(captions, pieces, strict=False)]
    return lines


@style.house()
def contact_sheet(
    lines: list[SheetRow], galaxies: pd.DataFrame, images: Mapping[int, NDArray[np.float32]], title: str
) -> Figure:
    """Draw the sheet.

    Parameters
    ----------
    lines
        Those of `select_rows`.
    galaxies
        name, frame, class (empty where unknown), predicted, p_CLASS, std_CLASS and doubts; indexed by row.
    images
        For each row shown, (size, size) float32, DN, (y, x).
    title
        Above the sheet.
    """
    figure = style.new_figure(COLUMNS * _SIDE + 0.45, len(lines) * (_SIDE + _NAME) + 0.4, gap=0.015)
    figure.suptitle(title, fontsize=10, parse_math=False)
    described: dict[Any, Any] = galaxies.to_dict("index")
    grid = figure.subplots(len(lines), COLUMNS, squeeze=False)
    for line, cells in zip(lines, grid, strict=True):
        for axes in cells[len(line.rows) :]:
            axes.set_axis_off()
        for row, axes in zip(line.rows, cells, strict=False):
            _stamp(axes, images[row], described[row])
        text = f"{line.predicted}\n{line.caption}".rstrip()
        cells[0].set_ylabel(text, fontsize=8.5, color=style.CLASS_COLOURS[line.predicted], labelpad=3)
    return figure


def _stamp(axes: Axes, image: NDArray[np.float32], galaxy: Mapping[str, Any]) -> None:
    """Draw one galaxy: dotted if it is doubtful, with its label if that is not the predicted class."""
    show_stamp(axes, image, galaxy["frame"])
    axes.set_xticks([])
    axes.set_yticks([])
    predicted, label = galaxy["predicted"], galaxy["class"]
    for spine in axes.spines.values():
        spine.set_edgecolor(style.CLASS_COLOURS[predicted])
        spine.set_linewidth(1.2)
        spine.set_linestyle(":" if galaxy["doubts"] else "-")
    name = re.sub(_ENDING, "", galaxy["name"], flags=re.IGNORECASE)
    name = name if len(name) <= _LONGEST_NAME else f"…{name[1 - _LONGEST_NAME :]}"
    axes.set_title(name, fontsize=5.5, pad=1.5, color=style.MUTED, parse_math=False)
    p, std = galaxy[f"p_{predicted}"], galaxy[f"std_{predicted}"]
    spread = "" if math.isnan(std) else f" ± {std:.2f}"
    box = {"facecolor": "black", "alpha": 0.45, "linewidth": 0, "pad": 1.0}
    write = functools.partial(axes.text, transform=axes.transAxes, color="white", bbox=box)
    write(0.05, 0.05, f"{p:.2f}{spread}", fontsize=6.5)
    if label not in ("", predicted):
        write(0.95, 0.95, f"labelled {label}", fontsize=6, ha="right", va="top")
