"""Doubt: what networks of spirals and ellipticals make of uncertain galaxies, beside what the volunteers made of them.

The networks were trained on no uncertain galaxy and have no class for them. Where they are in doubt as people are, the
probability of a spiral follows the share of the votes for one.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from scipy import stats

from galmorph.report import thesis
from galmorph.report.accuracy import spread
from galmorph.report.figures import style
from galmorph.report.language import say
from galmorph.report.page import Book, Picture, Section
from galmorph.report.probabilities import POSITIVE, two_class
from galmorph.report.study import Study
from galmorph.report.table import Table, number, pairs, plus_minus, whole
from galmorph.scores.evaluation import ConditionRecords
from galmorph.scores.predictions import predictions
from galmorph.scores.statistics import corrected_mean, mean_overlap

BINS = 10
COMPARED_WITH = "common_natural"
FEWEST = 3  # galaxies of a rank correlation
_CENTRAL = stats.norm.cdf([-1.0, 1.0])  # quantiles of the band in the figures


class Agreement(NamedTuple):
    """How far networks agree on galaxies: `galaxies` have the predictions of two or more networks."""

    observed: float
    kappa: float
    galaxies: int


def answers(condition: ConditionRecords, galaxies: pd.DataFrame) -> pd.DataFrame:
    """Return the predictions of the confirmed networks of a condition for the common set of uncertain galaxies.

    Parameters
    ----------
    condition
        Of spirals and ellipticals.
    galaxies
        galaxies.parquet.

    Returns
    -------
    pandas.DataFrame
        run (from 1), row (of galaxies.parquet), probability (of a spiral), spiral (whether it is called one), p_cs
        (share of the votes for a spiral; NaN where nobody voted). Empty where there is no such set.
    """
    votes = galaxies["p_cs"].where(galaxies["nvote"] > 0).to_numpy(dtype=np.float64)
    pieces = []
    for record in condition.phases["confirmed"]:
        if record.uncertain is not None:
            rows, probabilities = record.uncertain.rows, record.uncertain.probabilities.astype(np.float64)
            column = record.classes.index(POSITIVE)
            called = probabilities.argmax(axis=1) == column
            piece = {"run": record.run, "row": rows, "probability": probabilities[:, column], "spiral": called}
            pieces.append(pd.DataFrame(piece | {"p_cs": votes[rows]}))
    columns = ["run", "row", "probability", "spiral", "p_cs"]
    return pd.concat(pieces, ignore_index=True) if pieces else pd.DataFrame(columns=columns, dtype=np.float64)


def rank_correlation(first: pd.Series[float], second: pd.Series[float]) -> float:
    """Return Spearman's rank correlation; NaN for fewer than three galaxies, or where one side is constant."""
    if len(first) < FEWEST or first.nunique() < 2 or second.nunique() < 2:
        return math.nan
    return float(stats.spearmanr(first, second).statistic)


def agreement(rows: ArrayLike, spiral: ArrayLike) -> Agreement:
    """Return how far networks agree, by Fleiss (1971, Psychological Bulletin 76, 378).

    The observed agreement of a galaxy is the share of the pairs of its networks that call it the same; of a set, the
    mean over its galaxies. Kappa is (observed - chance) / (1 - chance), where chance is that of two predictions drawn
    from all of them. Networks differ in number from galaxy to galaxy; what only one of them saw is left out.

    Parameters
    ----------
    rows, spiral
        (n,) the galaxy of each prediction, and whether it is called a spiral.

    Examples
    --------
    >>> found = agreement([7, 7, 8, 8, 9], [True, True, True, False, True])
    >>> found.observed, round(found.kappa, 3), found.galaxies
    (0.5, -0.333, 2)
    """
    predictions_of = pd.DataFrame({"row": np.asarray(rows), "spiral": np.asarray(spiral, dtype=np.float64)})
    counted = predictions_of.groupby("row")["spiral"].agg(["sum", "size"])
    counted = counted[counted["size"] > 1]
    if counted.empty:
        return Agreement(math.nan, math.nan, 0)
    spirals, networks = counted["sum"], counted["size"]
    others = networks - spirals
    alike = spirals * (spirals - 1) + others * (others - 1)
    observed = float((alike / (networks * (networks - 1))).mean())
    share = float(spirals.sum() / networks.sum())
    chance = share**2 + (1 - share) ** 2
    return Agreement(observed, (observed - chance) / (1 - chance) if chance < 1 else math.nan, len(counted))


