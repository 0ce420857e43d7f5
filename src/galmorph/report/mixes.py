"""Section 4.3's question on common ground: both kinds of training draw, on both mixes of test galaxies."""

from __future__ import annotations

import pandas as pd

from galmorph.report import thesis
from galmorph.report.answers import Records
from galmorph.report.bootstrap import Metric
from galmorph.report.comparisons import contrast
from galmorph.report.language import say
from galmorph.report.names import set_name
from galmorph.report.table import METRICS, TWO_STE, Table, number, pairs
from galmorph.report.tables import COMMON_SETS, Results, spread
from galmorph.settings import Settings
from galmorph.splits import EVALUATION_CLASSES

PAIR = (thesis.TWO_CLASS, thesis.BALANCED)
_METRICS: tuple[Metric, ...] = ("accuracy", "tss")


def by_test_mix(results: Results, records: Records, settings: Settings) -> pd.DataFrame:
    """Return accuracy and TSS of networks trained on imbalanced and on balanced draws, on the two common sets.

    Returns
    -------
    pandas.DataFrame
        metric, evaluated_on, runs, imbalanced_mean, imbalanced_std, balanced_mean, balanced_std, difference (balanced
        less imbalanced, run by run), overlap (mean share of a run's evaluation set that another's has), half (of its
        corrected 95 % interval), naive_half. Empty where one of the two conditions is not declared, or does not know
        both classes.
    """
    columns = ["metric", "evaluated_on", "runs", "imbalanced_mean", "imbalanced_std", "balanced_mean", "balanced_std"]
    columns += ["difference", "overlap", "half", "naive_half"]
    rows = []
    declared = set(PAIR) <= set(results)
    judged = declared and all(set(EVALUATION_CLASSES) <= set(results[name].classes) for name in PAIR)
    for metric in _METRICS if judged else ():
        for evaluated_on in COMMON_SETS:
            column = f"{metric}@{evaluated_on}"
            scores = [results[name].confirmed.scores[column] for name in PAIR]
            (first, first_std, _), (second, second_std, _) = (spread(values) for values in scores)
            said = contrast(results, records, settings, PAIR, (column, column), evaluated_on)
            numbers = (first, first_std, second, second_std, second - first)
            intervals = (said["overlap_first"], said["half"], said["naive_half"])
            rows.append((metric, evaluated_on, len(scores[0]), *numbers, *intervals))
    return pd.DataFrame(rows, columns=columns)


def table(data: pd.DataFrame) -> Table:
    """The two kinds of training draw beside each other, on each common set."""
    shown = pd.DataFrame(
        {
            say("Metric"): [say(METRICS[metric]) for metric in data["metric"]],
            say("Evaluated on"): [set_name(where) for where in data["evaluated_on"]],
            say("Trained on imbalanced draws ± 2 std"): pairs(data["imbalanced_mean"], 2 * data["imbalanced_std"]),
            say("Trained on balanced draws ± 2 std"): pairs(data["balanced_mean"], 2 * data["balanced_std"]),
            say("Balanced less imbalanced, corrected 95 % interval"): pairs(
                data["difference"], data["half"], signed=True
            ),
            say(TWO_STE): [f"± {number(half)}" for half in data["naive_half"]],
        }
    )
    caption = say(
        "Networks trained on imbalanced and on balanced draws, on test galaxies of both mixes: the same for both kinds "
        "of network, and compared run by run. Confirmed runs."
    )
    return Table("test_mixes", caption, data, shown)
