"""What the numbers of the chapter on resolution say: the answer to its question, and sentences.

Means are stated with their spread, one standard deviation over the runs, and differences with half of their corrected
95 % interval. These are not adjusted for their number: only the answer calls a difference significant, after Holm's
correction.
"""

from __future__ import annotations

import dataclasses
import math

from galmorph.report.answers import ALPHA, QUESTIONS, Effect, Finding, answer
from galmorph.report.language import capital, in_turn, joined, level_name, plural, say, sentences
from galmorph.report.resolution.results import RECALIBRATED, Level, ResolutionResults, mean_std
from galmorph.report.resolution.tables import in_unit, oracle
from galmorph.report.table import METRICS, number, plus_minus
from galmorph.scores.statistics import Estimate, holm

SAME_NOISE = 0.1  # relative; levels of noise that differ by less are not called different


def finding(results: ResolutionResults) -> Finding | None:
    """Return the answer for the first and the last level, in both directions; None where there is but one level."""
    first, last = results.ends
    if first == last:
        return None
    crossed = [(metric, *pair) for pair in ((first, last), (last, first)) for metric in ("accuracy", "tss")]
    losses = [results.estimated_loss(*score) for score in crossed]
    adjusted = holm([loss.p_value() for loss in losses])
    effects = tuple(
        Effect(
            say(
                "{metric}, {trained} → {tested}",
                metric=say(METRICS[metric]),
                trained=level_name(trained.name),
                tested=level_name(tested.name),
            ),
            -loss.mean,
            loss.half_width(),
            bool(p < ALPHA),
        )
        for (metric, trained, tested), loss, p in zip(crossed, losses, adjusted, strict=True)
        if math.isfinite(loss.half_width())
    )
    question = QUESTIONS["resolution"]
    verdict, said = answer(question, effects)
    return Finding("resolution", say(question.text), said, verdict, effects)


def summary(results: ResolutionResults) -> list[str]:
    """Return the answer to "what happens when training and test data differ in resolution?", in short paragraphs."""
    first, last = results.ends
    if first == last:
        alone = say(
            "Networks are trained at one resolution only, {level}: there is nothing to compare. Tested there, their "
            "accuracy is {accuracy} ({over}).",
            level=first.label,
            accuracy=_mean(results, "accuracy", first, first),
            over=_over(results),
        )
        return [alone]
    paragraphs = []
    for trained, tested in ((first, last), (last, first)):
        paragraphs += [_crossing(results, trained, tested), _threshold(results, trained, tested)]
        paragraphs.append(_classes(results, trained, tested))
    for survey in results.of_role("survey"):
        for trained, tested in ((first, survey), (survey, first)):
            paragraphs += [_crossing(results, trained, tested), _threshold(results, trained, tested)]
    paragraphs += [_remedy(results, remedy) for remedy in results.of_role("remedy")]
    if results.of_role("ablation"):
        paragraphs.append(_ablations(results))
    first_baseline, last_baseline = (
        number(mean_std(results.score("baseline", level, level))[0]) for level in (first, last)
    )
    baselines = say(
        "Always answering the commonest class would give an accuracy of {first_baseline} at {first} and "
        "{last_baseline} at {last}.",
        first_baseline=first_baseline,
        first=level_name(first.name),
        last_baseline=last_baseline,
        last=level_name(last.name),
    )
    return [*paragraphs, baselines]


def best_epoch(results: ResolutionResults) -> list[str]:
    """Say for each pair of levels what the oracle gains; nothing where none was looked for."""
    table = oracle(results)
    if table is None:
        return []
    gains = in_turn(
        say(
            "{gain} for networks trained at {trained} and tested at {tested}",
            gain=plus_minus(row["gain_mean"], row["gain_std"], signed=True),
            trained=level_name(row["trained"]),
            tested=level_name(row["tested"]),
        )
        for row in table.data.to_dict("records")
    )
    text = say(
        "Knowing the best epoch for the level tested at, instead of the one selected where networks are trained, would "
        "change the accuracy by {gains} ({over}). No mean gain can be negative, since the epoch is chosen by the very "
        "galaxies that it is scored on.",
        gains=gains,
        over=_over(results),
    )
    return [text]


