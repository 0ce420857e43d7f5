"""What the numbers of the chapter say, in sentences that hold computed numbers and nothing else.

Means are stated with their spread, one standard deviation over the runs; never that a difference is significant.
Whatever may rise, fall, stay or be unknown has a template for each of the four.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Literal

import numpy as np

from galmorph.report.language import capital, in_turn, joined, mark, plural, say, sentences
from galmorph.report.resolution.results import (
    ABLATION,
    REMEDY,
    SURVEY,
    Floats,
    Level,
    ResolutionResults,
    ends,
    in_line,
    loss,
    mean_std,
    of_role,
    score,
    share,
    spoken,
)
from galmorph.report.resolution.tables import oracle
from galmorph.report.table import number, plus_minus

Direction = Literal["lower", "higher", "same", "unknown"]
_Templates = Mapping[Direction, str]
_CROSSING: _Templates = MappingProxyType(
    {
        "lower": mark(
            "Training at {trained} and testing at {tested} costs {size} in accuracy, run by run against networks "
            "trained at {there}: {accuracy} against {matched} ({over})."
        ),
        "higher": mark(
            "Training at {trained} and testing at {tested} gains {size} in accuracy, run by run against networks "
            "trained at {there}: {accuracy} against {matched} ({over})."
        ),
        "same": mark(
            "Training at {trained} and testing at {tested} costs nothing in accuracy to three decimals ({size}), run "
            "by run against networks trained at {there}: {accuracy} against {matched} ({over})."
        ),
        "unknown": mark(
            "Training at {trained} and testing at {tested} has a cost in accuracy that is not known, run by run "
            "against networks trained at {there}: {accuracy} against {matched} ({over})."
        ),
    }
)
_RECALL: _Templates = MappingProxyType(
    {
        "lower": mark("a recall of {galaxies} that is {size} lower"),
        "higher": mark("a recall of {galaxies} that is {size} higher"),
        "same": mark("a recall of {galaxies} that stays the same to three decimals ({size})"),
        "unknown": mark("a recall of {galaxies} that is not known"),
    }
)
_REMEDY: _Templates = MappingProxyType(
    {
        "lower": mark(
            "{accuracy} at {tested}, which costs {size} in accuracy against networks trained there ({matched})"
        ),
        "higher": mark(
            "{accuracy} at {tested}, which gains {size} in accuracy against networks trained there ({matched})"
        ),
        "same": mark(
            "{accuracy} at {tested}, which costs nothing in accuracy to three decimals ({size}) against networks "
            "trained there ({matched})"
        ),
        "unknown": mark(
            "{accuracy} at {tested}, which has a cost in accuracy that is not known against networks trained there "
            "({matched})"
        ),
    }
)
_PART: _Templates = MappingProxyType(
    {
        "lower": mark("at {tested} it is {size} lower"),
        "higher": mark("at {tested} it is {size} higher"),
        "same": mark("at {tested} it stays the same to three decimals ({size})"),
        "unknown": mark("at {tested} it is not known"),
    }
)


def summary(results: ResolutionResults) -> tuple[str, ...]:
    """Return the answer to "what happens when training and test data differ in resolution?", in short paragraphs."""
    first, last = ends(results)[0], ends(results)[-1]
    if first.name == last.name:
        alone = say(
            "Networks are trained at one resolution only, {level}: there is nothing to compare. Tested there, their "
            "accuracy is {accuracy} ({over}).",
            level=in_line(first),
            accuracy=_mean(results, "accuracy", first, first),
            over=_over(results),
        )
        return (alone,)
    paragraphs = [_crossing(results, first, last), _classes(results, first, last)]
    paragraphs += [_crossing(results, last, first), _classes(results, last, first)]
    for survey in of_role(results, SURVEY):
        paragraphs += [_crossing(results, first, survey), _crossing(results, survey, first)]
    paragraphs += [_remedy(results, remedy) for remedy in of_role(results, REMEDY)]
    paragraphs += _parts(results, first)
    baselines = [number(mean_std(score(results, "baseline", level, level))[0]) for level in (first, last)]
    paragraphs.append(
        say(
            "Always answering the commonest class would give an accuracy of {first_baseline} at {first} and "
            "{last_baseline} at {last}.",
            first_baseline=baselines[0],
            first=spoken(first),
            last_baseline=baselines[1],
            last=spoken(last),
        )
    )
    return tuple(paragraphs)


def best_epoch(results: ResolutionResults) -> str:
    """Say for which pair of levels the oracle gains most; empty where none was looked for."""
    if not results.oracle:
        return ""
    most = oracle(results).sort_values("gain_mean", ascending=False, kind="stable").to_dict("records")[0]
    names = {level.name: spoken(level) for level in results.levels}
    return say(
        "Knowing the best epoch for the level tested at would gain most for networks trained at {trained} and tested "
        "at {tested}: {best} after epoch {best_epoch}, against {own} after epoch {epoch}, the one selected where they "
        "are trained.",
        trained=names[most["trained"]],
        tested=names[most["tested"]],
        best=plus_minus(most["best_mean"], most["best_std"]),
        best_epoch=most["best_epoch"],
        own=plus_minus(most["mean"], most["std"]),
        epoch=most["epoch"],
    )


def direction(values: Floats) -> tuple[Direction, str]:
    """Return whether scores fall or rise, and by how much, mean ± std; values are losses, run by run."""
    mean, std = mean_std(values)
    if math.isnan(mean):
        return "unknown", ""
    size = plus_minus(abs(mean), std)
    if round(mean, 3) == 0:
        return "same", size
    return ("lower" if mean > 0 else "higher"), size


def _said(templates: _Templates, values: Floats, **places: str) -> str:
    """Return the template of the direction of some losses, filled."""
    where, size = direction(values)
    return say(templates[where], size=size, **places)


def _crossing(results: ResolutionResults, trained: Level, tested: Level) -> str:
    """Say what training at one level and testing at another costs."""
    accuracy = _said(
        _CROSSING,
        loss(results, "accuracy", trained, tested),
        trained=in_line(trained),
        tested=in_line(tested),
        there=spoken(tested),
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
    """Say which class loses most recall, and whether spirals are called ellipticals."""
    losses = {name: loss(results, f"recall_{name}", trained, tested) for name in results.classes}
    names = {"trained": spoken(trained), "tested": spoken(tested)}
    said = [
        say(
            "Beside networks trained at {tested}, those trained at {trained} and tested at {tested} have {recalls}.",
            recalls=joined(_said(_RECALL, values, galaxies=plural(name)) for name, values in losses.items()),
            **names,
        )
    ]
    known = {name: mean_std(values)[0] for name, values in losses.items() if not np.isnan(values).any()}
    lost = {name: mean for name, mean in known.items() if round(mean, 3) > 0}
    if lost:
        most = max(lost, key=lambda name: lost[name])
        said.append(say("{galaxies} lose most recall.", galaxies=capital(plural(most))))
    elif known:
        said.append(say("No class loses recall in the mean."))
    if {"spiral", "elliptical"} <= set(results.classes):
        here, there, before = (
            plus_minus(*mean_std(share(results, at, seen, "spiral", "elliptical")))
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
        _said(
            _REMEDY,
            loss(results, "accuracy", remedy, tested),
            accuracy=_mean(results, "accuracy", remedy, tested),
            tested=spoken(tested),
            matched=_mean(results, "accuracy", tested, tested),
        )
        for tested in results.levels
        if tested.name in (ends(results)[0].name, remedy.target)
    ]
    return say(
        "Networks of the remedy {remedy} reach an accuracy of {reached}; {over}.",
        remedy=spoken(remedy),
        reached=_and_then(reached),
        over=_over(results),
    )


def _and_then(parts: Iterable[str]) -> str:
    return functools.reduce(lambda first, second: say("{first}, and {second}", first=first, second=second), parts)


def _parts(results: ResolutionResults, first: Level) -> list[str]:
    """Say what each part of the change of resolution does by itself."""
    ablations = of_role(results, ABLATION)
    if not ablations:
        return []
    reference = score(results, "accuracy", first, first)
    parts = [
        _said(_PART, reference - score(results, "accuracy", first, tested), tested=in_line(tested))
        for tested in ablations
    ]
    text = say(
        "The accuracy of networks trained at {first} is {accuracy} when they are tested there; where only a part of "
        "the resolution differs, {parts} ({over}).",
        first=spoken(first),
        accuracy=plus_minus(*mean_std(reference)),
        parts=in_turn(parts),
        over=_over(results),
    )
    return [text]


def _mean(results: ResolutionResults, metric: str, trained: Level, tested: Level) -> str:
    return plus_minus(*mean_std(score(results, metric, trained, tested)))


def _over(results: ResolutionResults) -> str:
    if results.runs == 1:
        return say("one run, which has no spread")
    return say("± 1 std over {runs} runs", runs=results.runs)
