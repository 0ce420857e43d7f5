"""The throughput curves of the SDSS filters."""

from __future__ import annotations

from matplotlib.figure import Figure
from speclite import filters as speclite_filters

from galmorph.report import thesis
from galmorph.report.figures import style
from galmorph.report.language import say


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
