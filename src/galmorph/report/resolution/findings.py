"""What the numbers of the chapter on resolution say, in sentences.

Means are stated with their spread, one standard deviation over the runs; never that a difference is significant.
"""

from __future__ import annotations

import math

from galmorph.report.language import capital, in_turn, joined, level_name, plural, say, sentences
from galmorph.report.resolution.results import Floats, Level, ResolutionResults, mean_std
from galmorph.report.resolution.tables import oracle
from galmorph.report.table import number, plus_minus


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
        paragraphs += [_crossing(results, trained, tested), _classes(results, trained, tested)]
    for survey in results.of_role("survey"):
        paragraphs += [_crossing(results, first, survey), _crossing(results, survey, first)]
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
    """Say for which pair of levels the oracle gains most; nothing where none was looked for."""
    table = oracle(results)
    if table is None:
        return []
    most = table.data.sort_values("gain_mean", ascending=False, kind="stable").iloc[0]
    text = say(
        "Knowing the best epoch for the level tested at would gain most for networks trained at {trained} and tested "
        "at {tested}: {best} after epoch {best_epoch}, against {own} after epoch {epoch}, the one selected where they "
        "are trained.",
        trained=level_name(most["trained"]),
        tested=level_name(most["tested"]),
        best=plus_minus(most["best_mean"], most["best_std"]),
        best_epoch=most["best_epoch"],
        own=plus_minus(most["mean"], most["std"]),
        epoch=most["epoch"],
    )
    return [text]


def _crossing(results: ResolutionResults, trained: Level, tested: Level) -> str:
    """Say what training at one level and testing at another changes."""
    accuracy = say(
        "Training at {trained} and testing at {tested} changes the accuracy by {change}, run by run against networks "
        "trained at {there}: {accuracy} against {matched} ({over}).",
        trained=trained.label,
        tested=tested.label,
        change=_change(-results.loss("accuracy", trained, tested)),
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


def _classes(results: ResolutionResults, trained: Level, tested: Level) -> str:
    """Say how the recall of each class changes, and whether spirals are called ellipticals."""
    changes = {name: -results.loss(f"recall_{name}", trained, tested) for name in results.classes}
    names = {"trained": level_name(trained.name), "tested": level_name(tested.name)}
    recalls = [
        say("a recall of {galaxies} that differs by {change}", galaxies=plural(name), change=_change(values))
        for name, values in changes.items()
    ]
    beside = say(
        "Beside networks trained at {tested}, those trained at {trained} and tested at {tested} have {recalls}.",
        recalls=joined(recalls),
        **names,
    )
    said = [beside]
    means = {name: round(mean_std(values)[0], 3) for name, values in changes.items()}
    known = [name for name in means if not math.isnan(means[name])]
    if known:
        most = min(known, key=lambda name: means[name])
        lost = say("{galaxies} lose most recall.", galaxies=capital(plural(most)))
        said.append(lost if means[most] < 0 else say("No class loses recall in the mean."))
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
            "{accuracy} at {tested} ({change} against the {matched} of networks trained there)",
            accuracy=_mean(results, "accuracy", remedy, tested),
            tested=level_name(tested.name),
            change=_change(-results.loss("accuracy", remedy, tested)),
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
            change=_change(results.score("accuracy", first, tested) - reference),
            tested=tested.label,
        )
        for tested in results.of_role("ablation")
    ]
    return say(
        "The accuracy of networks trained at {first} is {accuracy} when they are tested there; where only a part of "
        "the resolution differs, it changes by {changes} ({over}).",
        first=level_name(first.name),
        accuracy=plus_minus(*mean_std(reference)),
        changes=in_turn(changes),
        over=_over(results),
    )


def _change(differences: Floats) -> str:
    return plus_minus(*mean_std(differences), signed=True)


def _mean(results: ResolutionResults, metric: str, trained: Level, tested: Level) -> str:
    return plus_minus(*mean_std(results.score(metric, trained, tested)))


def _over(results: ResolutionResults) -> str:
    if results.runs == 1:
        return say("one run, which has no spread")
    return say("± 1 std over {runs} runs", runs=results.runs)
