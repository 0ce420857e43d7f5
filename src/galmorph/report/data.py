"""Tables of what went in: the conditions, the classes of the sample, the filters, a row of the catalogue."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd
from speclite import filters as speclite_filters

from galmorph.report import thesis
from galmorph.report.language import listed, say
from galmorph.report.names import class_name, mix_name
from galmorph.report.table import Table, number, whole
from galmorph.settings.fields import CLASS_NAMES
from galmorph.settings.study import Settings


def count_classes(galaxies: pd.DataFrame) -> pd.DataFrame:
    """Return the classes of the sample beside the thesis's.

    Parameters
    ----------
    galaxies
        galaxies.parquet; its column `class` is read.

    Returns
    -------
    pandas.DataFrame
        class, galaxies, fraction, thesis_galaxies, thesis_fraction.
    """
    total = sum(thesis.CLASS_COUNTS.values())
    rows = []
    for name in CLASS_NAMES:
        count = int((galaxies["class"] == name).sum())
        printed = thesis.CLASS_COUNTS[name]
        rows.append(
            {
                "class": name,
                "galaxies": count,
                "fraction": count / len(galaxies) if len(galaxies) else math.nan,
                "thesis_galaxies": printed,
                "thesis_fraction": printed / total,
            }
        )
    return pd.DataFrame(rows)


def filter_data() -> pd.DataFrame:
    """Return the SDSS filters: the thesis's figure 3.1, and the effective wavelength of the curves that are drawn.

    Returns
    -------
    pandas.DataFrame
        band, wavelength (mean, Angstrom), depth (magnitudes), effective_wavelength (Angstrom; of the reference
        response of Doi et al. 2010, AJ 139, 1628, at airmass 1.3, weighted as speclite does).
    """
    rows = []
    for row in thesis.FILTERS:
        curve = speclite_filters.load_filter(f"sdss2010-{row.band}")
        rows.append(
            {
                "band": row.band,
                "wavelength": row.wavelength,
                "depth": row.depth,
                "effective_wavelength": float(curve.effective_wavelength.to_value("Angstrom")),
            }
        )
    return pd.DataFrame(rows)


def table2_data(row: Mapping[str, object]) -> pd.DataFrame:
    """Return a row of Galaxy Zoo 1's Table 2, one line per column, values as the catalogue writes them."""
    return pd.DataFrame({"column": [str(key) for key in row], "value": [str(value) for value in row.values()]})


def conditions(settings: Settings) -> Table:
    """What each condition draws."""
    rows = [
        {
            "condition": name,
            "classes": ", ".join(condition.classes),
            "drawn_among": ", ".join(condition.drawn_among),
            "mix": condition.mix,
            "draw": condition.draw,
        }
        for name, condition in settings.conditions.items()
    ]
    data = pd.DataFrame(rows)
    shown = pd.DataFrame(
        {
            say("Condition"): [thesis.label(name) for name in data["condition"]],
            say("Name"): data["condition"],
            say("Classes"): [_classes(condition.classes) for condition in settings.conditions.values()],
            say("Drawn among"): [_classes(condition.drawn_among) for condition in settings.conditions.values()],
            say("Mix"): data["mix"].map(mix_name),
            say("Galaxies drawn"): data["draw"].map(whole),
        }
    )
    caption = say(
        "The conditions. A run draws so many galaxies among the classes named, as they come (natural) or as many of "
        "each (balanced), and keeps those of the condition's classes."
    )
    return Table("conditions", caption, data, shown, results=False)


def _classes(names: Sequence[str]) -> str:
    return listed(class_name(name) for name in names)


def class_counts(galaxies: pd.DataFrame) -> Table:
    """The classes of the sample beside the thesis's."""
    data = count_classes(galaxies)
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
    """The SDSS filters."""
    data = filter_data()
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
    """A row of Galaxy Zoo 1's Table 2."""
    data = table2_data(row)
    shown = data.rename(columns={"column": say("Column"), "value": say("Value")})
    caption = say("A row of the catalogue, in the form of Galaxy Zoo 1's Table 2.")
    return Table("table2_row", caption, data, shown, results=False)