def _crossing(results: ResolutionResults, trained: Level, tested: Level) -> str:
    """Say what training at one level and testing at another changes."""
    accuracy = say(
        "Training at {trained} and testing at {tested} changes the accuracy by {change} (95 % interval), run by run "
        "against networks trained at {there}: {accuracy} against {matched} ({over}).",
        trained=trained.label,
        tested=tested.label,
        change=_change(results, "accuracy", trained, tested),
        there=level_name(tested.name),
        accuracy=_mean(results, "accuracy", trained, tested),
        matched=_mean(results, "accuracy", tested, tested),
        over=_over(results),
    )
    tss = say(
        "The TSS is {here} against {matched}.",
        here=_mean(results, "tss", trained, tested),
        matched=_mean(results, "tss", tested, tested),
    )
    return sentences([accuracy, tss])


def _threshold(results: ResolutionResults, trained: Level, tested: Level) -> str:
    """Say what of a loss is left where the threshold is set anew, and so how much of it was a shifted threshold."""
    area = say(
        "How well the galaxies are ranked does not depend on a threshold: the area under the ROC curve is {auc} "
        "against {matched}, a change of {change}.",
        auc=_mean(results, "auc", trained, tested),
        matched=_mean(results, "auc", tested, tested),
        change=_change(results, "auc", trained, tested),
    )
    accuracy, tss = f"accuracy{RECALIBRATED}", f"tss{RECALIBRATED}"
    again = say(
        "With the threshold that returns the class fractions of the training part, which needs no label at {there} but "
        "the same mix of classes, the accuracy is {accuracy} and the TSS {tss}; networks trained at {there} have "
        "{matched_accuracy} and {matched_tss} by the same rule.",
        there=level_name(tested.name),
        accuracy=_mean(results, accuracy, trained, tested),
        tss=_mean(results, tss, trained, tested),
        matched_accuracy=_mean(results, accuracy, tested, tested),
        matched_tss=_mean(results, tss, tested, tested),
    )
    total, rest = (results.estimated_loss(metric, trained, tested) for metric in ("tss", tss))
    amounts = {"total": _estimate(total), "rest": _estimate(rest)}
    said = [area, again]
    if not math.isnan(total.half_width()):
        if not _above_zero(total):
            verdict = say("There is no loss of TSS for the threshold to explain: it is {total}.", **amounts)
        elif _above_zero(rest):
            verdict = say(
                "Of the loss of TSS, {total}, {rest} remains: this part is lost in the ranking; the other was only a "
                "shifted threshold.",
                **amounts,
            )
        else:
            verdict = say(
                "Of the loss of TSS, {total}, {rest} remains. This interval does not lie above zero: these runs show "
                "no loss beyond a shifted threshold, nor do they exclude one.",
                **amounts,
            )
        said.append(verdict)
    return sentences(said)


def _classes(results: ResolutionResults, trained: Level, tested: Level) -> str:
    """Say how the recall of each class changes, and whether spirals are called ellipticals."""
    changes = {name: _gained(results, f"recall_{name}", trained, tested) for name in results.classes}
    names = {"trained": level_name(trained.name), "tested": level_name(tested.name)}
    recalls = [
        say("a recall of {galaxies} that differs by {change}", galaxies=plural(name), change=_estimate(change))
        for name, change in changes.items()
    ]
    beside = say(
        "Beside networks trained at {tested}, those trained at {trained} and tested at {tested} have {recalls}.",
        recalls=joined(recalls),
        **names,
    )
    said = [beside]
    known = [name for name, change in changes.items() if not math.isnan(change.half_width())]
    if known:
        most = min(known, key=lambda name: changes[name].mean)
        fallen = changes[most].mean + changes[most].half_width() < 0
        lost = say("{galaxies} lose most recall.", galaxies=capital(plural(most)))
        said.append(lost if fallen else say("No class loses more recall than the interval allows for."))
    if {"spiral", "elliptical"} <= set(results.classes):
        here, there, before = (
            plus_minus(*mean_std(results.called("spiral", "elliptical", at, seen)))
            for at, seen in ((trained, tested), (tested, tested), (trained, trained))
        )
        called = say(
            "Of the spirals, these networks call {here} ellipticals. For networks trained at {tested} it is {there} of "
            "the same spirals, and for these networks, tested at {trained}, {before}.",
            here=here,
            there=there,
            before=before,
            **names,
        )
        said.append(called)
    return sentences(said)


