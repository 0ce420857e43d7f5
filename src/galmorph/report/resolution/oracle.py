"""The best epoch for each level that is tested at: what a user who cannot know it would have gained by knowing it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from galmorph.report.language import say
from galmorph.report.resolution.labels import spoken
from galmorph.report.resolution.results import ResolutionResults
from galmorph.report.resolution.scores import mean_std
from galmorph.report.resolution.tables import plus_minus_signed
from galmorph.report.table import Table, pairs, plus_minus


def oracle(results: ResolutionResults) -> pd.DataFrame:
    """Return one row per pair of levels whose accuracy after every epoch is known.

    Returns
    -------
    pandas.DataFrame
        trained, tested, epoch (selected where it was trained), mean, std: accuracy there; best_epoch (of the highest
        mean accuracy where it is tested), best_mean, best_std; gain_mean, gain_std: run by run. All of it on the runs
        of the selected phase, so that the best is best on the very galaxies that chose it.
    """
    rows = []
    for (trained, tested), accuracy in results.oracle.items():
        own = results.epochs[trained]
        best = int(np.argmax(accuracy.mean(axis=0))) + 1
        here, there = accuracy[:, own - 1], accuracy[:, best - 1]
        rows.append(
            (trained, tested, own, *mean_std(here), best, *mean_std(there), *mean_std(there - here), len(accuracy))
        )
    columns = ["trained", "tested", "epoch", "mean", "std", "best_epoch", "best_mean", "best_std"]
    return pd.DataFrame(rows, columns=[*columns, "gain_mean", "gain_std", "runs"])


def sentence(results: ResolutionResults) -> str:
    """Say for which pair of levels the oracle gains most; empty where none was looked for."""
    if not results.oracle:
        return ""
    most = oracle(results).sort_values("gain_mean", ascending=False, kind="stable").to_dict("records")[0]
    names = {level.name: spoken(level) for level in results.levels}
    return say(
        "Whoever knew the best epoch for what is tested would gain most with networks trained at {trained} and tested "
        "at {tested}: {best} after epoch {best_epoch}, against {own} after epoch {epoch}, the one selected where they "
        "are trained.",
        trained=names[most["trained"]],
        tested=names[most["tested"]],
        best=plus_minus(most["best_mean"], most["best_std"]),
        best_epoch=most["best_epoch"],
        own=plus_minus(most["mean"], most["std"]),
        epoch=most["epoch"],
    )


def resolution_oracle(results: ResolutionResults) -> Table | None:
    """The epoch that a user would choose beside the best one for each tested level; None where none was looked for."""
    if not results.oracle:
        return None
    data = oracle(results)
    names = {level.name: spoken(level) for level in results.levels}
    gains = zip(data["gain_mean"], data["gain_std"], strict=True)
    shown = pd.DataFrame(
        {
            say("Trained at"): data["trained"].map(names),
            say("Tested at"): data["tested"].map(names),
            say("Selected epoch"): data["epoch"].map(str),
            say("Accuracy ± std"): pairs(data["mean"], data["std"]),
            say("Best epoch"): data["best_epoch"].map(str),
            say("Accuracy there ± std"): pairs(data["best_mean"], data["best_std"]),
            say("Gain ± std"): [plus_minus_signed(mean, std) for mean, std in gains],
        }
    )
    caption = say(
        "The epoch that is selected where networks are trained, as a user would have to choose it, beside the epoch "
        "with the highest mean accuracy where they are tested: an oracle, which looks at the answers. Both on the runs "
        "that select the epoch, trained again and tested at every level after every epoch; mean ± 1 std."
    )
    return Table("resolution_oracle", caption, data, shown)
