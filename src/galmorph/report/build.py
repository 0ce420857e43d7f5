"""Everything the report leaves on disk, from the results of the declared conditions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from galmorph.errors import GalmorphError
from galmorph.report import comparisons, conditions, data, doubt, hardest, page, plots, series, thesis
from galmorph.report.answers import short_answers
from galmorph.report.figures.network import LayerDrawing, network_diagram
from galmorph.report.figures.stamps import Schematic
from galmorph.report.findings import findings
from galmorph.report.language import in_language, say
from galmorph.report.page import Book, Picture, Section
from galmorph.report.resolution import chapter
from galmorph.report.resolution.chapter import Examples
from galmorph.report.resolution.findings import finding
from galmorph.report.study import Study


def build(
    study: Study,
    galaxies: pd.DataFrame,
    images: NDArray[np.float32],
    *,
    schematic: Schematic | None,
    table2_row: Mapping[str, object] | None,
    layers: Sequence[LayerDrawing],
    resolution_examples: Examples | None,
    provenance: Mapping[str, str],
    folder: Path,
) -> None:
    """Write all files of the report; the same bytes for the same arguments.

    Parameters
    ----------
    study
        Settings, records and results of the declared conditions.
    galaxies
        galaxies.parquet.
    images
        (n, size, size) float32, DN, (y, x): row i is the stamp of row i of `galaxies`; a memory map will do.
    schematic
        A galaxy in its frame; None where the survey has no frames: the page says that the figure is left out.
    table2_row
        A row of Table 2, column to value; None where there is no such catalogue: the page says that it is left out.
    layers
        The built network, from its input to its output.
    resolution_examples
        Stamps of a few galaxies at every level, their classes and files; None: they are not shown.
    provenance
        Name to value: the md5 of the data, the package's version. Printed as given; no dates, no host names.
    folder
        Made if it is missing.

    Raises
    ------
    GalmorphError
        If images and galaxies differ in number.
    """
    settings = study.settings
    if len(images) != len(galaxies):
        raise GalmorphError(
            f"{len(images)} images, but {len(galaxies)} rows in galaxies.parquet: run dvc repro cutouts"
        )
    with in_language(settings.report.language):
        book = Book(settings, folder)
        compared = comparisons.compare(study)
        chapters = [
            *series.sections(book, study),
            *conditions.sections(book, study),
            doubt.section(book, study, galaxies),
            chapter.section(book, study, resolution_examples),
            hardest.section(book, study.records, galaxies, images),
            data.section(book, settings.report, galaxies, images, schematic, table2_row),
            _network(book, layers),
            _every_number(book, study),
        ]
        # Not with the other tables, which DVC keeps: this one is in git, as metrics/ are.
        (folder / "tables" / "summary.csv").replace(folder / "summary.csv")
        found = findings(study, compared)
        book.tables(*(finding.table for finding in found if finding.table), comparisons.comparisons_table(compared))
        if study.resolution and (crossed := finding(study.resolution)):
            found.append(crossed)
        (folder / "answers.txt").write_text(short_answers(found), encoding="utf-8", newline="\n")
        plots.write(study.results, folder)
        html = page.render(
            settings=settings,
            galaxies=len(galaxies),
            found=found,
            sections=[section for section in chapters if section is not None],
            provenance=provenance,
            figures=book.figures,
        )
        (folder / "report.html").write_text(html, encoding="utf-8", newline="\n")


def _network(book: Book, layers: Sequence[LayerDrawing]) -> Section:
    """The network as built."""
    caption = say(
        "The network as built for {classes} classes; under each block the shape of the layer's output. Blocks are not "
        "to scale.",
        classes=layers[-1].output_shape[-1],
    )
    picture = Picture("network", caption, thesis.counterpart("network"))
    return Section("network", say("The network"), pictures=(book.picture(network_diagram(layers), picture),))


def _every_number(book: Book, study: Study) -> Section:
    text = say(
        "TSS is the True Skill Statistic, TP / (TP + FN) − FP / (TN + FP); with K classes, the mean recall adjusted "
        "for chance, (mean recall − 1/K) / (1 − 1/K), which for two is the same."
    )
    table = book.tables(conditions.summary(study))
    return Section("every-number", say("Every number"), paragraphs=(text,), tables=table)
