"""What the probabilities of two-class networks are worth: ROC, calibration, and their numbers.

The positive class is spiral. Networks of more classes are left out: their probabilities are of another question.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.calibration import calibration_curve
from sklearn.metrics import roc_auc_score, roc_curve

from galmorph.report import thesis
from galmorph.report.accuracy import spread
from galmorph.report.language import say, set_name
from galmorph.report.study import Results, Study
from galmorph.report.table import Table, number, pairs, whole
from galmorph.scores.predictions import OWN_TEST_PART, Predictions, predictions
from galmorph.training.protocol import COMMON_SETS, EVALUATION_CLASSES

POSITIVE = EVALUATION_CLASSES[0]
BINS = 10
# Where the curves of the runs are averaged; every fifth point goes into the table.
FALSE_POSITIVE_RATES = np.linspace(0.0, 1.0, 101)
_TABLE_STEP = 5

Floats = NDArray[np.float64]


def two_class(results: Results) -> list[str]:
    """Return the conditions that know spiral and elliptical and nothing else."""
    return [name for name, result in results.items() if set(result.classes) == set(EVALUATION_CLASSES)]


def positives(given: Predictions) -> tuple[NDArray[np.bool_], Floats]:
    """Return which galaxies are spirals, and the probability of that which the networks gave, (n,) each."""
    column = given.classes.index(POSITIVE)
    # Single precision may end a rounding error above 1, which scikit-learn refuses.
    return given.truth == column, np.clip(given.probabilities[:, column].astype(np.float64), 0.0, 1.0)


def by_run(given: Predictions, score: Callable[[NDArray[np.bool_], Floats], float]) -> Floats:
    """Return a score of each run, (runs,); NaN where its galaxies are all of one class."""
    true, probability = positives(given)
    values = []
    for run in range(given.runs):
        chosen = given.run == run
        values.append(score(true[chosen], probability[chosen]) if len(np.unique(true[chosen])) == 2 else math.nan)
    return np.array(values)


def roc_curves(given: Predictions) -> Floats:
    """Return the true positive rate of each run at `FALSE_POSITIVE_RATES`, (runs, 101), all from 0 at 0.

    Averaged over the runs this is the vertical average of Fawcett (2006, Pattern Recognition Letters 27, 861).
    """
    true, probability = positives(given)
    curves = np.full((given.runs, len(FALSE_POSITIVE_RATES)), np.nan)
    for run in range(given.runs):
        chosen = given.run == run
        if len(np.unique(true[chosen])) == 2:
            false_rate, true_rate, _ = roc_curve(true[chosen], probability[chosen])
            curves[run] = np.interp(FALSE_POSITIVE_RATES, false_rate, true_rate)
    curves[:, 0] = 0.0
    return curves


def reliability(true: NDArray[np.bool_], probability: Floats) -> pd.DataFrame:
    """Return how often galaxies are spirals, by the probability given for it, in ten bins of equal width.

    Returns
    -------
    pandas.DataFrame
        low, high (of the bin), galaxies, probability (mean of the bin's), frequency (share of spirals): the last two
        NaN for an empty bin.
    """
    edges = np.linspace(0.0, 1.0, BINS + 1)
    counted = np.bincount(np.searchsorted(edges[1:-1], probability), minlength=BINS)
    table = pd.DataFrame({"low": edges[:-1], "high": edges[1:], "galaxies": counted})
    table[["probability", "frequency"]] = math.nan
    if counted.any():
        frequency, mean = calibration_curve(true, probability, pos_label=True, n_bins=BINS)
        table.loc[counted > 0, "probability"] = mean
        table.loc[counted > 0, "frequency"] = frequency
    return table


def expected_calibration_error(true: NDArray[np.bool_], probability: Floats) -> float:
    """Return the mean over the galaxies of |frequency - probability| of their bin (Naeini et al. 2015, AAAI).

    In few galaxies it is too high, because a frequency errs in a bin that holds few of them.
    """
    table = reliability(true, probability).dropna()
    return float(np.average((table["frequency"] - table["probability"]).abs(), weights=table["galaxies"]))


def scores(study: Study) -> pd.DataFrame:
    """Return the numbers of ROC and calibration of each condition of two classes, on each set of confirmed runs.

    Returns
    -------
    pandas.DataFrame
        condition, evaluated_on, runs, galaxies (predictions of all runs), auc_mean, auc_std; ece, of the predictions
        of all runs together; ece_mean, ece_std, over the runs.
    """
    rows = []
    for name in two_class(study.results):
        for evaluated_on in (OWN_TEST_PART, *COMMON_SETS):
            given = predictions(study.records[name], "confirmed", evaluated_on)
            auc = spread(pd.Series(by_run(given, lambda true, p: float(roc_auc_score(true, p)))))
            error = spread(pd.Series(by_run(given, expected_calibration_error)))
            together = expected_calibration_error(*positives(given))
            numbers = (given.runs, len(given.run), *auc[:2], together, *error[:2])
            rows.append((name, evaluated_on, *numbers))
    columns = ["condition", "evaluated_on", "runs", "galaxies", "auc_mean", "auc_std", "ece", "ece_mean", "ece_std"]
    return pd.DataFrame(rows, columns=columns)


def table(data: pd.DataFrame) -> Table:
    """Area under the ROC curve, and calibration errors."""
    shown = pd.DataFrame(
        {
            say("Condition"): [thesis.label(name) for name in data["condition"]],
            say("Evaluated on"): [set_name(where) for where in data["evaluated_on"]],
            say("Predictions"): data["galaxies"].map(whole),
            say("Area under the ROC curve ± std"): pairs(data["auc_mean"], data["auc_std"]),
            say("Calibration error, all runs together"): data["ece"].map(number),
            say("Calibration error of a run ± std"): pairs(data["ece_mean"], data["ece_std"]),
        }
    )
    caption = say(
        "Probabilities of a spiral that the confirmed networks of two classes gave. The area under the ROC curve is "
        "the chance that a spiral is given a higher one than an elliptical. The expected calibration error is the mean "
        "distance between the probability given and the share of spirals among those given it, in ten bins; that of a "
        "single run is too high, because its bins hold few galaxies."
    )
    return Table("probabilities", caption, data, shown)


def curve_tables(study: Study) -> tuple[Table, Table] | None:
    """Return the mean ROC curves and the reliability diagrams in numbers; None where no condition has two classes.

    They are written beside the others, and not shown on the page, which has them as figures.
    """
    rocs, diagrams = [], []
    for name in two_class(study.results):
        given = predictions(study.records[name], "confirmed")
        curves = pd.DataFrame(roc_curves(given)).agg(["mean", "std"]).T.iloc[::_TABLE_STEP]
        rates = FALSE_POSITIVE_RATES[::_TABLE_STEP]
        rocs.append(curves.set_axis(["true_rate_mean", "true_rate_std"], axis=1).assign(false_rate=rates))
        diagrams.append(reliability(*positives(given)))
        for tables in (rocs, diagrams):
            tables[-1].insert(0, "condition", name)
    if not rocs:
        return None
    roc = pd.concat(rocs, ignore_index=True)[["condition", "false_rate", "true_rate_mean", "true_rate_std"]]
    bins = pd.concat(diagrams, ignore_index=True)
    shown_roc = pd.DataFrame(
        {
            say("Condition"): [thesis.label(name) for name in roc["condition"]],
            say("False positive rate"): roc["false_rate"].map(lambda value: number(value, 2)),
            say("True positive rate ± std"): pairs(roc["true_rate_mean"], roc["true_rate_std"]),
        }
    )
    shown_bins = pd.DataFrame(
        {
            say("Condition"): [thesis.label(name) for name in bins["condition"]],
            say("Probability given"): (bins["low"] + 0.5 / BINS).map(lambda centre: f"{number(centre, 2)} ± 0.05"),
            say("Predictions"): bins["galaxies"].map(whole),
            say("Mean probability"): bins["probability"].map(number),
            say("Share of spirals"): bins["frequency"].map(number),
        }
    )
    caption = say("Mean ROC curve over the confirmed runs, on their own test parts; the positive class is spiral.")
    caption_bins = say(
        "Reliability of the probability of a spiral: all confirmed runs together, on their own test parts."
    )
    return Table("roc", caption, roc, shown_roc), Table("reliability", caption_bins, bins, shown_bins)
