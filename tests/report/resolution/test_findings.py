"""Every number of the summary is one of the tables, or computed again here from the matrices."""

from __future__ import annotations

import dataclasses
import re
import statistics
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from galmorph.report.resolution import tables
from galmorph.report.resolution.findings import best_epoch, direction, summary
from galmorph.report.resolution.results import ResolutionResults

MakeResolution = Callable[..., ResolutionResults]


@pytest.fixture(scope="module")
def results(make_resolution: MakeResolution) -> ResolutionResults:
    return make_resolution()


def called(results: ResolutionResults, trained: str, tested: str) -> str:
    """Return the share of spirals called ellipticals."""
    values = [m[0][1] / (m[0][0] + m[0][1]) for m in results.confusion[trained, tested].tolist()]
    return f"{statistics.fmean(values):.3f} ± {statistics.stdev(values):.3f}"


def known_numbers(results: ResolutionResults) -> set[str]:
    """Return every "mean ± std" that the summary may hold."""
    ends = ("native", "blurred")
    known = {called(results, a, b) for a in ends for b in ends}
    ablation = tables.ablation(results)
    for data in (tables.matrix(results), ablation):
        for column in data.columns:
            if column.endswith("_mean"):
                stds = data[column.removesuffix("_mean") + "_std"]
                known |= {f"{abs(mean):.3f} ± {std:.3f}" for mean, std in zip(data[column], stds, strict=True)}
    for trained, tested in (ends, ends[::-1]):
        for i in range(2):
            here, there = (
                np.array([m[i][i] / sum(m[i]) for m in results.confusion[pair].tolist()])
                for pair in ((trained, tested), (tested, tested))
            )
            lost = there - here
            known.add(f"{abs(lost.mean()):.3f} ± {lost.std(ddof=1):.3f}")
    return known


def test_every_number_is_computed(results: ResolutionResults) -> None:
    text = " ".join(summary(results))
    printed = re.findall(r"\d\.\d{3} ± \d\.\d{3}", text)
    assert len(printed) > 20
    assert set(printed) <= known_numbers(results)
    rest = re.sub(r"\d\.\d{3} ± \d\.\d{3}", "", text)
    baseline = f"{2400 / 3300:.3f}"
    widths = {f"{level.psf_fwhm:.2f}" for level in results.levels}
    assert set(re.findall(r"\d+(?:\.\d+)?", rest)) == {baseline, "1", "5"} | (widths - {"nan"})


def test_what_is_said_of_which_pair(results: ResolutionResults) -> None:
    data: Any = tables.matrix(results).set_index(["trained", "tested"])

    def of(trained: str, tested: str, name: str) -> str:
        row = data.loc[(trained, tested)]
        return f"{row[f'{name}_mean']:.3f} ± {row[f'{name}_std']:.3f}"

    there, classes, back, _, mixed, parts, baseline = summary(results)
    for sentence, trained, tested in ((there, "native", "blurred"), (back, "blurred", "native")):
        assert re.match(rf"Training at {trained} \([\d.]+″\) and testing at {tested} \([\d.]+″\) costs ", sentence)
        assert f"costs {of(trained, tested, 'loss')} in accuracy" in sentence
        assert f"{of(trained, tested, 'accuracy')} against {of(tested, tested, 'accuracy')}" in sentence
        assert f"The TSS is {of(trained, tested, 'tss')} against {of(tested, tested, 'tss')}" in sentence
    assert "Spirals lose most recall." in classes
    assert re.search(r"a recall of spirals that is [\d.]+ ± [\d.]+ lower", classes)
    assert re.search(r"a recall of ellipticals that is [\d.]+ ± [\d.]+ higher", classes)
    first, same, before = (
        called(results, *pair) for pair in (("native", "blurred"), ("blurred",) * 2, ("native",) * 2)
    )
    assert f"Of the spirals, these networks call {first} ellipticals." in classes
    assert f"For networks trained at blurred it is {same} of the same spirals" in classes
    assert f"tested at native, {before}." in classes
    for tested in ("native", "blurred"):
        assert f"{of('mixed', tested, 'accuracy')} at {tested}, which costs {of('mixed', tested, 'loss')}" in mixed
    for row in tables.ablation(results).to_dict("records")[:2]:
        assert f"it is {-row['accuracy_change_mean']:.3f} ± {row['accuracy_change_std']:.3f} lower" in parts
    assert baseline.startswith("Always answering the commonest class")


