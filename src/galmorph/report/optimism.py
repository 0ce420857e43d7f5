"""How optimistic it is to choose the epoch on the test data.

It is measured twice: by the confirmed runs, which are fresh and did not choose the epoch; and without new training,
from the selected runs alone, where each half of the test galaxies is scored at the epoch that the other half chooses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from galmorph.report import thesis
from galmorph.report.accuracy import spread
from galmorph.report.language import in_turn, mark, say, sentences
from galmorph.report.study import Study
from galmorph.report.table import BINOMIAL, METRICS, Table, pairs, plus_minus
from galmorph.scores import metrics
from galmorph.scores.evaluation import ConditionRecords
from galmorph.scores.predictions import Predictions, gather, predictions
from galmorph.scores.statistics import Metric, binomial_std, corrected_mean, score_overlap, unpaired_difference
from galmorph.settings.study import ProtocolSettings
from galmorph.training.protocol import generator, selected_epoch

ON_TEST = mark(
    "Test accuracy, mean over the runs. The epoch is selected on the test parts themselves, so the first accuracy "
    "is optimistic; the confirmed one is that of fresh runs stopped at that epoch. The baseline is the accuracy of "
    "always answering the commonest class."
)
ON_VALIDATION = mark(
    "Test accuracy, mean over the runs. The epoch is selected on validation parts, {percent} % of each training part, "
    "with which the run of that part neither trains nor is scored; the confirmed accuracy is that of fresh runs "
    "stopped at that epoch. The baseline is the accuracy of always answering the commonest class."
)

_SCORES: dict[Metric, Callable[[NDArray[np.int64]], NDArray[np.float64]]] = {
    "accuracy": metrics.accuracy,
    "tss": metrics.tss,
}


def how_chosen(protocol: ProtocolSettings) -> str:
    """Say what the accuracies are, and on what their epoch is chosen."""
    if protocol.validation_fraction is None:
        return say(ON_TEST)
    return say(ON_VALIDATION, percent=f"{100 * protocol.validation_fraction:g}")


def chosen_on_half(condition: ConditionRecords, seed: int) -> tuple[tuple[int, int], Predictions]:
    """Return the epochs that each half of the test galaxies chooses, and the predictions for the other half.

    The galaxies, not the places in a test part, are halved at random: one that several runs test chooses in all of
    them or in none. An epoch is chosen as the protocol does: the highest mean accuracy over the runs.

    Parameters
    ----------
    seed
        protocol.seed.
    """
    records = condition.phases["selected"]
    tests = [record.sets["test"] for record in records]
    galaxies = np.unique(np.concatenate([test.rows for test in tests]))
    order = generator(seed, "selected", 0, "halves of the test galaxies").permutation(galaxies)
    in_first = [np.isin(test.rows, order[: len(galaxies) // 2]) for test in tests]
    right = [record.predicted == test.truth for record, test in zip(records, tests, strict=True)]

    def epoch_of(half: list[NDArray[np.bool_]]) -> int:
        return selected_epoch(
            [hits[:, chosen].mean(axis=1) for hits, chosen in zip(right, half, strict=True) if chosen.any()]
        )

    first, second = epoch_of(in_first), epoch_of([~chosen for chosen in in_first])
    predicted = [
        np.where(chosen, record.predicted[second - 1], record.predicted[first - 1])
        for record, chosen in zip(records, in_first, strict=True)
    ]
    return (first, second), gather(records[0].classes, tests, predicted)


def optimism(study: Study) -> pd.DataFrame:
    """Return the scores at the selected epoch beside those that are not chosen on themselves.

    Returns
    -------
    pandas.DataFrame
        condition, metric, runs, epoch, selected_mean, selected_std, selected_binomial (the standard deviation that the
        number of test galaxies alone gives); first_half_epoch, second_half_epoch (chosen by each half), halves_mean,
        halves_std, halves_binomial, halves_excess (selected less halves, run by run on the same galaxies) and
        halves_half (of its corrected 95 % interval); confirmed_mean, confirmed_std, confirmed_binomial,
        confirmed_excess (selected less confirmed, other galaxies) and confirmed_half; overlap_halves (of the test
        parts, as that difference weights their classes), overlap_selected, overlap_confirmed.
    """
    rows = []
    for name, result in study.results.items():
        records = study.records[name]
        epochs, crossed = chosen_on_half(records, study.settings.protocol.seed)
        first, fresh = (predictions(records, phase) for phase in ("selected", "confirmed"))
        matrices = {"selected": first.confusion(), "halves": crossed.confusion(), "confirmed": fresh.confusion()}
        for metric, score in _SCORES.items():
            selected, halves, confirmed = (score(of_runs) for of_runs in matrices.values())
            overlaps = {"overlap_halves": score_overlap(metric, first, crossed)}
            overlaps |= {"overlap_selected": score_overlap(metric, first)}
            overlaps |= {"overlap_confirmed": score_overlap(metric, fresh)}
            same = corrected_mean(selected - halves, overlaps["overlap_halves"])
            other = unpaired_difference(
                corrected_mean(confirmed, overlaps["overlap_confirmed"]),
                corrected_mean(selected, overlaps["overlap_selected"]),
            )
            row: dict[str, Any] = {"condition": name, "metric": metric, "runs": len(selected), "epoch": result.epoch}
            row["first_half_epoch"], row["second_half_epoch"] = epochs
            for part, values in (("selected", selected), ("halves", halves), ("confirmed", confirmed)):
                row[f"{part}_mean"], row[f"{part}_std"], _ = spread(pd.Series(values))
                row[f"{part}_binomial"] = binomial_std(matrices[part], metric)
            row |= {"halves_excess": same.mean, "halves_half": same.half_width()}
            row |= {"confirmed_excess": other.mean, "confirmed_half": other.half_width()}
            rows.append(row | overlaps)
    return pd.DataFrame(rows)


def table(data: pd.DataFrame) -> Table:
    """Selected, chosen on half, and confirmed scores."""
    shown = pd.DataFrame(
        {
            say("Condition"): [thesis.label(name) for name in data["condition"]],
            say("Metric"): [say(METRICS[metric]) for metric in data["metric"]],
            say("Epoch"): data["epoch"].map(str),
            say("Selected ± std"): _spreads(data, "selected"),
            say("Epochs of the halves"): [
                f"{a}, {b}" for a, b in zip(data["first_half_epoch"], data["second_half_epoch"], strict=True)
            ],
            say("Chosen on half ± std"): _spreads(data, "halves"),
            say("Selected less chosen on half, corrected 95 % interval"): pairs(
                data["halves_excess"], data["halves_half"], signed=True
            ),
            say("Confirmed ± std"): _spreads(data, "confirmed"),
            say("Selected less confirmed, corrected 95 % interval"): pairs(
                data["confirmed_excess"], data["confirmed_half"], signed=True
            ),
        }
    )
    caption = say(
        "Scores at the epoch that the same test parts selected; with the epoch chosen on half of the test part, scored "
        "on the other half, and the other way round, in the same runs; and of the confirmed runs, fresh ones stopped "
        "at the selected epoch. The second difference is of runs that were tested on other galaxies; what the two "
        "phases share is not taken out of its interval, which is therefore rather too wide."
    )
    return Table("optimism", sentences([caption, say(BINOMIAL)]), data, shown)


def _spreads(data: pd.DataFrame, part: str) -> list[str]:
    """Return mean ± std of one kind of score, its binomial spread in brackets."""
    return pairs(data[f"{part}_mean"], data[f"{part}_std"], data[f"{part}_binomial"])


EXCESS = mark(
    "The accuracy at the selected epoch, less the one with the epoch chosen on half of the test part and scored on the "
    "other half: {excesses} (corrected 95 % intervals)."
)
NONE_KNOWN = mark("How much the choice of the epoch on test data adds to an accuracy cannot be said here.")


def sentence(data: pd.DataFrame) -> str:
    """Say by how much the choice of the epoch on the test data raises the accuracy of each condition."""
    known = data[(data["metric"] == "accuracy") & data["halves_excess"].notna()].to_dict("records")
    if not known:
        return say(NONE_KNOWN)
    excesses = in_turn(
        say(
            "{excess} for {condition}",
            excess=plus_minus(row["halves_excess"], row["halves_half"], signed=True),
            condition=thesis.label(row["condition"]),
        )
        for row in known
    )
    return say(EXCESS, excesses=excesses)
