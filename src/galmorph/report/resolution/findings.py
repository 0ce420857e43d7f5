"""What the numbers of the chapter say, in sentences that hold computed numbers and nothing else.

Means are stated with their spread, one standard deviation over the runs; never that a difference is significant.
"""

from __future__ import annotations

import math

import numpy as np

from galmorph.report.resolution.labels import in_line, plural, spoken
from galmorph.report.resolution.results import ABLATION, REMEDY, SURVEY, Level, ResolutionResults, ends, of_role
from galmorph.report.resolution.scores import Floats, loss, mean_std, score, share
from galmorph.report.table import number, plus_minus


def summary(results: ResolutionResults) -> tuple[str, ...]:
    """Return the answer to "what happens when training and test data differ in resolution?", in short paragraphs."""
    first, last = ends(results)[0], ends(results)[-1]
    if first.name == last.name:
        return (
            f"Networks are trained at one resolution only, {in_line(first)}: there is nothing to compare. Tested "
            f"there, their accuracy is {_mean(results, 'accuracy', first, first)} ({_over(results)}).",
        )
    paragraphs = [_crossing(results, first, last), _classes(results, first, last)]
    paragraphs += [_crossing(results, last, first), _classes(results, last, first)]
    for survey in of_role(results, SURVEY):
        paragraphs += [_crossing(results, first, survey), _crossing(results, survey, first)]
    paragraphs += [_remedy(results, remedy) for remedy in of_role(results, REMEDY)]
    paragraphs += _parts(results, first)
    paragraphs.append(
        "Always answering the commonest class would give an accuracy of "
        f"{number(mean_std(score(results, 'baseline', first, first))[0])} at {spoken(first)} and "
        f"{number(mean_std(score(results, 'baseline', last, last))[0])} at {spoken(last)}."
    )
    return tuple(paragraphs)


def cost(values: Floats) -> str:
    """Return in words what a loss of accuracy, run by run, amounts to."""
    mean, std = mean_std(values)
    if math.isnan(mean):
        return "has a cost in accuracy that is not known"
    if round(mean, 3) == 0:
        return f"costs nothing in accuracy to three decimals ({plus_minus(mean, std)})"
    return f"{'costs' if mean > 0 else 'gains'} {plus_minus(abs(mean), std)} in accuracy"


def change(values: Floats) -> str:
    """Return in words by how much something falls or rises; values are losses, run by run."""
    mean, std = mean_std(values)
    if math.isnan(mean):
        return "is not known"
    if round(mean, 3) == 0:
        return f"stays the same to three decimals ({plus_minus(mean, std)})"
    return f"is {plus_minus(abs(mean), std)} {'lower' if mean > 0 else 'higher'}"


def _crossing(results: ResolutionResults, trained: Level, tested: Level) -> str:
    """Say what training at one level and testing at another costs."""
    return (
        f"Training at {in_line(trained)} and testing at {in_line(tested)} "
        f"{cost(loss(results, 'accuracy', trained, tested))}, run by run against networks trained at "
        f"{spoken(tested)}: {_mean(results, 'accuracy', trained, tested)} against "
        f"{_mean(results, 'accuracy', tested, tested)} ({_over(results)}). The TSS is "
        f"{_mean(results, 'tss', trained, tested)} against {_mean(results, 'tss', tested, tested)}."
    )


def _classes(results: ResolutionResults, trained: Level, tested: Level) -> str:
    """Say which class loses most recall, and whether spirals are called ellipticals."""
    losses = {name: loss(results, f"recall_{name}", trained, tested) for name in results.classes}
    parts = [f"a recall of {plural(name)} that {change(values)}" for name, values in losses.items()]
    known = {name: mean_std(values)[0] for name, values in losses.items() if not np.isnan(values).any()}
    lost = {name: mean for name, mean in known.items() if round(mean, 3) > 0}
    text = (
        f"Beside networks trained at {spoken(tested)}, those trained at {spoken(trained)} and tested at "
        f"{spoken(tested)} have {' and '.join(parts)}."
    )
    if lost:
        most = plural(max(lost, key=lambda name: lost[name]))
        text += f" {most[0].upper()}{most[1:]} lose most recall."
    elif known:
        text += " No class loses recall in the mean."
    if {"spiral", "elliptical"} <= set(results.classes):
        called = [
            plus_minus(*mean_std(share(results, at, seen, "spiral", "elliptical")))
            for at, seen in ((trained, tested), (tested, tested), (trained, trained))
        ]
        text += (
            f" Of the spirals, these networks call {called[0]} ellipticals. For networks trained at {spoken(tested)} "
            f"it is {called[1]} of the same spirals, and for these networks, tested at {spoken(trained)}, {called[2]}."
        )
    return text


def _remedy(results: ResolutionResults, remedy: Level) -> str:
    """Say what the networks of a remedy reach at the first level and at their target."""
    parts = [
        f"{_mean(results, 'accuracy', remedy, tested)} at {spoken(tested)}, which "
        f"{cost(loss(results, 'accuracy', remedy, tested))} against networks trained there "
        f"({_mean(results, 'accuracy', tested, tested)})"
        for tested in results.levels
        if tested.name in (ends(results)[0].name, remedy.target)
    ]
    return f"Networks of the remedy {spoken(remedy)} reach an accuracy of {', and '.join(parts)}; {_over(results)}."


def _parts(results: ResolutionResults, first: Level) -> list[str]:
    """Say what each part of the change of resolution does by itself."""
    ablations = of_role(results, ABLATION)
    if not ablations:
        return []
    reference = score(results, "accuracy", first, first)
    parts = [
        f"at {in_line(tested)} it {change(reference - score(results, 'accuracy', first, tested))}"
        for tested in ablations
    ]
    return [
        f"The accuracy of networks trained at {spoken(first)} is {plus_minus(*mean_std(reference))} when they are "
        f"tested there; where only a part of the resolution differs, {'; '.join(parts)} ({_over(results)})."
    ]


def _mean(results: ResolutionResults, metric: str, trained: Level, tested: Level) -> str:
    return plus_minus(*mean_std(score(results, metric, trained, tested)))


def _over(results: ResolutionResults) -> str:
    return "one run, which has no spread" if results.runs == 1 else f"± 1 std over {results.runs} runs"
