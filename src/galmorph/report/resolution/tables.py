"""The tables of the chapter: each as a DataFrame at full precision, and as a `Table` with headings and a caption.

Every spread is one standard deviation over the runs (ddof = 1). A loss, change or gain is taken run by run, so its
spread is that of the differences.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from galmorph.report.language import class_name, in_turn, mark, plural, reason_name, say, sentences
from galmorph.report.resolution.results import (
    ABLATION,
    LEVEL,
    REMEDY,
    SURVEY,
    Floats,
    ResolutionResults,
    ends,
    in_line,
    levels_tested,
    levels_trained,
    loss,
    mean_std,
    of_role,
    score,
    spoken,
)
from galmorph.report.table import Table, number, pairs, plus_minus, whole
from galmorph.scores.statistics import corrected_interval

_USES: Mapping[str, str] = MappingProxyType(
    {
        LEVEL: mark("trained and tested"),
        ABLATION: mark("tested only"),
        REMEDY: mark("remedy, trained only"),
        SURVEY: mark("another survey, trained and tested"),
    }
)
SCORES: Mapping[str, str] = MappingProxyType(
    {
        "accuracy": mark("Accuracy ± std"),
        "tss": mark("TSS ± std"),
        "recall": mark("Recall of {galaxies} ± std"),
    }
)
CHANGES: Mapping[str, str] = MappingProxyType(
    {
        "accuracy": mark("Change of accuracy"),
        "tss": mark("Change of TSS"),
        "recall": mark("Change of recall of {galaxies}"),
    }
)
AS_IS, MATCHED = mark("as it is"), mark("trained at the target")
_GAINS = {"accuracy": mark("Gain in accuracy, 95 % interval"), "tss": mark("Gain in TSS, 95 % interval")}


def resolution_levels(results: ResolutionResults) -> Table:
    """The levels, and which galaxies are in the sample."""
    data = levels(results)
    shown = pd.DataFrame(
        {
            say("Level"): data["level"].map(_spoken(results)),
            say("Use"): [say(_USES[role]) for role in data["role"]],
            say("PSF FWHM (″)"): data["psf_fwhm"].map(lambda value: number(value, 2)),
            say("Pixel (″)"): data["pixel_scale"].map(number),
            say("Noise (DN a pixel)"): data["noise"].map(lambda value: number(value, 2)),
            say("Selected epoch"): data["epoch"].map(whole),
        }
    )
    seen = say(
        "The resolutions at which the same {galaxies:,} galaxies are seen. A dash stands for noise left as "
        "it is, for no single FWHM, and for no training.",
        galaxies=results.galaxies,
    )
    others = [
        say("{survey} has {galaxies:,} galaxies of its own.", survey=name, galaxies=count)
        for name, count in results.surveys.items()
    ]
    caption = sentences([seen, left_out(results), *others])
    return Table("resolution_levels", caption, data, shown, results=False)


def levels(results: ResolutionResults) -> pd.DataFrame:
    """Return one row per level: level, role, psf_fwhm, pixel_scale, noise, epoch (missing where not trained)."""
    columns = ["level", "role", "psf_fwhm", "pixel_scale", "noise", "epoch"]
    rows = [
        (level.name, level.role, level.psf_fwhm, level.pixel_scale, level.noise, results.epochs.get(level.name))
        for level in results.levels
    ]
    return pd.DataFrame(rows, columns=columns).astype({"epoch": "Int64"})


def left_out(results: ResolutionResults) -> str:
    """Return a sentence on the galaxies that are not in the resolution sample, by reason."""
    reasons = {reason: count for reason, count in results.left_out.items() if count}
    total = sum(reasons.values())
    if not total:
        return say("No galaxy is left out.")
    counts = in_turn(
        say("{reason}, {galaxies:,}", reason=reason_name(reason), galaxies=count) for reason, count in reasons.items()
    )
    if total == 1:
        return say("1 galaxy is left out: {counts}.", counts=counts)
    return say("{galaxies:,} galaxies are left out: {counts}.", galaxies=total, counts=counts)


def resolution_matrix(results: ResolutionResults) -> Table:
    """Every trained level, tested at every level."""
    data = matrix(results)
    names = _spoken(results)
    shown = pd.DataFrame(
        {
            say("Trained at"): data["trained"].map(names),
            say("Tested at"): data["tested"].map(names),
            say("Epoch"): data["epoch"].map(str),
            say("Runs"): data["runs"].map(str),
            **{
                heading(metric, SCORES): pairs(data[f"{metric}_mean"], data[f"{metric}_std"])
                for metric in metrics_of(results)
            },
            say("Majority baseline"): data["baseline"].map(number),
            say("Loss of accuracy ± std"): pairs(data["loss_mean"], data["loss_std"]),
        }
    )
    caption = say(
        "Networks trained at one resolution and tested at another: mean over the runs ± 1 std. The loss is the "
        "accuracy of networks trained at the resolution of the test less that of these, run by run; it is zero by "
        "definition where both are the same."
    )
    if of_role(results, ABLATION):
        caption = sentences([caption, say("A dash: no network is trained there.")])
    return Table("resolution_matrix", caption, data, shown)


def matrix(results: ResolutionResults) -> pd.DataFrame:
    """Return one row per pair of levels, trained at and tested at.

    Returns
    -------
    pandas.DataFrame
        trained, tested, epoch, runs; accuracy, tss and recall_CLASS, each with _mean and _std; baseline (its mean);
        loss_mean, loss_std: the accuracy of networks trained where they are tested less this one, run by run (NaN
        where no network is trained).
    """
    rows = []
    for trained in levels_trained(results):
        for tested in levels_tested(results):
            row: dict[str, Any] = {
                "trained": trained.name,
                "tested": tested.name,
                "epoch": results.epochs[trained.name],
                "runs": results.runs,
            }
            for metric in metrics_of(results):
                row |= _columns(metric, score(results, metric, trained, tested))
            row["baseline"] = mean_std(score(results, "baseline", trained, tested))[0]
            row |= _columns("loss", loss(results, "accuracy", trained, tested))
            rows.append(row)
    return pd.DataFrame(rows)


def metrics_of(results: ResolutionResults) -> tuple[str, ...]:
    """Return the metrics of the tables: accuracy, tss, and recall_CLASS of each class."""
    return ("accuracy", "tss", *(f"recall_{name}" for name in results.classes))


def resolution_confusion(results: ResolutionResults) -> Table:
    """The confusion matrices at the corners, one row per true class."""
    data = confusion(results)
    names = _spoken(results)
    cells = data.assign(cell=[plus_minus(m, s, 1) for m, s in zip(data["mean"], data["std"], strict=True)])
    first = cells[cells["predicted"] == results.classes[0]]
    shown = pd.DataFrame(
        {
            say("Trained at"): first["trained"].map(names).to_numpy(),
            say("Tested at"): first["tested"].map(names).to_numpy(),
            say("True class"): [class_name(name) for name in first["actual"]],
            **{
                say("Called {name}", name=class_name(name)): cells.loc[cells["predicted"] == name, "cell"].to_numpy()
                for name in results.classes
            },
        }
    )
    caption = say(
        "Confusion matrices of the first and the last level, trained and tested: galaxies per run, mean ± 1 std over "
        "the runs."
    )
    return Table("resolution_confusion", caption, data, shown)


def confusion(results: ResolutionResults) -> pd.DataFrame:
    """Return the confusion matrices of the first and the last level, trained and tested.

    Returns
    -------
    pandas.DataFrame
        trained, tested, actual, predicted, mean, std (galaxies per run).
    """
    rows = []
    for trained in ends(results):
        for tested in ends(results):
            matrices = results.confusion[trained.name, tested.name]
            for i, actual in enumerate(results.classes):
                for j, predicted in enumerate(results.classes):
                    mean, std = mean_std(matrices[:, i, j].astype(np.float64))
                    rows.append((trained.name, tested.name, actual, predicted, mean, std))
    return pd.DataFrame(rows, columns=["trained", "tested", "actual", "predicted", "mean", "std"])


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
        shown[say(SCORES[metric])] = pairs(data[f"{metric}_mean"], data[f"{metric}_std"])
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


def resolution_ablation(results: ResolutionResults) -> Table | None:
    """What each part of the change of resolution does by itself; None where there is no ablation."""
    if not of_role(results, ABLATION):
        return None
    data = ablation(results)
    first = ends(results)[0]
    columns = {say("Tested at"): list(data["tested"].map(_spoken(results)))}
    for metric in metrics_of(results):
        columns[heading(metric, SCORES)] = pairs(data[f"{metric}_mean"], data[f"{metric}_std"])
        columns[heading(metric, CHANGES)] = [
            plus_minus_signed(mean, std)
            for mean, std in zip(data[f"{metric}_change_mean"], data[f"{metric}_change_std"], strict=True)
        ]
    accuracy = plus_minus(*mean_std(score(results, "accuracy", first, first)))
    caption = say(
        "Networks trained at {trained}, tested where only a part of the resolution differs, and at the last level: "
        "mean over the runs ± 1 std. A change is against the same network tested at {first}, where the accuracy is "
        "{accuracy}.",
        trained=in_line(first),
        first=spoken(first),
        accuracy=accuracy,
    )
    return Table("resolution_ablation", caption, data, pd.DataFrame(columns))


def ablation(results: ResolutionResults) -> pd.DataFrame:
    """Return how networks trained at the first level fare at each ablation and at the last level.

    Returns
    -------
    pandas.DataFrame
        trained, tested, epoch, runs; accuracy, tss and recall_CLASS, each with _mean and _std, then its _change_mean
        and _change_std: this less that of the same network tested at the first level.
    """
    first, last = ends(results)[0], ends(results)[-1]
    rows = []
    for tested in (*of_role(results, ABLATION), *((last,) if last.name != first.name else ())):
        row: dict[str, Any] = {
            "trained": first.name,
            "tested": tested.name,
            "epoch": results.epochs[first.name],
            "runs": results.runs,
        }
        for metric in metrics_of(results):
            here = score(results, metric, first, tested)
            row |= _columns(metric, here)
            row |= _columns(f"{metric}_change", here - score(results, metric, first, first))
        rows.append(row)
    return pd.DataFrame(rows)


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


def heading(metric: str, of: Mapping[str, str]) -> str:
    """Return the heading of a column of a metric: one of `SCORES`, or of `CHANGES`."""
    if metric.startswith("recall_"):
        return say(of["recall"], galaxies=plural(metric.removeprefix("recall_")))
    return say(of[metric])


def plus_minus_signed(mean: float, std: float) -> str:
    """Return a difference with its sign ± its spread; a dash for what is missing."""
    text = plus_minus(mean, std)
    return text.replace(number(mean), number(mean, signed=True), 1)


def _columns(name: str, values: Floats) -> dict[str, float]:
    mean, std = mean_std(values)
    return {f"{name}_mean": mean, f"{name}_std": std}


def _spoken(results: ResolutionResults) -> Mapping[str, str]:
    return {level.name: spoken(level) for level in results.levels}