def test_nothing_is_claimed(results: ResolutionResults) -> None:
    assert not re.search(r"signific|prove|confirms|better|worse", " ".join(summary(results)))


def test_gains_and_zeros() -> None:
    assert direction(np.array([0.1, 0.3])) == ("lower", "0.200 ± 0.141")
    assert direction(np.array([-0.1, -0.3])) == ("higher", "0.200 ± 0.141")
    assert direction(np.array([-0.1, 0.1])) == ("same", "0.000 ± 0.141")
    assert direction(np.array([0.2])) == ("lower", "0.200 ± —")
    assert direction(np.array([np.nan, 0.1])) == ("unknown", "")


def test_gains_and_zeros_in_words(results: ResolutionResults) -> None:
    backwards = {(a, b): results.confusion[b, a] for a, b in results.confusion if (b, a) in results.confusion}
    gained = summary(dataclasses.replace(results, confusion={**results.confusion, **backwards}))
    assert re.search(r"costs [\d.]+ ± [\d.]+ in accuracy, run by run", gained[0])
    upside_down = {pair: value[:, ::-1] for pair, value in results.confusion.items()}
    gained = summary(dataclasses.replace(results, confusion=upside_down))
    assert re.search(r"blurred \([\d.]+″\) gains [\d.]+ ± [\d.]+ in accuracy, run by run", gained[0])
    assert re.search(r"at blurred, which gains [\d.]+ ± [\d.]+ in accuracy against networks trained there", gained[4])
    same = dict.fromkeys(results.confusion, results.confusion["native", "native"])
    text = summary(dataclasses.replace(results, confusion=same))
    assert "costs nothing in accuracy to three decimals (0.000 ± 0.000), run by run" in text[0]
    assert "which costs nothing in accuracy to three decimals (0.000 ± 0.000) against networks" in text[4]
    assert "a recall of spirals that stays the same to three decimals (0.000 ± 0.000)" in text[1]
    assert "it stays the same to three decimals (0.000 ± 0.000)" in text[5]


def test_fewer_levels_and_runs_say_less(make_resolution: MakeResolution) -> None:
    plain = summary(make_resolution(ablations=False, mixed=False))
    assert len(plain) == 5
    assert "remedy" not in " ".join(plain)
    assert "one run, which has no spread" in summary(make_resolution(runs=1))[0]
    (alone,) = summary(make_resolution(levels=1, mixed=False, ablations=False))
    assert "nothing to compare" in alone


def test_a_class_that_loses_nothing_or_is_absent(results: ResolutionResults) -> None:
    same = dict.fromkeys(results.confusion, results.confusion["native", "native"])
    text = summary(dataclasses.replace(results, confusion=same))[1]
    assert "No class loses recall in the mean." in text
    absent = {pair: value * np.array([[0], [1]]) for pair, value in results.confusion.items()}
    text = summary(dataclasses.replace(results, confusion=absent))[1]
    assert "a recall of spirals that is not known" in text
    assert "Spirals" not in text


def test_the_best_epoch_is_said_of_the_pair_that_gains_most(results: ResolutionResults) -> None:
    curves = {
        ("native", "native"): np.array([[0.5, 0.8, 0.9], [0.5, 0.8, 0.8]]),
        ("native", "blurred"): np.array([[0.5, 0.7, 0.4], [0.6, 0.6, 0.6]]),
    }
    watched = dataclasses.replace(results, oracle=curves, epochs={**results.epochs, "native": 3})
    gain = "trained at native and tested at blurred: 0.650 ± 0.071 after epoch 2, against 0.500 ± 0.141"
    assert gain in best_epoch(watched)
    assert best_epoch(results) == ""
