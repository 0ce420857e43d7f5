"""The throughput of the SDSS filters, and the redshifts of the sample."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from speclite import filters as speclite_filters

from galmorph.report import thesis
from galmorph.report.figures import style
from galmorph.report.language import class_name, say
from galmorph.settings.fields import CLASS_NAMES


@style.house()
def throughput() -> Figure:
    """Draw the response of u, g, r, i and z against wavelength.

    The reference response of Doi et al. (2010, AJ 139, 1628): telescope, filter, detector and 1.3 airmasses of
    atmosphere, as the package speclite ships it (sdss2010).
    """
    figure = style.new_figure(4.4, 3.1)
    axes = figure.add_subplot()
    for row in thesis.FILTERS:
        curve = speclite_filters.load_filter(f"sdss2010-{row.band}")
        wavelength, colour = curve.wavelength, style.BAND_COLOURS[row.band]
        axes.plot(wavelength, curve.response, color=colour)
        axes.fill_between(wavelength, curve.response, color=colour, alpha=0.15, linewidth=0)
        centre = float(curve.effective_wavelength.to_value("Angstrom"))
        axes.annotate(
            row.band,
            (centre, curve.response.max()),
            xytext=(0, 5),
            textcoords="offset points",
            ha="center",
            color=colour,
            fontsize=13,
            style="italic",
        )
    axes.set_xlabel(say("wavelength (Å)"))
    axes.set_ylabel(say("throughput, at airmass 1.3"))
    axes.set_xlim(2800, 11200)
    axes.set_ylim(0, 0.58)
    return figure


@style.house()
def redshift_histogram(galaxies: pd.DataFrame, bin_width: float) -> Figure:
    """Draw the number of galaxies per redshift bin, by class.

    Parameters
    ----------
    galaxies
        galaxies.parquet; the columns `class` and `redshift` are read. A galaxy whose redshift is not finite is
        counted in the corner of the figure.
    bin_width
        In redshift; the bins start at a multiple of it, 0 or below.
    """
    known = galaxies[np.isfinite(galaxies["redshift"].to_numpy(dtype=float, na_value=np.nan))]
    redshift = known["redshift"].to_numpy(dtype=float)
    first = min(int(np.floor(redshift.min() / bin_width)), 0)
    last = max(int(np.floor(redshift.max() / bin_width)) + 1, first + 1)
    edges = np.arange(first, last + 1) * bin_width
    # Bins by whole division, so that a redshift on an edge falls to the right of it whatever the rounding of edges.
    places = np.floor(redshift / bin_width).astype(int) - first
    figure = style.new_figure(4.4, 3.5)
    axes = figure.add_subplot()
    for name in CLASS_NAMES:
        chosen = places[(known["class"] == name).to_numpy()]
        if not len(chosen):
            continue
        counts = np.bincount(chosen, minlength=last - first)
        colour, line = style.CLASS_COLOURS[name], style.CLASS_LINES[name]
        label = f"{class_name(name)} ({len(chosen):,})"
        axes.stairs(counts, edges, label=label, linewidth=1.5, zorder=3, color=colour, linestyle=line)
    without = len(galaxies) - len(known)
    if without:
        axes.plot([], [], " ", label=say("without redshift, not drawn ({count:,})", count=without))
    axes.set_xlabel(say("redshift z"))
    axes.set_ylabel(say("galaxies per bin of {width:g} in z", width=bin_width))
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=2, handlelength=2.2, columnspacing=1.4)
    return figure
