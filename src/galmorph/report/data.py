"""The chapter on the data: classes of the sample, redshifts, filters, examples, a cutout, a row of the catalogue."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from speclite import filters as speclite_filters

from galmorph.report import thesis
from galmorph.report.figures.sky import redshift_histogram, throughput
from galmorph.report.figures.stamps import Schematic, contact_sheet, cutout_schematic
from galmorph.report.language import class_name, say
from galmorph.report.page import Book, Picture, Section
from galmorph.report.table import Table, number, whole
from galmorph.settings.fields import CLASS_NAMES
from galmorph.settings.study import ReportSettings


def section(
    book: Book,
    settings: ReportSettings,
    galaxies: pd.DataFrame,
    images: NDArray[np.float32],
    schematic: Schematic | None,
    row: Mapping[str, object] | None,
) -> Section:
    """Write the tables and figures of the sample; the page says which are left out, and why.

    Parameters
    ----------
    book
        Where they are written.
    settings
        Width of the redshift bins, number of examples.
    galaxies, images
        galaxies.parquet, and the stamp of each row, (n, size, size) float32, DN, (y, x).
    schematic
        A galaxy in its frame; None where the survey has no frames.
    row
        A row of Table 2; None where there is no such catalogue.
    """
    absent, pictures = [], []
    tables = [class_counts(galaxies), filters()]
    if row is None:
        absent.append(say("The row of Table 2 is left out: this survey has no catalogue of that form."))
    else:
        tables.append(table2_row(row))
    if schematic is None:
        absent.append(say("The figure of how a cutout is made is left out: this survey has no frames."))
    else:
        height, width = schematic.stamp.shape
        caption = say(
            "How a cutout is made: the frame {frame} and the {height} × {width} pixels around a galaxy at x = {x:.1f}, "
            "y = {y:.1f}. Brightness by asinh, for the eye only.",
            frame=schematic.name,
            height=height,
            width=width,
            x=schematic.x,
            y=schematic.y,
        )
        picture = Picture("cutout", caption, say("the schematic figure of a cutout"))
        pictures.append(book.picture(cutout_schematic(schematic), picture))
    known = int(np.isfinite(galaxies["redshift"].to_numpy(dtype=float, na_value=np.nan)).sum())
    if not known:
        absent.append(say("The redshift histogram is left out: no galaxy of the sample has a redshift."))
    else:
        caption = say(
            "Galaxies per redshift bin of {width:g}, by class: {known:,} of {galaxies:,} galaxies; {unknown:,} have no "
            "redshift.",
            width=settings.redshift_bin,
            known=known,
            galaxies=len(galaxies),
            unknown=len(galaxies) - known,
        )
        picture = Picture("redshifts", caption, thesis.counterpart("redshifts"))
        pictures.append(book.picture(redshift_histogram(galaxies, settings.redshift_bin), picture))
    caption = say(
        "Throughput of the five SDSS filters, through 1.3 airmasses of atmosphere (Doi et al. 2010, as shipped with "
        "speclite)."
    )
    pictures.append(book.picture(throughput(), Picture("throughput", caption, thesis.counterpart("throughput"))))
    caption = say(
        "Example stamps of each class, evenly spaced through the sample. Brightness by asinh, each stamp by its own "
        "noise, for the eye only."
    )
    sheet = contact_sheet(images, galaxies, settings.examples)
    pictures.append(book.picture(sheet, Picture("examples", caption)))
    return Section("data", say("The data"), tuple(absent), book.tables(*tables), tuple(pictures))


def class_counts(galaxies: pd.DataFrame) -> Table:
    """The classes of the sample beside the thesis's.

    Parameters
    ----------
    galaxies
        galaxies.parquet; its column `class` is read.
    """
    data = pd.DataFrame(
        {
            "class": name,
            "galaxies": int((galaxies["class"] == name).sum()),
            "thesis_galaxies": thesis.CLASS_COUNTS[name],
        }
        for name in CLASS_NAMES
    )
    data.insert(2, "fraction", data["galaxies"] / len(galaxies) if len(galaxies) else math.nan)
    data["thesis_fraction"] = data["thesis_galaxies"] / data["thesis_galaxies"].sum()
    shown = pd.DataFrame(
        {
            say("Class"): data["class"].map(class_name),
            say("Galaxies"): data["galaxies"].map(whole),
            say("Fraction"): data["fraction"].map(number),
            say("Thesis"): data["thesis_galaxies"].map(whole),
            say("Thesis, fraction"): data["thesis_fraction"].map(number),
        }
    )
    caption = say("Classes of the {galaxies:,} galaxies of the sample, and of the thesis's.", galaxies=len(galaxies))
    return Table("class_counts", caption, data, shown, results=False)


def filters() -> Table:
    """The SDSS filters: the thesis's figure 3.1, and the effective wavelength of the curves that are drawn.

    Wavelengths in Angstrom, depth in magnitudes. The effective wavelength is of the reference response of Doi et al.
    (2010, AJ 139, 1628) at airmass 1.3, weighted as speclite does.
    """
    curves = [speclite_filters.load_filter(f"sdss2010-{row.band}") for row in thesis.FILTERS]
    data = pd.DataFrame(thesis.FILTERS)
    data["effective_wavelength"] = [float(curve.effective_wavelength.to_value("Angstrom")) for curve in curves]
    shown = pd.DataFrame(
        {
            say("Filter"): data["band"],
            say("Mean wavelength (Å)"): data["wavelength"].map(whole),
            say("Depth (mag)"): data["depth"].map(lambda value: number(value, 1)),
            say("Effective wavelength of the curve drawn (Å)"): data["effective_wavelength"].map(whole),
        }
    )
    caption = say(
        "The five SDSS filters. Mean wavelength and depth as the thesis prints them; the last column is computed from "
        "the throughput curves shown here."
    )
    return Table("filters", caption, data, shown, results=False)


def table2_row(row: Mapping[str, object]) -> Table:
    """A row of Galaxy Zoo 1's Table 2, one line per column, values as the catalogue writes them."""
    data = pd.DataFrame({"column": list(row), "value": [str(value) for value in row.values()]})
    shown = data.rename(columns={"column": say("Column"), "value": say("Value")})
    caption = say("A row of the catalogue, in the form of Galaxy Zoo 1's Table 2.")
    return Table("table2_row", caption, data, shown, results=False)
