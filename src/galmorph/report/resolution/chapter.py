"""The chapter on spatial resolution as a section of the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from galmorph.report.language import capital, joined, level_name, listed, say, sentences
from galmorph.report.page import Book, Picture, Section
from galmorph.report.resolution import figures
from galmorph.report.resolution.findings import best_epoch, summary
from galmorph.report.resolution.results import RECALIBRATED, ResolutionResults
from galmorph.report.resolution.tables import chapter_tables
from galmorph.report.study import Study
from galmorph.report.table import METRICS
from galmorph.settings.study import TrainingSettings

# Stamps of the galaxies shown, by level, (n, size, size) in DN; the n classes; and the n files that they come from.
Examples = tuple[Mapping[str, NDArray[np.float32]], Sequence[str], Sequence[str]]


def section(book: Book, study: Study, examples: Examples | None) -> Section | None:
    """Write the tables and figures of the chapter, and return its section; None where there is no resolution study.

    Parameters
    ----------
    examples
        The stamps to show; None: the figure is left out, and the page says so.
    """
    results = study.resolution
    if results is None:
        return None
    paragraphs = [_setting(results, study.settings.training), *summary(results), *best_epoch(results)]
    if examples is None:
        paragraphs.append(say("The figure of example galaxies at every level is left out: no stamps were given."))
    pictures = [] if examples is None else [_stamps(book, results, examples)]
    return Section(
        "resolution",
        say("Different spatial resolution (chapter 5)"),
        paragraphs=tuple(paragraphs),
        tables=book.tables(*chapter_tables(results)),
        pictures=(*pictures, *_scores(book, results)),
    )


def _setting(results: ResolutionResults, training: TrainingSettings) -> str:
    """Say in plain words what was done."""
    text = [say("The same {galaxies:,} galaxies are seen at several resolutions.", galaxies=results.galaxies)]
    if results.runs > 1:
        trained = say(
            "At each, {runs} networks are trained and tested at every one, to see what it costs to classify images "
            "that are blurrier, or sharper, than those of the training.",
            runs=results.runs,
        )
    else:
        trained = say(
            "At each, one network is trained and tested at every one, to see what it costs to classify images that are "
            "blurrier, or sharper, than those of the training."
        )
    text.append(trained)
    for survey in results.of_role("survey"):
        other = say(
            "{survey} is another survey, of {galaxies:,} galaxies of its own with their own splits: what is lost there "
            "is not owed to resolution alone.",
            survey=level_name(survey.name),
            galaxies=results.surveys[survey.name],
        )
        text.append(other)
    if training.augmentation != "none":
        text += _augmentation(results, training.augmentation)
    if remedies := results.of_role("remedy"):
        names = listed(level_name(level.name) for level in remedies)
        text.append(say("Remedies ({names}) are trained for that difference, and tested too.", names=names))
    if ablations := results.of_role("ablation"):
        names = listed(level_name(level.name) for level in ablations)
        text.append(
            say("Where only a part of the resolution differs ({names}), networks are tested, not trained.", names=names)
        )
    if results.runs > 1:
        spread = say(
            "The spread of a score is one standard deviation over the runs. A loss or change is taken run by run, and "
            "given ± half of its 95 % interval, corrected for the galaxies that test parts share; the intervals are "
            "not adjusted for their number."
        )
        text.append(spread)
    return sentences(text)


def _augmentation(results: ResolutionResults, kind: str) -> list[str]:
    """Say which galaxies are flipped and turned in training: those of another survey too, which need not allow it."""
    everywhere = say(
        "Each training galaxy is shown in an orientation drawn anew in each epoch (training.augmentation: {kind}), at "
        "every level and in every remedy; the numbers of training galaxies do not count the orientations.",
        kind=kind,
    )
    surveys = [
        say(
            "So are the galaxies of {survey}: that the images of another survey have no preferred orientation is "
            "taken for granted.",
            survey=level_name(survey.name),
        )
        for survey in results.of_role("survey")
    ]
    return [everywhere, *surveys]


def _stamps(book: Book, results: ResolutionResults, examples: Examples) -> Picture:
    caption = say(
        "The same galaxies at every level, with the FWHM of its PSF. Brightness by asinh, each stamp by its own noise, "
        "for the eye only."
    )
    figure = figures.stamps_at_every_level(*examples, results.levels)
    return book.picture(figure, Picture("resolution_stamps", caption))


def _scores(book: Book, results: ResolutionResults) -> list[Picture]:
    """The figures that show results of training."""
    several = results.runs > 1
    spread = say("mean ± 1 std over {runs} runs", runs=results.runs) if several else say("one run")
    pictures = []

    def show(name: str, caption: str, figure: Figure) -> None:
        pictures.append(book.picture(figure, Picture(f"resolution_{name}", caption, results=True)))

    for metric in ("accuracy", "tss", "auc", *(f"{score}{RECALIBRATED}" for score in ("accuracy", "tss"))):
        caption = say(
            "{metric} of networks trained at the level of the row and tested at the level of the column: {spread}. "
            "Cells where both are the same are framed. Colours run from the lowest mean to the highest.",
            metric=capital(say(METRICS[metric])),
            spread=spread,
        )
        show(metric, caption, figures.heat_map(results, metric))
    bars = say("mean ± half of the corrected 95 % interval") if several else spread
    caption = say(
        "Loss of accuracy against the ratio of the FWHM tested at to the FWHM trained at, compared run by run with "
        "networks trained where they are tested: {spread}. Below zero the networks trained elsewhere score higher.",
        spread=bars,
    )
    show("loss", caption, figures.loss_against_ratio(results))
    if len(results.by_size):
        caption = say(
            "Loss of recall of each class against the FWHM tested at over the half-light radius of the galaxy in the "
            "native image, for networks trained at {first}. Each line is one level, its points are quarters of the "
            "galaxies, from large to small; compared run by run with networks trained there: {spread}.",
            first=level_name(results.ends[0].name),
            spread=bars,
        )
        show("size", caption, figures.loss_against_size(results))
    caption = say(
        "Recall of each class against the FWHM tested at, a line for each trained level: {spread}.", spread=spread
    )
    if several:
        shifted = say("Points are shifted sideways a little so that their bars can be told apart.")
        caption = sentences([caption, shifted])
    show("recall", caption, figures.recall_against_fwhm(results))
    caption = say(
        "Confusion matrices of networks trained and tested at {corners}: galaxies per run, {spread}; colour and "
        "percentage are of the true class.",
        corners=joined(level_name(level.name) for level in results.corners),
        spread=spread,
    )
    show("corners", caption, figures.corner_confusions(results))
    return pictures