def _remedy(results: ResolutionResults, remedy: Level) -> str:
    """Say what the networks of a remedy reach at the first level and at their target."""
    reached = [
        say(
            "{accuracy} at {tested} ({change}, 95 % interval, against the {matched} of networks trained there)",
            accuracy=_mean(results, "accuracy", remedy, tested),
            tested=level_name(tested.name),
            change=_change(results, "accuracy", remedy, tested),
            matched=_mean(results, "accuracy", tested, tested),
        )
        for tested in results.levels
        if tested.name in (results.ends[0].name, remedy.target)
    ]
    return say(
        "Networks of the remedy {remedy} reach an accuracy of {reached}; {over}.",
        remedy=level_name(remedy.name),
        reached=joined(reached),
        over=_over(results),
    )


def _ablations(results: ResolutionResults) -> str:
    """Say what each part of the change of resolution does by itself."""
    first, _ = results.ends
    reference = results.score("accuracy", first, first)
    changes = [
        say(
            "{change} at {tested}",
            change=_estimate(results.estimated_change(("accuracy", first, first), ("accuracy", first, tested))),
            tested=tested.label,
        )
        for tested in results.of_role("ablation")
    ]
    parts = say(
        "The accuracy of networks trained at {first} is {accuracy} ({over}) when they are tested there; where only a "
        "part of the resolution differs, it changes by {changes} (95 % intervals).",
        first=level_name(first.name),
        accuracy=plus_minus(*mean_std(reference)),
        changes=in_turn(changes),
        over=_over(results),
    )
    other = [
        level
        for level in results.of_role("ablation")
        if abs(level.network_noise - first.network_noise) > SAME_NOISE * first.network_noise
    ]
    if not other:
        return parts
    noises = in_turn(
        say(
            "{noise} at {tested}",
            noise=in_unit(number(level.network_noise, 2), results.unit),
            tested=level_name(level.name),
        )
        for level in other
    )
    noise = say(
        "But the noise on the network's pixels is {noises}, and {there} where they were trained: there a change of "
        "noise is measured as well.",
        noises=noises,
        there=in_unit(number(first.network_noise, 2), results.unit),
    )
    return sentences([parts, noise])


def _gained(results: ResolutionResults, metric: str, trained: Level, tested: Level) -> Estimate:
    """Return how much higher networks score than those trained where they are tested: the negative of a loss."""
    loss = results.estimated_loss(metric, trained, tested)
    return dataclasses.replace(loss, mean=-loss.mean)


def _change(results: ResolutionResults, metric: str, trained: Level, tested: Level) -> str:
    return _estimate(_gained(results, metric, trained, tested))


def _estimate(estimate: Estimate) -> str:
    return plus_minus(estimate.mean, estimate.half_width(), signed=True)


def _above_zero(estimate: Estimate) -> bool:
    return estimate.mean > estimate.half_width()


def _mean(results: ResolutionResults, metric: str, trained: Level, tested: Level) -> str:
    return plus_minus(*mean_std(results.score(metric, trained, tested)))


def _over(results: ResolutionResults) -> str:
    if results.runs == 1:
        return say("one run, which has no spread")
    return say("± 1 std over {runs} runs", runs=results.runs)
