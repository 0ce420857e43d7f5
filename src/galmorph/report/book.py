"""Writes each table and figure of the report as it is made, with the note that a simulated survey is due."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from galmorph.report import page, writers
from galmorph.report.figures import style
from galmorph.report.language import say
from galmorph.report.page import Picture
from galmorph.report.table import Table
from galmorph.settings import Settings


class Book:
    """The folders of tables and figures, which exist.

    Parameters
    ----------
    settings
        Of the study: the resolution of figures, and whether the survey is simulated.
    folder
        It holds the folders tables and figures.
    """

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.figures = folder / "figures"
        self._tables = folder / "tables"
        self._dpi = settings.report.png_dpi
        self._simulated = settings.survey.source == "simulated"

    def table(self, table: Table) -> Table:
        """Write a table and return it."""
        writers.write_table(table, self._tables, [say(page.SIMULATED)] if self._simulated and table.results else [])
        return table

    def picture(self, figure: Figure, picture: Picture) -> Picture:
        """Write a figure under the picture's name and return the picture."""
        note = say(page.SIMULATED_SHORT) if self._simulated and picture.results else None
        style.save(figure, self.figures, picture.name, self._dpi, note)
        return picture
