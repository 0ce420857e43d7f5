"""The galaxies that most runs get wrong: the look at the data that every astronomer wants first."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from astropy.stats import binom_conf_interval
from numpy.typing import NDArray

from galmorph.report import thesis
from galmorph.report.figures.stamps import hardest_sheet
from galmorph.report.language import class_name, listed, say
from galmorph.report.page import Book, Picture, Section
from galmorph.report.table import Table, number
from galmorph.scores.evaluation import ConditionRecords
from galmorph.training.records import Record

SHOWN = 6  # of each class
VOTES = ("p_el", "p_cw", "p_acw", "p_edge", "p_dk", "p_mg", "p_cs")


def all_predictions(records: Iterable[Record]) -> pd.DataFrame:
    """Return every prediction for galaxies that a network was not trained on, once for each run.

    Parameters
    ----------
    records
        Of the confirmed phase, of networks that know the same classes in the same order.

    Returns
    -------
    pandas.DataFrame
        condition, run, row (of galaxies.parquet), truth and predicted (class numbers), probability (of the class
        predicted).
    """
    pieces = []
    for record in records:
        for evaluation in record.sets.values():
            predicted = np.argmax(evaluation.probabilities, axis=1)
            piece = pd.DataFrame(
                {
                    "row": evaluation.rows,
                    "truth": evaluation.truth.astype(np.int64),
                    "predicted": predicted,
                    "probability": np.take_along_axis(evaluation.probabilities, predicted[:, None], 1)[:, 0],
                }
            )
            pieces.append(piece.assign(condition=record.condition, run=record.run))
    # The two common sets of a run share galaxies.
    return pd.concat(pieces, ignore_index=True).drop_duplicates(["condition", "run", "row"])


def hardest(given: pd.DataFrame, count: int) -> pd.DataFrame:
    """Return the galaxies of each class that most runs get wrong.

    A galaxy that one run of one got wrong says little, nine of nine much: they are ordered by the lower end of the
    Wilson 95 % interval of the share of wrong predictions (Wilson 1927, J. Am. Stat. Assoc. 22, 209).

    Parameters
    ----------
    given
        From `all_predictions`.
    count
        At most so many of each class are returned, those with at least one wrong prediction.

    Returns
    -------
    pandas.DataFrame
        row, truth, tested (runs), wrong (runs), called (the commonest wrong class, by number), probability (mean of the
        wrong predictions, for the class each names), lower (of the interval); class by class, the hardest first.
    """
    columns = ["row", "truth", "tested", "wrong", "called", "probability", "lower"]
    wrong = given[given["predicted"] != given["truth"]]
    if wrong.empty:
        return pd.DataFrame(columns=columns)
    tested = given.groupby("row").size()
    counted = wrong.groupby("row").agg(
        truth=("truth", "first"),
        wrong=("truth", "size"),
        # The commonest; of two as common the first class.
        called=("predicted", lambda values: int(np.bincount(values).argmax())),
        probability=("probability", "mean"),
    )
    counted["tested"] = tested.loc[counted.index]
    interval = binom_conf_interval(
        counted["wrong"].to_numpy(), counted["tested"].to_numpy(), confidence_level=0.95, interval="wilson"
    )
    counted["lower"] = interval[0]
    ordered = counted.reset_index().sort_values(
        ["truth", "lower", "probability", "row"], ascending=[True, False, False, True], kind="stable"
    )
    return ordered.groupby("truth").head(count)[columns].reset_index(drop=True)


def by_classes(records: Mapping[str, ConditionRecords]) -> dict[tuple[str, ...], list[Record]]:
    """Return the confirmed records of all conditions, those of networks that know the same classes together."""
    grouped: dict[tuple[str, ...], list[Record]] = {}
    for condition in records.values():
        confirmed = condition.phases["confirmed"]
        grouped.setdefault(confirmed[0].classes, []).extend(confirmed)
    return grouped


def described(table: pd.DataFrame, galaxies: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """Return the galaxies of `hardest` with their names and votes: what the CSV of the report holds.

    Parameters
    ----------
    table
        As `hardest` gives it.
    galaxies
        galaxies.parquet.
    classes
        In the order of the class numbers.
    """
    named = galaxies.iloc[table["row"].astype(int)].reset_index(drop=True)
    columns = [name for name in ("objid", "ra", "dec", "class", "nvote", *VOTES, "redshift") if name in named]
    called = [classes[number] for number in table["called"].astype(int)]
    counted = table[["tested", "wrong", "probability", "lower"]].astype(float)
    return named[columns].assign(called=called).join(counted.astype({"tested": int, "wrong": int}))


def legend(galaxy: Mapping[Hashable, Any]) -> str:
    """Return the lines under a stamp: who it is, what people saw, what the networks say."""
    votes = say("{votes} votes", votes=galaxy["nvote"]) if galaxy["nvote"] else say("no votes")
    spiral, elliptical = galaxy.get("p_cs"), galaxy.get("p_el")
    if galaxy["nvote"] and spiral is not None and elliptical is not None:
        votes = say(
            "{votes} votes: {spiral:.0f} % S, {elliptical:.0f} % E",
            votes=galaxy["nvote"],
            spiral=100 * spiral,
            elliptical=100 * elliptical,
        )
    return say(
        "{objid}\n{votes}\n{true}, called\n{called}: {wrong} of {tested}",
        objid=galaxy["objid"],
        votes=votes,
        true=class_name(galaxy["class"]),
        called=class_name(galaxy["called"]),
        wrong=galaxy["wrong"],
        tested=galaxy["tested"],
    )


def section(
    book: Book, records: Mapping[str, ConditionRecords], galaxies: pd.DataFrame, images: NDArray[np.float32]
) -> Section | None:
    """Write the tables and pictures of the galaxies that most runs get wrong; None where no run is wrong.

    Parameters
    ----------
    book
        Where they are written.
    records
        By condition.
    galaxies
        galaxies.parquet.
    images
        (n, size, size) float32, DN, (y, x); row i is that of `galaxies`; a memory map will do.
    """
    shown, pictures = [], []
    for classes, group in by_classes(records).items():
        found = hardest(all_predictions(group), SHOWN)
        if found.empty:
            continue
        data = described(found, galaxies, classes)
        conditions = listed(dict.fromkeys(thesis.label(record.condition) for record in group))
        name = "_".join(("hardest", *classes))
        caption = say(
            "The galaxies that most runs get wrong, of {conditions}: number, votes of Galaxy Zoo (S spiral, E "
            "elliptical), class, and what the wrong runs call it, of so many that tested it. Brightness by asinh, each "
            "stamp by its own noise, for the eye only.",
            conditions=conditions,
        )
        rows = found["row"].astype(int)
        frames = galaxies["frame"].iloc[rows].tolist()
        sheet = hardest_sheet(images[rows], frames, [legend(row) for row in data.to_dict("records")])
        pictures.append(book.picture(sheet, Picture(name, caption, results=True)))
        shown.append(_table(name, conditions, data))
    if not shown:
        return None
    return Section(
        "hardest",
        say("The galaxies that most runs get wrong"),
        paragraphs=(
            say(
                "Every confirmed network answers on its test part and on the common sets, once for each galaxy. A "
                "galaxy that was wrong in nine runs of nine comes before one that was wrong in its only one: they are "
                "ordered by the lower end of the Wilson 95 % interval of their share of wrong answers, the same number "
                "of each class."
            ),
        ),
        tables=book.tables(*shown),
        pictures=tuple(pictures),
    )


def _table(name: str, conditions: str, data: pd.DataFrame) -> Table:
    printed = pd.DataFrame(
        {
            say("Galaxy"): data["objid"].astype(str),
            say("Class"): data["class"].map(class_name),
            say("Called"): data["called"].map(class_name),
            say("Wrong"): [
                say("{wrong} of {tested}", wrong=wrong, tested=tested)
                for wrong, tested in zip(data["wrong"], data["tested"], strict=True)
            ],
            say("Probability of the wrong answers"): data["probability"].map(number),
            say("Votes"): data["nvote"].map(str),
        }
    )
    caption = say(
        "The galaxies that most runs get wrong, of {conditions}; the CSV has their positions and all shares of votes.",
        conditions=conditions,
    )
    return Table(name, caption, data, printed)
