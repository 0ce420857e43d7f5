"""The tables of the chapter on resolution.

Every spread is one standard deviation over the runs (ddof = 1). A loss, change or gain is taken run by run, and has its
95 % interval, corrected for the galaxies that test parts share.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from galmorph.report.language import class_name, in_turn, level_name, mark, plural, reason_name, say, sentences
from galmorph.report.resolution.results import RECALIBRATED, Effort, Floats, Level, ResolutionResults, mean_std
from galmorph.report.table import BINOMIAL, Table, number, pairs, plus_minus, whole
from galmorph.scores import metrics
from galmorph.scores.statistics import Estimate
from galmorph.stamps.origin import pixel_unit

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
    "auc": mark("Area under the ROC curve ± std"),
    f"accuracy{RECALIBRATED}": mark("Accuracy, recalibrated ± std"),
    f"tss{RECALIBRATED}": mark("TSS, recalibrated ± std"),
}
_LOSSES = {
    "auc": mark("Loss of area, 95 % interval"),
    f"accuracy{RECALIBRATED}": mark("Loss of accuracy, recalibrated, 95 % interval"),
    f"tss{RECALIBRATED}": mark("Loss of TSS, recalibrated, 95 % interval"),
}
_CHANGES = {
    "accuracy": mark("Change of accuracy, 95 % interval"),
    "tss": mark("Change of TSS, 95 % interval"),
    "recall": mark("Change of recall of {galaxies}, 95 % interval"),
}
_GAINS = {"accuracy": mark("Gain in accuracy, 95 % interval"), "tss": mark("Gain in TSS, 95 % interval")}
# What `galmorph.stamps.origin.pixel_unit` returns.
UNITS = {
    "DN": mark("DN"),
    "grey levels": mark("grey levels"),
    "the unit of the file": mark("the unit of the file"),
}
AS_IS, MATCHED = mark("as it is"), mark("trained at the target")
THRESHOLD = mark("as it is, recalibrated")


def chapter_tables(results: ResolutionResults) -> list[Table]:
    """Return the tables of the chapter, in order."""
    always = [levels(results), matrix(results), recalibrated(results), confusion(results)]
    further = [remedies(results), ablation(results), by_size(results), oracle(results)]
    return always + [table for table in further if table is not None]


def levels(results: ResolutionResults) -> Table:
    """One row per level.

    Its data: level, role, psf_fwhm, pixel_scale, noise, network_noise, noise_correlation, epoch (missing where not
    trained).
    """
    columns = ["psf_fwhm", "pixel_scale", "noise", "network_noise", "noise_correlation"]
    rows = [
        (level.name, level.role, *(getattr(level, column) for column in columns), results.epochs.get(level.name))
        for level in results.levels
    ]
    data = pd.DataFrame(rows, columns=["level", "role", *columns, "epoch"]).astype({"epoch": "Int64"})
    unit = say(UNITS[results.unit])
    shown = pd.DataFrame(
        {
            say("Level"): data["level"].map(level_name),
            say("Use"): [say(_USES[role]) for role in data["role"]],
            say("PSF FWHM (″)"): data["psf_fwhm"].map(lambda value: number(value, 2)),
            say("Pixel (″)"): data["pixel_scale"].map(number),
            say("Noise a pixel ({unit})", unit=unit): data["noise"].map(lambda value: number(value, 2)),
            say("Noise a pixel of the network ({unit})", unit=unit): data["network_noise"].map(
                lambda value: number(value, 2)
            ),
            say("Correlation of neighbours"): data["noise_correlation"].map(lambda value: number(value, 2)),
            say("Selected epoch"): data["epoch"].map(whole),
        }
    )
    seen = say(
        "The resolutions at which the same {galaxies:,} galaxies are seen. A dash stands for noise left as "
        "it is, for no single FWHM, and for no training.",
        galaxies=results.galaxies,
    )
    noises = {(level.network_noise, level.noise_correlation) for level in results.of_role("level", "ablation")}
    if len(noises) == 1:
        noise = say(
            "The noise on the pixels of the network is the same at every level, so that only the resolution differs."
        )
    else:
        noise = say(
            "The noise that the network sees, on its own pixels, and its correlation between two pixels that share a "
            "side, are computed for the median galaxy: where they differ, networks meet another noise as well as "
            "another resolution."
        )
    others = [
        say("{survey} has {galaxies:,} galaxies of its own.", survey=name, galaxies=count)
        for name, count in results.surveys.items()
    ]
    return Table("resolution_levels", sentences([seen, noise, left_out(results), *others]), data, shown, results=False)


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

    Its data: trained, tested, epoch, runs; accuracy, tss and recall_CLASS, each with _mean, _std and _binomial (the
    standard deviation that the number of test galaxies alone gives); baseline (its mean); loss_mean, the accuracy of
    networks trained where they are tested less this one (NaN where no network is trained), and loss_half, half of its
    95 % interval; overlap (of the test parts; the interval weights it class by class).
    """
    rows = []
    for trained in results.trained:
        for tested in results.tested:
            row = _pair(results, trained, tested)
            for metric in _metrics(results):
                row |= _scored(results, metric, trained, tested)
            row["baseline"] = mean_std(results.score("baseline", trained, tested))[0]
            row |= _interval("loss", results.estimated_loss("accuracy", trained, tested))
            rows.append(row | {"overlap": results.overlap[tested.name]})
    data = pd.DataFrame(rows)
    shown = pd.DataFrame(
        {
            say("Trained at"): data["trained"].map(level_name),
            say("Tested at"): data["tested"].map(level_name),
            say("Epoch"): data["epoch"].map(str),
            say("Runs"): data["runs"].map(str),
            **{_heading(metric, _SCORES): _pairs(data, metric) for metric in _metrics(results)},
            say("Majority baseline"): data["baseline"].map(number),
            say("Loss of accuracy, 95 % interval"): _intervals(data, "loss"),
        }
    )
    caption = say(
        "Networks trained at one resolution and tested at another: mean over the runs ± 1 std. The loss is the "
        "accuracy of networks trained at the resolution of the test less that of these, run by run, ± half of its 95 % "
        "interval, corrected for the galaxies that test parts share; it is zero by definition where both are the same. "
        "The intervals are not adjusted for their number."
    )
    return Table("resolution_matrix", sentences([_dashed(caption, results), say(BINOMIAL)]), data, shown)


