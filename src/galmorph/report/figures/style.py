"""The house style of the figures, and how they are saved: the same bytes for the same numbers.

Figures are made without pyplot, so that no window system and no global list of open figures is involved.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from galmorph.errors import GalmorphError
from galmorph.files.atomic import atomic_file
from galmorph.report.language import current

# Widths in inches that suit a printed A4 thesis: half and full text width.
HALF, FULL = 4.0, 6.8

# From Paul Tol's muted scheme, told apart by colour-blind readers; curves also differ in their line style.
CLASS_COLOURS = {"spiral": "#332288", "elliptical": "#CC6677", "uncertain": "#999933"}
CLASS_LINES = {"spiral": "-", "elliptical": "--", "uncertain": ":"}
TRAINING_COLOUR, TEST_COLOUR = "#D98C1F", "#1F5FA8"
BAND_COLOURS = {"u": "#332288", "g": "#117733", "r": "#CC6677", "i": "#882255", "z": "#555555"}
INK, MUTED, PALE = "#222222", "#666666", "#D5D5D5"

CROPPED: dict[str, Any] = {"bbox_inches": "tight", "pad_inches": 0.06}
NOTE = "note"  # the id of a figure's note in its SVG
# No version and no date, so that the bytes depend on the numbers alone.
NO_VERSION = {"Software": None}
_STYLE = {
    "font.family": "STIXGeneral",
    "mathtext.fontset": "stix",
    "font.size": 10.0,
    "axes.titlesize": 10.5,
    "axes.labelsize": 10.0,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.7,
    "axes.unicode_minus": True,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 9.0,
    "ytick.labelsize": 9.0,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "legend.fontsize": 9.0,
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.hashsalt": "galmorph",
    "svg.fonttype": "path",
}


@functools.cache
def _japanese() -> tuple[str, ...]:
    """Make the font of Japanese text known to matplotlib; return it, and the one for signs that it lacks.

    Both are sans serif. The package that ships the font is not imported, because that changes the font of every figure
    of the process.
    """
    path = Path(str(metadata.distribution("matplotlib-fontja").locate_file("matplotlib_fontja/fonts/ipaexg.ttf")))
    font_manager.fontManager.addfont(path)
    return font_manager.get_font(path).family_name, "DejaVu Sans"


@contextmanager
def house() -> Iterator[None]:
    """Use the house style, whatever the user's matplotlibrc says; also a decorator."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        if current() == "ja":
            matplotlib.rcParams["font.family"] = list(_japanese())
        yield


def new_figure(width: float, height: float, gap: float | None = None) -> Figure:
    """Return an empty figure whose parts make room for one another; sizes and the gap between parts in inches."""
    engine = (
        ConstrainedLayoutEngine() if gap is None else ConstrainedLayoutEngine(w_pad=gap, h_pad=gap, wspace=0, hspace=0)
    )
    return Figure(figsize=(width, height), layout=engine)


@house()
def save(figure: Figure, folder: Path, name: str, dpi: int, note: str | None = None) -> None:
    """Write NAME.png and NAME.svg, cropped to what is drawn.

    Parameters
    ----------
    figure
        The figure.
    folder
        Where; it exists.
    name
        The file name without its ending.
    dpi
        Resolution of the PNG, and of pictures inside the SVG.
    note
        One line printed under the figure, where one is due.
    """
    if note:
        figure.text(
            0.5, -0.015, note, ha="center", va="top", fontsize=7.5, style="italic", color=MUTED, wrap=True, gid=NOTE
        )
    no_date = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(folder / f"{name}.png", dpi=dpi, metadata=NO_VERSION, **CROPPED)
    figure.savefig(folder / f"{name}.svg", dpi=dpi, metadata=no_date, **CROPPED)


@house()
def save_png(figure: Figure, path: Path, dpi: int = 200) -> None:
    """Write a figure, cropped to what is drawn; the same bytes for the same numbers.

    Raises
    ------
    GalmorphError
        If the name is that of another kind of file, or the file cannot be written.
    """
    if path.suffix.lower() != ".png":
        raise GalmorphError(f"{path}: the picture is a PNG; give it a name that ends in .png")
    with atomic_file(path) as partial:
        figure.savefig(partial, dpi=dpi, metadata=NO_VERSION, **CROPPED)


def separate_cells(axes: Axes, rows: int, columns: int) -> None:
    """Draw white lines between the cells of a matrix that `imshow` shows, and no ticks."""
    axes.set_xticks(np.arange(columns - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(rows - 1) + 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.2)
    axes.tick_params(which="both", length=0)
