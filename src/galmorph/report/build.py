"""Everything the report leaves on disk, from the results of the declared conditions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from galmorph.errors import GalmorphError
from galmorph.report import comparisons, data, hardest, page, plots, presented, thesis
from galmorph.report.figures.cutout import Schematic, cutout_schematic
from galmorph.report.figures.galaxies import contact_sheet
from galmorph.report.figures.network import LayerDrawing, network_diagram
from galmorph.report.figures.sky import redshift_histogram, throughput
from galmorph.report.findings import findings
from galmorph.report.language import say, spoken_in
from galmorph.report.page import Book, Picture, Section
from galmorph.report.resolution import chapter
from galmorph.report.resolution.chapter import Examples
from galmorph.report.resolution.results import ResolutionResults
from galmorph.report.sections import sections_of_results
from galmorph.report.study import Study, check
from galmorph.settings.study import Settings


def build(
    study: Study,
    galaxies: pd.DataFrame,
    images: NDArray[np.float32],
    *,
    schematic: Schematic | None,
    table2_row: Mapping[str, object] | None,
    layers: Sequence[LayerDrawing],
    resolution: ResolutionResults | None,
    resolution_examples: Examples | None,
    provenance: Mapping[str, str],
    folder: Path,
) -> None:
    """Write tables/, figures/, plots/, metrics.json and report.html; the same bytes for the same arguments.

    Parameters
    ----------
    study
        Settings, records and results of the declared conditions.
    galaxies
        galaxies.parquet: `class` and `redshift` are read.
    images
        (n, size, size) float32, DN, (y, x): row i is the stamp of row i of `galaxies`; a memory map will do.
    schematic
        A galaxy in its frame; None where the survey has no frames: the figure is left out, and the page says so.
    table2_row
        A row of Table 2, column to value; None where there is no such catalogue, likewise.
    layers
        The built network, from its input to its output.
    resolution
        What is trained at one spatial resolution and tested at others; None: there is no such chapter.
    resolution_examples
        Stamps of a few galaxies at every level, and their classes; None: they are not shown.
    provenance
        Name to value: the md5 of the data, the package's version. Printed as given; no dates, no host names.
    folder
        Made if it is missing.

    Raises
    ------
    GalmorphError
        If the results are not those of the declared conditions or not of these records, or images and galaxies differ
        in number.
    """
    check(study)
    settings = study.settings
    if len(images) != len(galaxies):
        raise GalmorphError(
            f"{len(images)} images, but {len(galaxies)} rows in galaxies.parquet: run dvc repro cutouts"
        )
    if not layers:
        raise GalmorphError("the network to draw has no layers: give those of the built model")
    for name in ("tables", "figures"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    with spoken_in(settings.report.language):
        book = Book(settings, folder)
        compared = comparisons.compare(study)
        fair = comparisons.restricted_accuracies(study)
        confirmed = {name: records.phases["confirmed"] for name, records in study.records.items()}
        sections = [
            *sections_of_results(book, study, fair),
            *([] if resolution is None else [chapter.section(book, resolution, resolution_examples)]),
            *([] if (hard := hardest.section(book, confirmed, galaxies, images)) is None else [hard]),
            _data_section(book, settings, galaxies, images, schematic, table2_row),
            _network_section(book, layers),
            Section(
                "every-number",
                say("Every number"),
                paragraphs=(
                    say(
                        "TSS is the True Skill Statistic, TP / (TP + FN) − FP / (TN + FP); with K classes, the mean "
                        "recall adjusted for chance, (mean recall − 1/K) / (1 − 1/K), which for two is the same."
                    ),
                ),
                tables=(book.table(presented.summary(study.results)),),
            ),
        ]
        found = findings(study, compared, fair)
        for finding in found:
            book.table(finding.table)
        book.table(presented.comparisons(compared))
        plots.write(study.results, folder)
        html = page.render(
            settings=settings,
            galaxies=len(galaxies),
            found=found,
            sections=sections,
            provenance=provenance,
            figures=book.figures,
        )
        (folder / "report.html").write_text(html, encoding="utf-8", newline="\n")


def _data_section(
    book: Book,
    settings: Settings,
    galaxies: pd.DataFrame,
    images: NDArray[np.float32],
    schematic: Schematic | None,
    table2_row: Mapping[str, object] | None,
) -> Section:
    """The sample: classes, redshifts, examples, filters, a cutout and a catalogue row."""
    absent, pictures = [], []
    shown = [book.table(data.class_counts(galaxies)), book.table(data.filters())]
    if table2_row is None:
        absent.append(say("The row of Table 2 is left out: this survey has no catalogue of that form."))
    else:
        shown.append(book.table(data.table2_row(table2_row)))
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
        picture = Picture("cutout", caption, say("the schematic figure of a cutout"), wide=True)
        pictures.append(book.picture(cutout_schematic(schematic), picture))
    redshift = galaxies["redshift"].to_numpy(dtype=float, na_value=np.nan)
    known = int(np.isfinite(redshift).sum())
    if not known:
        absent.append(say("The redshift histogram is left out: no galaxy of the sample has a redshift."))
    else:
        caption = say(
            "Galaxies per redshift bin of {width:g}, by class: {known:,} of {galaxies:,} galaxies; {unknown:,} have no "
            "redshift.",
            width=settings.report.redshift_bin,
            known=known,
            galaxies=len(galaxies),
            unknown=len(galaxies) - known,
        )
        picture = Picture("redshifts", caption, thesis.counterpart("redshifts"))
        pictures.append(book.picture(redshift_histogram(galaxies, settings.report.redshift_bin), picture))
    caption = say(
        "Throughput of the five SDSS filters, through 1.3 airmasses of atmosphere (Doi et al. 2010, as shipped with "
        "speclite)."
    )
    pictures.append(book.picture(throughput(), Picture("throughput", caption, thesis.counterpart("throughput"))))
    caption = say(
        "Example stamps of each class, evenly spaced through the sample. Brightness by asinh, each stamp by its own "
        "noise, for the eye only."
    )
    sheet = contact_sheet(images, galaxies, settings.report.examples)
    pictures.append(book.picture(sheet, Picture("examples", caption, wide=True)))
    return Section("data", say("The data"), tuple(absent), tuple(shown), tuple(pictures))


def _network_section(book: Book, layers: Sequence[LayerDrawing]) -> Section:
    """The network as built."""
    caption = say(
        "The network as built for {classes} classes; under each block the shape of the layer's output. Blocks are not "
        "to scale.",
        classes=layers[-1].output_shape[-1],
    )
    picture = Picture("network", caption, thesis.counterpart("network"), wide=True)
    return Section("network", say("The network"), pictures=(book.picture(network_diagram(layers), picture),))
