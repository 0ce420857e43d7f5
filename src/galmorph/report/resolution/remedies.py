"""The table of the remedies: what each way of training reaches where the images are worst."""

from __future__ import annotations

from typing import Any

import pandas as pd

from galmorph.report.language import mark, say
from galmorph.report.resolution.labels import spoken
from galmorph.report.resolution.results import REMEDY, ResolutionResults, ends, levels_tested, of_role
from galmorph.report.resolution.scores import mean_std, score
from galmorph.report.resolution.tables import plus_minus_signed
from galmorph.report.table import Table, pairs
from galmorph.statistics import corrected_interval

AS_IS, MATCHED = mark("as it is"), mark("trained at the target")
_SCORES = {"accuracy": mark("Accuracy ± std"), "tss": mark("TSS ± std")}
_GAINS = {"accuracy": mark("Gain in accuracy, 95 % interval"), "tss": mark("Gain in TSS, 95 % interval")}


def remedies(results: ResolutionResults) -> pd.DataFrame:
    """Return one row per target and way of training: as it is, at the target, and each remedy for it.

    The targets are the last level, and any other that a remedy is for.

    Returns
    -------
    pandas.DataFrame
        training, trained, tested, epoch, runs; accuracy and tss, each with _mean and _std, then _gain, the mean
        difference from training at the first level as it is, run by run, and _half, half of its 95 % interval,
        corrected for the overlap of the test parts; overlap.
    """
    first, last = ends(results)[0], ends(results)[-1]
    means = of_role(results, REMEDY)
    wanted = {last.name, *(remedy.target for remedy in means)}
    rows = []
    for target in (level for level in levels_tested(results) if level.name in wanted):
        ways = [(AS_IS, first), (MATCHED, target)]
        ways += [(spoken(remedy), remedy) for remedy in means if remedy.target == target.name]
        for way, trained in ways:
            row: dict[str, Any] = {
                "training": way,
                "trained": trained.name,
                "tested": target.name,
                "epoch": results.epochs[trained.name],
                "runs": results.runs,
            }
            overlap = results.overlap[target.name]
            for metric in ("accuracy", "tss"):
                here = score(results, metric, trained, target)
                row[f"{metric}_mean"], row[f"{metric}_std"] = mean_std(here)
                gains = here - score(results, metric, first, target)
                row[f"{metric}_gain"], row[f"{metric}_half"] = corrected_interval(gains, overlap)
            rows.append(row | {"overlap": overlap})
    return pd.DataFrame(rows)


def resolution_remedies(results: ResolutionResults) -> Table | None:
    """What each way of training reaches at its target; None where there is but one level."""
    first, last = ends(results)[0], ends(results)[-1]
    if first.name == last.name:
        return None
    data = remedies(results)
    names = {level.name: spoken(level) for level in levels_tested(results)}
    shown: dict[str, list[str]] = {
        say("Training"): [say(way) if way in (AS_IS, MATCHED) else way for way in data["training"]],
        say("Tested at"): data["tested"].map(names).tolist(),
    }
    for metric in ("accuracy", "tss"):
        shown[say(_SCORES[metric])] = pairs(data[f"{metric}_mean"], data[f"{metric}_std"])
        gains = zip(data[f"{metric}_gain"], data[f"{metric}_half"], strict=True)
        shown[say(_GAINS[metric])] = [plus_minus_signed(gain, half) for gain, half in gains]
    caption = say(
        "Ways to train for what is seen less sharply, or by another survey, tested there: mean over the runs ± 1 std, "
        "and the gain over networks trained at {first} as they are, run by run, ± half of its 95 % interval, corrected "
        "for the galaxies that test parts share, {overlap:.1f} % in the mean at {last}.",
        first=spoken(first),
        overlap=100 * results.overlap[last.name],
        last=spoken(last),
    )
    return Table("resolution_remedies", caption, data, pd.DataFrame(shown))
