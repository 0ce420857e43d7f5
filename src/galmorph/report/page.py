"""The page: one HTML file that needs no network and no script; and the folders of its tables and figures."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape
from matplotlib.figure import Figure
from ruamel.yaml import YAML

from galmorph.errors import GalmorphError
from galmorph.report.answers import VERDICTS, Axis, Finding
from galmorph.report.figures import style
from galmorph.report.language import current, in_turn, mark, say
from galmorph.report.table import Table, is_numeric, plus_minus, write_table
from galmorph.settings.study import Settings

SIMULATED = mark(
    "This survey is simulated and its difficulty is tuned towards the thesis's numbers: "
    "agreement with them is no evidence, and nothing here is a conclusion about the sky."
)
SIMULATED_SHORT = mark("Simulated survey, tuned towards the thesis's numbers: agreement is no evidence.")
READING = mark(
    "A difference is paired, that is taken run by run, where runs of the same number were tested on the same galaxies; "
    "else it is one of two means. Runs share galaxies, so that they are not independent: the corrected interval allows "
    "for that. Two standard errors, the thesis's interval, do not, and are too narrow. The bootstrap draws galaxies "
    "anew and holds the networks fixed. The p value is that of the corrected interval, adjusted by Holm for all the "
    "tests of the comparisons, or for those of the resolution; none is given where the test parts differ in their "
    "classes or, for the accuracy, in the mix of them: different tasks; nor where the conditions differ in more than "
    "one setting: those are confounded. A difference is called significant only where interval "
    "and p value agree at 5 %, and for the comparisons the bootstrap too. Formulae and sources: docs/statistics.md."
)
# A vector picture stays sharp on any screen; a heavy one (pictures of the sky) goes in as pixels.
_LARGEST_SVG = 150_000
_WIDE = 480  # pixels; a figure that is wider is not shrunk to a phone's width, and scrolls there


@dataclass(frozen=True)
class Picture:
    """A figure of the page.

    Attributes
    ----------
    name
        The file name without its ending, in the folder of figures.
    caption
        What it shows.
    counterpart
        What it corresponds to in the thesis, where there is something.
    results
        Whether it shows results of training.
    """

    name: str
    caption: str
    counterpart: str | None = None
    results: bool = False


@dataclass(frozen=True)
class Section:
    """A part of the page: a title, paragraphs, then tables and figures.

    `part_of` names the section above it, for a subsection.
    """

    anchor: str
    title: str
    paragraphs: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    pictures: tuple[Picture, ...] = ()
    part_of: str | None = None


class Book:
    """The folders of tables and figures: writes each as it is made, with the note that a simulated survey is due.

    Parameters
    ----------
    settings
        Of the study: the resolution of figures, and whether the survey is simulated.
    folder
        The folders tables and figures are made in it.
    """

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.figures = folder / "figures"
        self._tables = folder / "tables"
        for path in (self.figures, self._tables):
            path.mkdir(parents=True, exist_ok=True)
        self._dpi = settings.report.png_dpi
        self._simulated = settings.survey.source == "simulated"

    def tables(self, *tables: Table) -> tuple[Table, ...]:
        """Write tables and return them."""
        for table in tables:
            write_table(table, self._tables, [say(SIMULATED)] if self._simulated and table.results else [])
        return tables

    def picture(self, figure: Figure, picture: Picture) -> Picture:
        """Write a figure under the picture's name and return the picture."""
        note = say(SIMULATED_SHORT) if self._simulated and picture.results else None
        style.save(figure, self.figures, picture.name, self._dpi, note)
        return picture


@dataclass(frozen=True)
class Image:
    """A saved figure as the page shows it: as a data address, at its natural width in pixels."""

    uri: str
    width: int

    @property
    def wide(self) -> bool:
        """Whether it scrolls where the page is narrower."""
        return self.width > _WIDE


def embed(folder: Path, name: str) -> Image:
    """Return a saved figure: its SVG without its note, which the page has above, or its PNG where the SVG is heavy."""
    svg = (folder / f"{name}.svg").read_text(encoding="utf-8")
    points = re.search(r'<svg [^>]*\bwidth="([\d.]+)pt"', svg)
    if points is None:
        raise GalmorphError(f"{folder / name}.svg: it has no width in points; run dvc repro report")
    if len(svg) <= _LARGEST_SVG:
        kind = "svg+xml"
        content = svg.replace("<style type=", f"<style>#{style.NOTE}{{display: none}}</style><style type=", 1).encode()
    else:
        kind, content = "png", (folder / f"{name}.png").read_bytes()
    uri = f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
    return Image(uri, round(float(points[1]) * 96 / 72))


