"""Question 1 on one task: accuracies on spirals and ellipticals alone, beside a control."""

from __future__ import annotations

import math

import pandas as pd

from galmorph.errors import GalmorphError
from galmorph.report import thesis
from galmorph.report.answers import Records
from galmorph.report.comparisons import contrast, restricted_score
from galmorph.report.language import say, sentences
from galmorph.report.table import Table, metric_label, number, pairs
from galmorph.report.tables import RESTRICTED, Results, spread
from galmorph.settings import Settings
from galmorph.splits import EVALUATION_CLASSES


def accuracies(results: Results, records: Records, settings: Settings) -> pd.DataFrame:
    """Return the accuracies by which "do uncertain labels do harm?" can be read fairly: on the same task.

    A condition that has the class uncertain answers among spiral and elliptical only, and only on those galaxies of
    its test parts (accuracy_restricted); a condition of spirals and ellipticals that came in their natural mix is
    taken as it is. Confirmed phase.

    Returns
    -------
    pandas.DataFrame
        condition, metric, epoch, runs, galaxies (spirals and ellipticals per test part, mean over the runs), mean,
        two_std, two_ste; difference from the control's mean, half of its corrected 95 % interval, and paired (whether
        it is taken run by run, on the same galaxies): missing for the control itself, and where it is not declared.
    """
    control = thesis.TWO_CLASS_SMALL
    columns = ["condition", "metric", "epoch", "runs", "galaxies", "mean", "two_std", "two_ste"]
    columns += ["difference", "half", "paired"]
    rows = []
    for name, result in results.items():
        if not set(EVALUATION_CLASSES) <= set(result.classes) or settings.conditions[name].mix == "balanced":
            continue
        metric = restricted_score(result)
        if metric is None:
            raise GalmorphError(f"condition {name}: its confirmed runs have no accuracy_restricted; run galmorph sync")
        pair = [result.classes.index(galaxy_class) for galaxy_class in EVALUATION_CLASSES]
        scores = result.confirmed.scores
        mean, std, ste = spread(scores[metric])
        difference, half, paired = math.nan, math.nan, None
        if name != control and control in results:
            difference = mean - spread(results[control].confirmed.scores["accuracy"])[0]
            against = contrast(results, records, settings, (control, name), ("accuracy", metric), RESTRICTED)
            half, paired = against["half"], against["paired"]
        galaxies = float(result.confirmed.confusion.sum(axis=2)[:, pair].sum(axis=1).mean())
        numbers = (galaxies, mean, 2 * std, 2 * ste, difference, half, paired)
        rows.append((name, metric, result.epoch, len(scores), *numbers))
    return pd.DataFrame(rows, columns=columns)


def table(data: pd.DataFrame) -> Table:
    """The accuracies on spirals and ellipticals alone."""
    shown = {
        say("Networks trained on"): [thesis.label(name) for name in data["condition"]],
        say("Metric"): [metric_label(metric) for metric in data["metric"]],
        say("Epoch"): data["epoch"].map(str),
        say("Spirals and ellipticals per test part"): data["galaxies"].map(lambda value: number(value, 1)),
        say("Mean ± 2 std"): pairs(data["mean"], data["two_std"]),
        say("± 2 std errors"): [f"± {number(value)}" for value in data["two_ste"]],
    }
    caption = say(
        "Spirals against ellipticals only. Networks that also know the class uncertain are judged on the spirals and "
        "ellipticals of their test parts, their answer restricted to those two classes. Confirmed runs."
    )
    if data["difference"].notna().any():
        shown[say("Less the control, corrected 95 % interval")] = pairs(data["difference"], data["half"], signed=True)
        control = say(
            "The control is trained on the spirals and ellipticals alone that a draw of three classes has, and tested "
            "on those of that draw: the two are compared run by run on the same galaxies."
        )
        caption = sentences([caption, control])
    return Table("question_1", caption, data, pd.DataFrame(shown))