def scores(study: Study, galaxies: pd.DataFrame) -> pd.DataFrame:
    """Return what the confirmed networks of each condition of two classes make of uncertain galaxies.

    Returns
    -------
    pandas.DataFrame
        condition; runs and galaxies (with votes, mean over the runs) of the rank correlation; correlation_mean,
        correlation_std; overlap (mean share of a run's galaxies that another run has) and half (of the 95 % interval
        of the mean, corrected for it); spirals (share of the predictions that are spiral); agreement, kappa and
        compared (galaxies) on the uncertain galaxies; agreement_known, kappa_known and compared_known on the spirals
        and ellipticals of the common set of the natural mix. Without rows where there are no uncertain galaxies with
        votes.
    """
    made = []
    for name in two_class(study.results):
        given = answers(study.records[name], galaxies)
        voted = given.dropna(subset="p_cs")
        if voted.empty:
            continue
        by_run = [(one, rank_correlation(one["probability"], one["p_cs"])) for _, one in voted.groupby("run")]
        known = [(one, value) for one, value in by_run if math.isfinite(value)]
        values = np.array([value for _, value in known] or [math.nan])
        parts = [one["row"].to_numpy(np.int64) for one, _ in known]
        mean, std, _ = spread(pd.Series(values))
        overlap = mean_overlap(parts)
        row = {"condition": name, "runs": len(known), "galaxies": len(voted) / voted["run"].nunique()}
        row |= {"correlation_mean": mean, "correlation_std": std, "overlap": overlap}
        row |= {"half": corrected_mean(values, overlap).half_width(), "spirals": float(given["spiral"].mean())}
        tested = predictions(study.records[name], "confirmed", COMPARED_WITH)
        called = tested.predicted == tested.classes.index(POSITIVE)
        sides = {"": agreement(given["row"], given["spiral"]), "_known": agreement(tested.galaxy, called)}
        for ending, found in sides.items():
            row |= dict(zip((f"agreement{ending}", f"kappa{ending}", f"compared{ending}"), found, strict=True))
        made.append(row)
    return pd.DataFrame(made)


def binned(given: pd.DataFrame) -> pd.DataFrame:
    """Return the probability of a spiral in ten bins of the share of votes for one.

    Parameters
    ----------
    given
        From `answers`.

    Returns
    -------
    pandas.DataFrame
        low, high (of the bin), predictions, runs (with galaxies in it), p_cs (mean), probability and probability_std
        (mean and standard deviation, ddof = 1, over the runs), lower and upper (quantiles of the predictions, one
        sigma to each side). Bins without galaxies are left out.
    """
    edges = np.linspace(0.0, 1.0, BINS + 1)
    voted = given.dropna(subset="p_cs")
    places = np.searchsorted(edges[1:-1], voted["p_cs"], side="right")
    rows = []
    for place in np.unique(places):
        members = voted[places == place]
        by_run = members.groupby("run")["probability"].mean()
        lower, upper = members["probability"].quantile(_CENTRAL)
        row = {"low": edges[place], "high": edges[place + 1], "predictions": len(members), "runs": len(by_run)}
        row |= {"p_cs": members["p_cs"].mean(), "probability": by_run.mean(), "probability_std": by_run.std(ddof=1)}
        rows.append(row | {"lower": lower, "upper": upper})
    return pd.DataFrame(rows)


def section(book: Book, study: Study, galaxies: pd.DataFrame) -> Section | None:
    """Write the table and the figures; None where the networks were shown no uncertain galaxy that has votes.

    Parameters
    ----------
    book
        Where they are written.
    study
        Settings, records and results of the declared conditions.
    galaxies
        galaxies.parquet.
    """
    data = scores(study, galaxies)
    if data.empty:
        return None
    pictures, bins = [], []
    for row in data.to_dict("records"):
        name = row["condition"]
        found = binned(answers(study.records[name], galaxies))
        bins.append(found.assign(condition=name)[["condition", *found]])
        correlation = plus_minus(float(row["correlation_mean"]), float(row["half"]))
        caption = say(
            "Probability of a spiral against the volunteers' share of votes for one, {condition}: confirmed networks "
            "on uncertain galaxies. On the dotted diagonal the two are equal. The rank correlation is the mean over "
            "the runs ± half of its corrected 95 % interval.",
            condition=thesis.label(name),
        )
        figure = against_votes(found, correlation, thesis.title(name))
        pictures.append(book.picture(figure, Picture(f"doubt_{name}", caption, results=True)))
    book.tables(_bins_table(pd.concat(bins, ignore_index=True)))
    return Section(
        "doubt",
        say("The networks' doubts and the volunteers'"),
        paragraphs=(
            say(
                "Networks of spirals and ellipticals have no class for uncertain galaxies, and are trained on none. "
                "In each run the confirmed networks of all such conditions are shown the same of them. Where networks "
                "doubt as people do, the probability of a spiral rises with the share of votes for one (P_CS)."
            ),
        ),
        tables=book.tables(_table(data)),
        pictures=tuple(pictures),
    )


