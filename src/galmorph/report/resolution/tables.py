"""The tables of the chapter on resolution.

Every spread is one standard deviation over the runs (ddof = 1). A loss, change or gain is taken run by run, so its
spread is that of the differences.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from galmorph.report.language import class_name, in_turn, level_name, mark, plural, reason_name, say, sentences
from galmorph.report.resolution.results import Floats, Level, ResolutionResults, mean_std
from galmorph.report.table import Table, number, pairs, plus_minus, whole
from galmorph.scores.statistics import corrected_mean

_USES = {
    "level": mark("trained and tested"),
    "ablation": mark("tested only"),
    "remedy": mark("remedy, trained only"),
    "survey": mark("another survey, trained and tested"),
}
_SCORES = {
    "accuracy": mark("Accuracy ± std"),
    "tss": mark("TSS ± std"),
    "recall": mark("Recall of {galaxies} ± std"),
}
_CHANGES = {
    "accuracy": mark("Change of accuracy"),
    "tss": mark("Change of TSS"),
    "recall": mark("Change of recall of {galaxies}"),
}
_GAINS = {"accuracy": mark("Gain in accuracy, 95 % interval"), "tss": mark("Gain in TSS, 95 % interval")}
AS_IS, MATCHED = mark("as it is"), mark("trained at the target")


def chapter_tables(results: ResolutionResults) -> list[Table]:
    """Return the tables of the chapter, in order."""
    always = [levels(results), matrix(results), confusion(results)]
    further = [remedies(results), ablation(results), oracle(results)]
    return always + [table for table in further if table is not None]


def levels(results: ResolutionResults) -> Table:
    """One row per level; data: level, role, psf_fwhm, pixel_scale, noise, epoch (missing where not trained)."""
    columns = ["level", "role", "psf_fwhm", "pixel_scale", "noise", "epoch"]
    rows = [
        (level.name, level.role, level.psf_fwhm, level.pixel_scale, level.noise, results.epochs.get(level.name))
        for level in results.levels
    ]
    data = pd.DataFrame(rows, columns=columns).astype({"epoch": "Int64"})
    shown = pd.DataFrame(
        {
            say("Level"): data["level"].map(level_name),
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
    return Table("resolution_levels", sentences([seen, left_out(results), *others]), data, shown, results=False)


def left_out(results: ResolutionResults) -> str:
    """Return a sentence on the galaxies that are not in the resolution sample, by reason."""
    reasons = {reason: count for reason, count in results.left_out.items() if count}
    if not reasons:
        return say("No galaxy is left out.")
    counts = in_turn(
        say("{reason}, {galaxies:,}", reason=reason_name(reason), galaxies=count) for reason, count in reasons.items()
    )
    total = sum(reasons.values())
    if total == 1:
        return say("1 galaxy is left out: {counts}.", counts=counts)
    return say("{galaxies:,} galaxies are left out: {counts}.", galaxies=total, counts=counts)


def matrix(results: ResolutionResults) -> Table:
    """Every trained level, tested at every level.

    Its data: trained, tested, epoch, runs; accuracy, tss and recall_CLASS, each with _mean and _std; baseline (its
    mean); loss_mean, loss_std: the accuracy of networks trained where they are tested less this one (NaN where no
    network is trained).
    """
    rows = []
    for trained in results.trained:
        for tested in results.tested:
            row = _pair(results, trained, tested)
            for metric in _metrics(results):
                row |= _columns(metric, results.score(metric, trained, tested))
            row["baseline"] = mean_std(results.score("baseline", trained, tested))[0]
            rows.append(row | _columns("loss", results.loss("accuracy", trained, tested)))
    data = pd.DataFrame(rows)
    shown = pd.DataFrame(
        {
            say("Trained at"): data["trained"].map(level_name),
            say("Tested at"): data["tested"].map(level_name),
            say("Epoch"): data["epoch"].map(str),
            say("Runs"): data["runs"].map(str),
            **{_heading(metric, _SCORES): _pairs(data, metric) for metric in _metrics(results)},
            say("Majority baseline"): data["baseline"].map(number),
            say("Loss of accuracy ± std"): _pairs(data, "loss"),
        }
    )
    caption = say(
        "Networks trained at one resolution and tested at another: mean over the runs ± 1 std. The loss is the "
        "accuracy of networks trained at the resolution of the test less that of these, run by run; it is zero by "
        "definition where both are the same."
    )
    if results.of_role("ablation"):
        caption = sentences([caption, say("A dash: no network is trained there.")])
    return Table("resolution_matrix", caption, data, shown)


def confusion(results: ResolutionResults) -> Table:
    """The confusion matrices of the first and the last level, trained and tested.

    Its data: trained, tested, actual, predicted, mean, std (galaxies per run).
    """
    rows = [
        (trained.name, tested.name, actual, predicted, *mean_std(matrices[:, i, j]))
        for trained in results.corners
        for tested in results.corners
        for matrices in [results.confusion[trained.name, tested.name].astype(np.float64)]
        for i, actual in enumerate(results.classes)
        for j, predicted in enumerate(results.classes)
    ]
    data = pd.DataFrame(rows, columns=["trained", "tested", "actual", "predicted", "mean", "std"])
    cells = data.assign(cell=[plus_minus(m, s, 1) for m, s in zip(data["mean"], data["std"], strict=True)])
    wide = cells.pivot_table(
        "cell", ["trained", "tested", "actual"], "predicted", aggfunc="first", sort=False
    ).reset_index()
    shown = pd.DataFrame(
        {
            say("Trained at"): wide["trained"].map(level_name),
            say("Tested at"): wide["tested"].map(level_name),
            say("True class"): wide["actual"].map(class_name),
            **{say("Called {name}", name=class_name(name)): wide[name] for name in results.classes},
        }
    )
    caption = say(
        "Confusion matrices of the first and the last level, trained and tested: galaxies per run, mean ± 1 std over "
        "the runs."
    )
    return Table("resolution_confusion", caption, data, shown)


def remedies(results: ResolutionResults) -> Table | None:
    """Each way of training for a target: as it is, at the target, and each remedy; None if there is but one level.

    The targets are the last level, and any other that a remedy is for. Its data: training, trained, tested, epoch,
    runs; accuracy and tss, each with _mean and _std, then _gain, the mean difference from training at the first level
    as it is, and _half, half of its 95 % interval, corrected for the overlap of the test parts; overlap.
    """
    first, last = results.ends
    if first == last:
        return None
    declared = results.of_role("remedy")
    rows = []
    for target in results.tested:
        own = [(level_name(remedy.name), remedy) for remedy in declared if remedy.target == target.name]
        if own or target == last:
            ways = [(AS_IS, first), (MATCHED, target), *own]
            rows += [_remedy(results, training, trained, target) for training, trained in ways]
    data = pd.DataFrame(rows)
    shown = {
        say("Training"): [say(way) if way in (AS_IS, MATCHED) else way for way in data["training"]],
        say("Tested at"): data["tested"].map(level_name).tolist(),
    }
    for metric, gain in _GAINS.items():
        shown[say(_SCORES[metric])] = _pairs(data, metric)
        shown[say(gain)] = pairs(data[f"{metric}_gain"], data[f"{metric}_half"], signed=True)
    caption = say(
        "Ways to train for what is seen less sharply, or by another survey, tested there: mean over the runs ± 1 std, "
        "and the gain over networks trained at {first} as they are, run by run, ± half of its 95 % interval, corrected "
        "for the galaxies that test parts share, {overlap:.1f} % in the mean at {last}.",
        first=level_name(first.name),
        overlap=100 * results.overlap[last.name],
        last=level_name(last.name),
    )
    return Table("resolution_remedies", caption, data, pd.DataFrame(shown))


def _remedy(results: ResolutionResults, training: str, trained: Level, target: Level) -> dict[str, Any]:
    row = {"training": training} | _pair(results, trained, target)
    overlap = results.overlap[target.name]
    for metric in _GAINS:
        score = results.score(metric, trained, target)
        gain = corrected_mean(score - results.score(metric, results.ends[0], target), overlap)
        row |= _columns(metric, score) | {f"{metric}_gain": gain.mean, f"{metric}_half": gain.half_width()}
    return row | {"overlap": overlap}


def ablation(results: ResolutionResults) -> Table | None:
    """How networks trained at the first level score at each ablation and at the last level; None without ablations.

    Its data: trained, tested, epoch, runs; accuracy, tss and recall_CLASS, each with _mean and _std, then _change_mean
    and _change_std: this less that of the same network tested at the first level.
    """
    first, last = results.ends
    ablations = results.of_role("ablation")
    if not ablations:
        return None
    rows = []
    for tested in ablations if first == last else (*ablations, last):
        row = _pair(results, first, tested)
        for metric in _metrics(results):
            score = results.score(metric, first, tested)
            row |= _columns(metric, score)
            row |= _columns(f"{metric}_change", score - results.score(metric, first, first))
        rows.append(row)
    data = pd.DataFrame(rows)
    shown = {say("Tested at"): data["tested"].map(level_name).tolist()}
    for metric in _metrics(results):
        shown[_heading(metric, _SCORES)] = _pairs(data, metric)
        shown[_heading(metric, _CHANGES)] = _pairs(data, f"{metric}_change", signed=True)
    caption = say(
        "Networks trained at {trained}, tested where only a part of the resolution differs, and at the last level: "
        "mean over the runs ± 1 std. A change is against the same network tested at {first}, where the accuracy is "
        "{accuracy}.",
        trained=first.label,
        first=level_name(first.name),
        accuracy=plus_minus(*mean_std(results.score("accuracy", first, first))),
    )
    return Table("resolution_ablation", caption, data, pd.DataFrame(shown))


def oracle(results: ResolutionResults) -> Table | None:
    """The epoch that a user would choose beside the best one for each tested level; None if none was looked for.

    Its data: trained, tested, epoch (selected where it was trained), mean, std: accuracy there; best_epoch (of the
    highest mean accuracy where it is tested), best_mean, best_std; gain_mean, gain_std: run by run; runs. All of it on
    the runs of the selected phase, so that the best is best on the very galaxies that chose it.
    """
    if not results.oracle:
        return None
    rows = []
    for (trained, tested), accuracy in results.oracle.items():
        epoch, best = results.epochs[trained], int(np.argmax(accuracy.mean(axis=0))) + 1
        own, highest = accuracy[:, epoch - 1], accuracy[:, best - 1]
        gain = mean_std(highest - own)
        rows.append((trained, tested, epoch, *mean_std(own), best, *mean_std(highest), *gain, len(accuracy)))
    columns = ["trained", "tested", "epoch", "mean", "std", "best_epoch", "best_mean", "best_std"]
    data = pd.DataFrame(rows, columns=[*columns, "gain_mean", "gain_std", "runs"])
    shown = pd.DataFrame(
        {
            say("Trained at"): data["trained"].map(level_name),
            say("Tested at"): data["tested"].map(level_name),
            say("Selected epoch"): data["epoch"].map(str),
            say("Accuracy ± std"): pairs(data["mean"], data["std"]),
            say("Best epoch"): data["best_epoch"].map(str),
            say("Accuracy there ± std"): _pairs(data, "best"),
            say("Gain ± std"): _pairs(data, "gain", signed=True),
        }
    )
    caption = say(
        "The epoch that is selected where networks are trained, as a user would have to choose it, beside the epoch "
        "with the highest mean accuracy where they are tested: an oracle, which looks at the answers. Both on the runs "
        "that select the epoch, trained again and tested at every level after every epoch; mean ± 1 std."
    )
    return Table("resolution_oracle", caption, data, shown)


def _metrics(results: ResolutionResults) -> tuple[str, ...]:
    return ("accuracy", "tss", *(f"recall_{name}" for name in results.classes))


def _heading(metric: str, of: Mapping[str, str]) -> str:
    """Return the heading of a column of a metric: one of `_SCORES`, or of `_CHANGES`."""
    if metric.startswith("recall_"):
        return say(of["recall"], galaxies=plural(metric.removeprefix("recall_")))
    return say(of[metric])


def _pair(results: ResolutionResults, trained: Level, tested: Level) -> dict[str, Any]:
    """Return what the row of a pair of levels begins with."""
    return {
        "trained": trained.name,
        "tested": tested.name,
        "epoch": results.epochs[trained.name],
        "runs": results.runs,
    }


def _columns(name: str, values: Floats) -> dict[str, float]:
    mean, std = mean_std(values)
    return {f"{name}_mean": mean, f"{name}_std": std}


def _pairs(data: pd.DataFrame, name: str, *, signed: bool = False) -> list[str]:
    """Return the text of the columns NAME_mean and NAME_std."""
    return pairs(data[f"{name}_mean"], data[f"{name}_std"], signed=signed)
