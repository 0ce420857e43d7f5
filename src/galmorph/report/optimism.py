"""How optimistic it is to choose the epoch on the test data.

It is measured twice: by the confirmed runs, which are fresh and did not choose the epoch; and without new training,
from the selected runs alone, where each half of the test galaxies is scored at the epoch that the other half chooses.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from galmorph.report import thesis
from galmorph.report.accuracy import spread
from galmorph.report.language import mark, say
from galmorph.report.study import Study
from galmorph.report.table import METRICS, Table, pairs, plus_minus
from galmorph.scores import metrics
from galmorph.scores.evaluation import ConditionRecords
from galmorph.scores.predictions import Predictions, gather, predictions
from galmorph.scores.statistics import corrected_mean, mean_overlap, unpaired_difference
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

_SCORES = {"accuracy": metrics.accuracy, "tss": metrics.tss}


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
        condition, metric, runs, epoch, selected_mean, selected_std; first_half_epoch, second_half_epoch (chosen by
        each half), halves_mean, halves_std, halves_excess (selected less halves, run by run on the same galaxies) and
        halves_half (of its corrected 95 % interval); confirmed_mean, confirmed_std, confirmed_excess (selected less
        confirmed, other galaxies) and confirmed_half; overlap_selected, overlap_confirmed.
    """
    rows = []
    for name, result in study.results.items():
        records = study.records[name]
        epochs, crossed = chosen_on_half(records, study.settings.protocol.seed)
        matrices = crossed.confusion()
        overlap = mean_overlap(crossed.parts)
        overlap_confirmed = mean_overlap(predictions(records, "confirmed").parts)
        for metric, score in _SCORES.items():
            selected, confirmed = (part.scores[metric].to_numpy() for part in (result.selected, result.confirmed))
            halves = score(matrices)
            same = corrected_mean(selected - halves, overlap)
            fresh = unpaired_difference(corrected_mean(confirmed, overlap_confirmed), corrected_mean(selected, overlap))
            row: dict[str, Any] = {"condition": name, "metric": metric, "runs": len(selected), "epoch": result.epoch}
            row["first_half_epoch"], row["second_half_epoch"] = epochs
            for part, values in (("selected", selected), ("halves", halves), ("confirmed", confirmed)):
                row[f"{part}_mean"], row[f"{part}_std"], _ = spread(pd.Series(values))
            row |= {"halves_excess": same.mean, "halves_half": same.half_width()}
            row |= {"confirmed_excess": fresh.mean, "confirmed_half": fresh.half_width()}
            rows.append(row | {"overlap_selected": overlap, "overlap_confirmed": overlap_confirmed})
    return pd.DataFrame(rows)


def table(data: pd.DataFrame) -> Table:
    """Selected, chosen on half, and confirmed scores."""
    shown = pd.DataFrame(
        {
            say("Condition"): [thesis.label(name) for name in data["condition"]],
            say("Metric"): [say(METRICS[metric]) for metric in data["metric"]],
            say("Epoch"): data["epoch"].map(str),
            say("Selected ± 2 std"): pairs(data["selected_mean"], 2 * data["selected_std"]),
            say("Epochs of the halves"): [
                f"{a}, {b}" for a, b in zip(data["first_half_epoch"], data["second_half_epoch"], strict=True)
            ],
            say("Chosen on half ± 2 std"): pairs(data["halves_mean"], 2 * data["halves_std"]),
            say("Selected less chosen on half, corrected 95 % interval"): pairs(
                data["halves_excess"], data["halves_half"], signed=True
            ),
            say("Confirmed ± 2 std"): pairs(data["confirmed_mean"], 2 * data["confirmed_std"]),
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
    return Table("optimism", caption, data, shown)


EXCESS = mark(
    "The accuracy at the selected epoch, less the one with the epoch chosen on half of the test part and scored on the "
    "other half, is {excess} for {condition} (corrected 95 % interval), which is the largest such difference."
)
NONE_KNOWN = mark("How much the choice of the epoch on test data adds to an accuracy cannot be said here.")


def sentence(data: pd.DataFrame) -> str:
    """Say by how much the choice of the epoch on the test data raises the accuracy at most."""
    accuracy = data[(data["metric"] == "accuracy") & data["halves_excess"].notna()]
    if accuracy.empty:
        return say(NONE_KNOWN)
    row = accuracy.sort_values("halves_excess", ascending=False, kind="stable").to_dict("records")[0]
    excess = plus_minus(row["halves_excess"], row["halves_half"], signed=True)
    return say(EXCESS, condition=thesis.label(row["condition"]), excess=excess)