def _table(data: pd.DataFrame) -> Table:
    shown = pd.DataFrame(
        {
            say("Condition"): [thesis.label(name) for name in data["condition"]],
            say("Runs"): data["runs"].map(str),
            say("Galaxies of a run"): data["galaxies"].map(whole),
            say("Rank correlation ± std"): pairs(data["correlation_mean"], data["correlation_std"]),
            say("Half of its 95 % interval"): data["half"].map(number),
            say("Called spiral"): data["spirals"].map(number),
            say("Agreement (κ)"): _with_kappa(data, ""),
            say("Agreement on spirals and ellipticals (κ)"): _with_kappa(data, "_known"),
        }
    )
    caption = say(
        "Confirmed networks of spirals and ellipticals on uncertain galaxies. The rank correlation is Spearman's, of "
        "the probability of a spiral with the volunteers' share of votes for one, in each run; the interval is that "
        "of its mean over the runs, corrected for the galaxies that runs share. The agreement is the chance that the "
        "networks of two runs call a galaxy the same (observed agreement of Fleiss 1971), beside that on the common "
        "evaluation set of the natural mix; Fleiss' κ is 0 where networks agree no more than by chance, and 1 where "
        "they always agree."
    )
    return Table("doubt", caption, data, shown)


def _with_kappa(data: pd.DataFrame, ending: str) -> list[str]:
    return [
        f"{number(observed)} ({number(kappa)})"
        for observed, kappa in zip(data[f"agreement{ending}"], data[f"kappa{ending}"], strict=True)
    ]


def _bins_table(data: pd.DataFrame) -> Table:
    """The figures in numbers: written beside the others, and not shown on the page."""
    shown = pd.DataFrame(
        {
            say("Condition"): [thesis.label(name) for name in data["condition"]],
            say("Share of votes for a spiral"): data["p_cs"].map(number),
            say("Predictions"): data["predictions"].map(whole),
            say("Probability of a spiral ± std"): pairs(data["probability"], data["probability_std"]),
        }
    )
    caption = say(
        "Probability of a spiral that confirmed networks gave uncertain galaxies, by the volunteers' share of votes "
        "for one: mean and standard deviation over the runs."
    )
    return Table("doubt_bins", caption, data, shown)


@style.house()
def against_votes(bins: pd.DataFrame, correlation: str, title: str) -> Figure:
    """Draw the probability of a spiral against the share of votes for one.

    Parameters
    ----------
    bins
        From `binned`.
    correlation
        The rank correlation and half of its interval, as they are printed.
    title
        Above the axes.
    """
    figure = style.new_figure(style.HALF, 3.9)
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color=style.MUTED, linewidth=0.9, linestyle=":", zorder=1)
    label = say("central 68 % of the predictions")
    axes.fill_between(bins["p_cs"], bins["lower"], bins["upper"], color=style.PALE, linewidth=0, zorder=0, label=label)
    several = bins["probability_std"].notna().any()
    axes.errorbar(
        bins["p_cs"],
        bins["probability"],
        yerr=bins["probability_std"].fillna(0.0) if several else None,
        fmt="o-",
        color=style.TEST_COLOUR,
        markersize=4,
        elinewidth=0.9,
        label=say("mean ± 1 σ over the runs") if several else say("mean"),
    )
    axes.set(xlim=(0, 1), ylim=(0, 1.005), aspect="equal")
    axes.set_xlabel(say("share of votes for a spiral, P_CS"))
    axes.set_ylabel(say("probability of a spiral"))
    axes.set_title(title)
    heading = say("rank correlation {value}", value=correlation)
    axes.legend(title=heading, loc="upper center", bbox_to_anchor=(0.5, -0.15))
    return figure