_LINK = re.compile(r"(?P<page>docs/[\w-]+\.md)|arXiv:(?P<paper>[\d.]+\d)|(?P<site>https://[\w./-]+\w/?)")


def prose(text: str) -> Markup:
    """Return text as HTML: no line breaks within "0.688 ± 0.062", "± 1 std", "± 1 σ" or "95 %"; addresses are links."""
    text = re.sub(r"± (\d) (std|σ)", "±\u00a0\\1\u00a0\\2", text)
    text = re.sub(r"(?<=\d) ± |± |(?<=\d) (?=%)", lambda match: match[0].replace(" ", "\u00a0"), text)

    def link(found: re.Match[str]) -> str:
        page, paper, site = found.groups()
        return f'<a href="{site or (f"https://arxiv.org/abs/{paper}" if paper else f"../{page}")}">{found[0]}</a>'

    return Markup(_LINK.sub(link, str(escape(text))))


def as_yaml(settings: Settings) -> str:
    """Return the parameters as YAML, in the order of params.yaml, without its comments."""
    yaml = YAML()
    yaml.width = 100
    stream = io.StringIO()
    shown = settings.model_dump(mode="json")
    # A condition names only the blocks that it changes.
    shown["conditions"] = {
        name: condition.model_dump(mode="json", exclude_none=True) for name, condition in settings.conditions.items()
    }
    yaml.dump(shown, stream)
    return stream.getvalue()


def what_was_run(settings: Settings, galaxies: int) -> str:
    """Return one line on the size of the study."""
    conditions, runs = len(settings.conditions), settings.protocol.runs
    epochs = max(settings.training_of(name).epochs for name in settings.conditions)
    sizes = sorted({condition.draw for condition in settings.conditions.values()})
    drawn = f"{sizes[0]:,}"
    if len(sizes) > 1:
        drawn = say("{least:,} to {most:,}", least=sizes[0], most=sizes[-1])
    percent = 100 * settings.protocol.train_fraction * (1 - (settings.protocol.validation_fraction or 0))
    one = mark("in each, 1 run of {epochs} epochs and 1 fresh one to the selected epoch")
    several = mark("in each, {runs} runs of {epochs} epochs and {runs} fresh ones to the selected epoch")
    return in_turn(
        [
            say("{galaxies:,} galaxies", galaxies=galaxies),
            say("1 condition") if conditions == 1 else say("{conditions} conditions", conditions=conditions),
            say(one if runs == 1 else several, runs=runs, epochs=epochs),
            say("draws of {drawn} galaxies, {percent:g} % of them for training.", drawn=drawn, percent=percent),
        ]
    )


def render(
    *,
    settings: Settings,
    galaxies: int,
    found: Sequence[Finding],
    sections: Sequence[Section],
    provenance: Mapping[str, str],
    figures: Path,
) -> str:
    """Return the page.

    Parameters
    ----------
    settings
        Of the study.
    galaxies
        Number of galaxies in the sample.
    found
        The questions and what the numbers say.
    sections
        In order.
    provenance
        What was used, and its md5 or version.
    figures
        The folder of saved figures, which are embedded.
    """
    package = resources.files("galmorph.report")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["prose"] = prose
    template = environment.from_string((package / "page.html").read_text(encoding="utf-8"))
    pictures = [picture for section in sections for picture in section.pictures]
    asked = [finding for finding in found if finding.verdict]
    others = [finding for finding in found if not finding.verdict]
    tables = [finding.table for finding in (*asked, *others) if finding.table]
    tables += [table for section in sections for table in section.tables]
    text = template.render(
        css=Markup((package / "page.css").read_text(encoding="utf-8")),
        survey=settings.survey.name,
        run_line=what_was_run(settings, galaxies),
        simulated=say(SIMULATED) if settings.survey.source == "simulated" else None,
        stamps=settings.survey.source == "stamps",
        asked=asked,
        others=others,
        axis=Axis(found),
        verdicts=VERDICTS,
        titles={section.anchor: section.title for section in sections},
        reading=say(READING),
        say=say,
        plus_minus=plus_minus,
        language=current(),
        sections=sections,
        table_number={table.name: place for place, table in enumerate(tables, start=1)},
        numeric={table.name: [is_numeric(table.shown[column]) for column in table.shown.columns] for table in tables},
        figure_number={picture.name: place for place, picture in enumerate(pictures, start=1)},
        images={picture.name: embed(figures, picture.name) for picture in pictures},
        provenance=provenance,
        parameters=as_yaml(settings),
    )
    return text.rstrip("\n") + "\n"
