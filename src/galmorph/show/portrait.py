"""A galaxy in a picture: where it lies in its frame, its stamp, its votes and the networks' predictions."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from numpy.typing import NDArray

from galmorph.report.figures import style
from galmorph.report.figures.stamps import show_frame, show_stamp
from galmorph.show.dossier import Dossier

_MARK = "#FFB000"
_LINE = 0.2  # inches of a bar
_LEAST_BARS = 3  # for which there is room, so that a single one is no block


@style.house()
def portrait(dossier: Dossier, frame: NDArray[np.float32] | None) -> Figure:
    """Draw a galaxy that has a stamp.

    Parameters
    ----------
    dossier
        What is known of it.
    frame
        (ny, nx) float32, DN, (y, x): the frame that it was cut from; None if it is not there.
    """
    assert dossier.stamp is not None
    sizes = (3.0, 0.6 + _LINE * max(len(dossier.votes), len(dossier.predictions), _LEAST_BARS))
    figure = style.new_figure(style.FULL, sum(sizes))
    figure.suptitle(_title(dossier), fontsize=10.5, parse_math=False)
    above, below = figure.subfigures(2, 1, height_ratios=sizes, squeeze=False)[:, 0]
    if frame is None:
        _draw_stamp(above.subplots(), dossier)
    else:
        left, right = above.subplots(1, 2, width_ratios=(frame.shape[1] / frame.shape[0], 1.0))
        _draw_frame(left, frame, dossier)
        _draw_stamp(right, dossier)
    left, right = below.subplots(1, 2, width_ratios=(1.0, 1.3))
    _draw_votes(left, dossier)
    _draw_predictions(right, dossier)
    return figure


def _title(dossier: Dossier) -> str:
    redshift = dossier.facts.get("redshift")
    known = isinstance(redshift, float) and np.isfinite(redshift)
    return f"{dossier.objid}: {dossier.facts['class']}" + (f", z = {redshift:.3f}" if known else "")


def _draw_frame(axes: Axes, frame: NDArray[np.float32], dossier: Dossier) -> None:
    assert dossier.stamp is not None
    show_frame(axes, frame, dossier.facts["x"], dossier.facts["y"], dossier.stamp.shape[0])
    axes.set_title(str(dossier.facts["frame"]), fontsize=8.5, parse_math=False)
    axes.tick_params(direction="out", top=False, right=False, labelsize=7.5)


def _draw_stamp(axes: Axes, dossier: Dossier) -> None:
    stamp = dossier.stamp
    assert stamp is not None
    show_stamp(axes, stamp, str(dossier.facts["frame"]))
    for spine in axes.spines.values():
        spine.set_edgecolor(_MARK)
        spine.set_linewidth(1.6)
    axes.set_title(f"stamp, {stamp.shape[1]} × {stamp.shape[0]} pixels", fontsize=8.5)
    axes.tick_params(direction="out", top=False, right=False, labelsize=7.5)


def _draw_votes(axes: Axes, dossier: Dossier) -> None:
    if not dossier.votes:
        axes.set_axis_off()
        return
    axes.barh(range(len(dossier.votes)), list(dossier.votes.values()), height=0.7, color=style.MUTED)
    _finish(axes, list(dossier.votes), f"share of the {dossier.facts['nvote']} votes")


def _draw_predictions(axes: Axes, dossier: Dossier) -> None:
    """Draw the mean probabilities of each condition as one bar, end to end."""
    if not dossier.predictions:
        axes.set_axis_off()
        axes.text(0.5, 0.5, "no confirmed run\nhad it in its test part", ha="center", va="center", color=style.MUTED)
        return
    drawn: dict[str, BarContainer] = {}
    for place, condition in enumerate(dossier.predictions):
        left = 0.0
        for name, mean in condition.means.items():
            drawn[name] = axes.barh(place, mean, left=left, height=0.7, color=style.CLASS_COLOURS[name])
            left += mean
    labels = [
        f"{condition.name}, {condition.right} of {len(condition.runs)} right" for condition in dossier.predictions
    ]
    _finish(axes, labels, "mean probability over the runs that tested it")
    handles, names = list(drawn.values()), list(drawn)
    axes.legend(handles, names, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, fontsize=8)


def _finish(axes: Axes, labels: list[str], title: str) -> None:
    axes.set_yticks(range(len(labels)), labels, fontsize=8)
    axes.set_ylim(max(len(labels), _LEAST_BARS) - 0.4, -0.6)
    axes.set_xlim(0, 1)
    axes.set_xlabel(title, fontsize=8.5)
    axes.tick_params(axis="x", labelsize=7.5)
    axes.tick_params(axis="y", length=0)