def _dashed(caption: str, results: ResolutionResults) -> str:
    """Return a caption that explains the dashes of losses, where there are any."""
    if results.of_role("ablation"):
        return sentences([caption, say("A dash: no network is trained there.")])
    return caption


def recalibrated(results: ResolutionResults) -> Table:
    """Every trained level, tested at every level: what does not depend on the threshold of 0.5.

    Its data: trained, tested, epoch, runs; auc, accuracy_recalibrated and tss_recalibrated, each with _mean and _std,
    then _loss_mean and _loss_half: that of networks trained where they are tested less this one, and half of its 95 %
    interval.
    """
    rows = []
    for trained in results.trained:
        for tested in results.tested:
            row = _pair(results, trained, tested)
            for metric in _LOSSES:
                row |= _columns(metric, results.score(metric, trained, tested))
                row |= _interval(f"{metric}_loss", results.estimated_loss(metric, trained, tested))
            rows.append(row)
    data = pd.DataFrame(rows)
    shown = {
        say("Trained at"): data["trained"].map(level_name).tolist(),
        say("Tested at"): data["tested"].map(level_name).tolist(),
    }
    for metric, loss in _LOSSES.items():
        shown[say(_SCORES[metric])] = _pairs(data, metric)
        shown[say(loss)] = _intervals(data, f"{metric}_loss")
    caption = say(
        "The same networks without the threshold of 0.5: the area under the ROC curve, which is the chance that a "
        "spiral is ranked above an elliptical, and accuracy and TSS, recalibrated: the threshold is that which calls "
        "as large a fraction of the galaxies tested spiral as are spirals in the training part of the run. It uses no "
        "label of the galaxies tested. Mean over the runs ± 1 std; a loss is the score of networks trained at the "
        "resolution of the test, with the same rule, less that of these, run by run, ± half of its corrected 95 % "
        "interval."
    )
    return Table("resolution_recalibrated", _dashed(caption, results), data, pd.DataFrame(shown))


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
    runs; galaxies and updates, of a network that continues from another those_before; accuracy and tss, each with
    _mean, _std and _binomial (missing at another threshold), then _gain, the mean difference from training at the first
    level as it is, and _half, half of its 95 % interval, corrected for the overlap of the test parts; overlap.
    """
    first, last = results.ends
    if first == last:
        return None
    declared = results.of_role("remedy")
    rows = []
    for target in results.tested:
        own = [(level_name(remedy.name), remedy) for remedy in declared if remedy.target == target.name]
        if own or target == last:
            ways = [(AS_IS, first), (THRESHOLD, first), (MATCHED, target), *own]
            rows += [_remedy(results, training, trained, target) for training, trained in ways]
    data = pd.DataFrame(rows)
    shown = {
        say("Training"): [say(way) if way in (AS_IS, THRESHOLD, MATCHED) else way for way in data["training"]],
        say("Tested at"): data["tested"].map(level_name).tolist(),
        say("Training galaxies"): _efforts(data, "galaxies"),
        say("Updates"): _efforts(data, "updates"),
    }
    for metric, gain in _GAINS.items():
        shown[say(_SCORES[metric])] = _pairs(data, metric)
        shown[say(gain)] = pairs(data[f"{metric}_gain"], data[f"{metric}_half"], signed=True)
    caption = say(
        "Ways to train for what is seen less sharply, or by another survey, tested there: mean over the runs ± 1 std, "
        "and the gain over networks trained at {first} as they are, run by run, ± half of its 95 % interval, corrected "
        "for the galaxies that test parts share, {overlap:.1f} % in the mean at {last}. Recalibrated: at the threshold "
        "that returns the class fractions of the training part, which costs no training and no label. Galaxies and "
        "updates of the optimiser are those of one run; of a network that continues from another, both are given. Ways "
        "with different numbers are not compared like with like.",
        first=level_name(first.name),
        overlap=100 * results.overlap[last.name],
        last=level_name(last.name),
    )
    return Table("resolution_remedies", sentences([caption, say(BINOMIAL)]), data, pd.DataFrame(shown))


def _remedy(results: ResolutionResults, training: str, trained: Level, target: Level) -> dict[str, Any]:
    row = {"training": training} | _pair(results, trained, target)
    effort = results.effort[trained.name]
    before = effort.before or Effort(0, 0)
    row |= {"galaxies": effort.galaxies, "galaxies_before": before.galaxies}
    row |= {"updates": effort.updates, "updates_before": before.updates}
    for metric in _GAINS:
        name = f"{metric}{RECALIBRATED}" if training == THRESHOLD else metric
        gain = results.estimated_change((metric, results.ends[0], target), (name, trained, target))
        row |= _columns(metric, results.score(name, trained, target))
        row |= {f"{metric}_binomial": results.binomial(name, trained, target)}
        row |= {f"{metric}_gain": gain.mean, f"{metric}_half": gain.half_width()}
    return row | {"overlap": results.overlap[target.name]}


def _efforts(data: pd.DataFrame, of: str) -> list[str]:
    """Return "700", or "700 + 50" where a network continues from another."""
    counts = zip(data[f"{of}_before"], data[of], strict=True)
    return [f"{whole(before)} + {whole(own)}" if before else whole(own) for before, own in counts]


def ablation(results: ResolutionResults) -> Table | None:
    """How networks trained at the first level score at each ablation and other level; None without ablations.

    Its data: trained, tested, epoch, runs; accuracy, tss and recall_CLASS, each with _mean, _std and _binomial, then
    _change_mean, this less that of the same network tested at the first level, and _change_half, half of its 95 %
    interval.
    """
    first, _ = results.ends
    ablations = results.of_role("ablation")
    if not ablations:
        return None
    rows = []
    for tested in (*ablations, *(level for level in results.of_role("level") if level != first)):
        row = _pair(results, first, tested)
        for metric in _metrics(results):
            row |= _scored(results, metric, first, tested)
            change = results.estimated_change((metric, first, first), (metric, first, tested))
            row |= _interval(f"{metric}_change", change)
        rows.append(row)
    data = pd.DataFrame(rows)
    shown = {say("Tested at"): data["tested"].map(level_name).tolist()}
    for metric in _metrics(results):
        shown[_heading(metric, _SCORES)] = _pairs(data, metric)
        shown[_heading(metric, _CHANGES)] = _intervals(data, f"{metric}_change", signed=True)
    caption = say(
        "Networks trained at {trained}, tested where only a part of the resolution differs, and at every other level: "
        "mean over the runs ± 1 std. A change is against the same network tested at {first}, where the accuracy is "
        "{accuracy}; ± half of its corrected 95 % interval.",
        trained=first.label,
        first=level_name(first.name),
        accuracy=plus_minus(*mean_std(results.score("accuracy", first, first))),
    )
    return Table("resolution_ablation", sentences([caption, say(BINOMIAL)]), data, pd.DataFrame(shown))


def by_size(results: ResolutionResults) -> Table | None:
    """The recall of each class by the size of the galaxies; None where it is not known. Its data: `results.by_size`."""
    data = results.by_size
    if data.empty:
        return None
    shown = pd.DataFrame(
        {
            say("Tested at"): data["tested"].map(level_name),
            say("True class"): data["class"].map(class_name),
            say("Quarter, from the largest"): data["part"].map(str),
            say("FWHM / half-light radius"): data["ratio"].map(lambda value: number(value, 2)),
            say("Galaxies in a run"): data["galaxies"].map(lambda value: number(value, 1)),
            say("Recall ± std, trained at {level}", level=level_name(data["trained"].iloc[0])): _pairs(data, "recall"),
            say("Recall ± std, trained there"): _pairs(data, "matched"),
            say("Loss of recall, 95 % interval"): _intervals(data, "loss"),
        }
    )
    caption = say(
        "Recall by class and by the half-light radius of the galaxy in the native image, in quarters of the sample; "
        "class by class, because large and small galaxies are not of the same mix. Mean over the runs that have such "
        "galaxies ± 1 std; the loss is run by run, ± half of its 95 % interval, corrected for the galaxies that these "
        "runs share."
    )
    return Table("resolution_size", caption, data, shown)


def oracle(results: ResolutionResults) -> Table | None:
    """The epoch that a user would choose beside the best one for each tested level; None if none was looked for.

    Its data: trained, tested, epoch (selected where it was trained), mean, std: accuracy there; best_epoch (of the
    highest mean accuracy where it is tested), best_mean, best_std; gain_mean, gain_std: run by run; runs. All of it on
    the runs of the selected phase, so that the best is best on the very galaxies that chose it; confirmed_mean and
    confirmed_std are those of the confirmed runs at the selected epoch, as in `matrix`.
    """
    if not results.oracle:
        return None
    rows = []
    for (trained, tested), accuracy in results.oracle.items():
        epoch, best = results.epochs[trained], int(np.argmax(accuracy.mean(axis=0))) + 1
        own, highest = accuracy[:, epoch - 1], accuracy[:, best - 1]
        gain = mean_std(highest - own)
        confirmed = mean_std(metrics.accuracy(results.confusion[trained, tested]))
        rows.append(
            (trained, tested, epoch, *mean_std(own), best, *mean_std(highest), *gain, len(accuracy), *confirmed)
        )
    columns = ["trained", "tested", "epoch", "mean", "std", "best_epoch", "best_mean", "best_std"]
    data = pd.DataFrame(rows, columns=[*columns, "gain_mean", "gain_std", "runs", "confirmed_mean", "confirmed_std"])
    shown = pd.DataFrame(
        {
            say("Trained at"): data["trained"].map(level_name),
            say("Tested at"): data["tested"].map(level_name),
            say("Selected epoch"): data["epoch"].map(str),
            say("Accuracy ± std"): pairs(data["mean"], data["std"]),
            say("Best epoch"): data["best_epoch"].map(str),
            say("Accuracy there ± std"): _pairs(data, "best"),
            say("Gain ± std"): _pairs(data, "gain", signed=True),
            say("Confirmed runs, selected epoch ± std"): _pairs(data, "confirmed"),
        }
    )
    caption = say(
        "The epoch that is selected where networks are trained, as a user would have to choose it, beside the epoch "
        "with the highest mean accuracy where they are tested: an oracle, which looks at the answers. Both on the runs "
        "that select the epoch, trained again and tested at every level after every epoch; mean ± 1 std. The confirmed "
        "runs of the other tables are other networks, and tested on other galaxies: the two accuracies at the selected "
        "epoch are two measurements of one quantity."
    )
    return Table("resolution_oracle", caption, data, shown)


def in_unit(amount: str, unit: str) -> str:
    """Return an amount with the unit of the pixels; without one that has no name."""
    return amount if unit == pixel_unit("") else say("{amount} {unit}", amount=amount, unit=say(UNITS[unit]))


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


def _scored(results: ResolutionResults, metric: str, trained: Level, tested: Level) -> dict[str, float]:
    scored = _columns(metric, results.score(metric, trained, tested))
    return scored | {f"{metric}_binomial": results.binomial(metric, trained, tested)}


def _interval(name: str, estimate: Estimate) -> dict[str, float]:
    return {f"{name}_mean": estimate.mean, f"{name}_half": estimate.half_width()}


def _intervals(data: pd.DataFrame, name: str, *, signed: bool = False) -> list[str]:
    """Return the text of the columns NAME_mean and NAME_half."""
    return pairs(data[f"{name}_mean"], data[f"{name}_half"], signed=signed)


def _pairs(data: pd.DataFrame, name: str, *, signed: bool = False) -> list[str]:
    """Return the text of the columns NAME_mean, NAME_std and, where there is one, NAME_binomial."""
    return pairs(data[f"{name}_mean"], data[f"{name}_std"], data.get(f"{name}_binomial"), signed=signed)
