"""Every number of the summary is one of the tables, or computed again here from the matrices."""

from __future__ import annotations

import dataclasses
import re
import statistics
from typing import Any

import numpy as np
import pytest

from galmorph.report.resolution import tables
from galmorph.report.resolution.findings import best_epoch, finding, summary
from galmorph.report.resolution.results import ResolutionResults
from galmorph.scores.statistics import corrected_mean, holm
from tests.support.resolution import made_resolution, watched


@pytest.fixture(scope="module")
def results() -> ResolutionResults:
    return made_resolution()


def spread(values: list[float]) -> str:
    return f"{statistics.fmean(values):+.3f} ± {statistics.stdev(values):.3f}".replace("-", "−")


def estimated(values: list[float]) -> str:
    """Return mean ± half of the interval, for the overlap of the made results."""
    estimate = corrected_mean(values, 0.1)
    return f"{estimate.mean:+.3f} ± {estimate.half_width():.3f}".replace("-", "−")


def called(results: ResolutionResults, trained: str, tested: str) -> str:
    """Return the share of spirals called ellipticals."""
    return spread([m[0][1] / (m[0][0] + m[0][1]) for m in results.confusion[trained, tested].tolist()])[1:]


def test_every_number_is_computed(results: ResolutionResults) -> None:
    data: Any = tables.matrix(results).data.set_index(["trained", "tested"])
    ablation = tables.ablation(results)
    assert ablation is not None

    def of(trained: str, tested: str, name: str) -> str:
        row = data.loc[(trained, tested)]
        return f"{row[f'{name}_mean']:.3f} ± {row[f'{name}_std']:.3f}"

    def lost(trained: str, tested: str) -> str:
        row = data.loc[(trained, tested)]
        return f"{row['loss_mean']:.3f} ± {row['loss_half']:.3f}"

    there, threshold, classes, back, _, _, mixed, parts, baseline = summary(results)
    for sentence, trained, tested in ((there, "native", "blurred"), (back, "blurred", "native")):
        assert re.match(rf"Training at {trained} \([\d.]+″\) and testing at {tested} \([\d.]+″\) changes ", sentence)
        assert f"changes the accuracy by −{lost(trained, tested)} (95 % interval), run by run" in sentence
        assert (
            f"{of(trained, tested, 'accuracy')} against {of(tested, tested, 'accuracy')} (± 1 std over 5 runs)"
            in sentence
        )
        assert f"The TSS is {of(trained, tested, 'tss')} against {of(tested, tested, 'tss')}" in sentence
    again: Any = tables.recalibrated(results).data.set_index(["trained", "tested"])
    free, own = again.loc[("native", "blurred")], again.loc[("blurred", "blurred")]
    for name in ("auc", "accuracy_recalibrated", "tss_recalibrated"):
        for one in (free, own):
            assert f"{one[f'{name}_mean']:.3f} ± {one[f'{name}_std']:.3f}" in threshold
    assert f"+{free['tss_recalibrated_loss_mean']:.3f} ± " in threshold
    for place, name in enumerate(("spirals", "ellipticals")):
        here, matched = (
            [m[place][place] / sum(m[place]) for m in results.confusion[at, "blurred"].tolist()]
            for at in ("native", "blurred")
        )
        change = estimated([a - b for a, b in zip(here, matched, strict=True)])
        assert f"a recall of {name} that differs by {change}" in classes
    assert "Spirals lose most recall." in classes
    assert f"Of the spirals, these networks call {called(results, 'native', 'blurred')} ellipticals." in classes
    assert f"trained at blurred it is {called(results, 'blurred', 'blurred')} of the same spirals" in classes
    assert f"tested at native, {called(results, 'native', 'native')}." in classes
    for tested in ("native", "blurred"):
        there = of(tested, tested, "accuracy")
        change = f"−{lost('mixed', tested)}, 95 % interval, against the {there}"
        assert f"{of('mixed', tested, 'accuracy')} at {tested} ({change}" in mixed
    for row in ablation.data.to_dict("records")[:2]:
        change = f"−{-row['accuracy_change_mean']:.3f} ± {row['accuracy_change_half']:.3f}"
        assert f"{change} at {row['tested'].replace('_', ' ')} (" in parts
    noise = "the noise on the network's pixels is 0.31 DN at blur only, and 5.70 DN where they were trained"
    assert noise in parts
    assert "noise only, and" not in parts
    assert f"accuracy of {2400 / 3300:.3f} at native and {2400 / 3300:.3f} at blurred" in baseline


def of_pair(results: ResolutionResults, trained: str, tested: str) -> str:
    return spread([(m[0][0] + m[1][1]) / sum(map(sum, m)) for m in results.confusion[trained, tested].tolist()])[1:]


def test_gains_zeros_and_absent_classes(results: ResolutionResults) -> None:
    upside_down = {pair: value[:, ::-1] for pair, value in results.confusion.items()}
    text = summary(dataclasses.replace(results, confusion=upside_down))
    assert re.search(r"blurred \([\d.]+″\) changes the accuracy by \+[\d.]+ ± ", text[0])
    same = dict.fromkeys(results.confusion, results.confusion["native", "native"])
    text = summary(dataclasses.replace(results, confusion=same))
    assert "changes the accuracy by 0.000 ± 0.000 (95 % interval), run by run" in text[0]
    assert "No class loses more recall than the interval allows for." in text[2]
    absent = {pair: value * np.array([[0], [1]]) for pair, value in results.confusion.items()}
    text = summary(dataclasses.replace(results, confusion=absent))
    assert "a recall of spirals that differs by —" in text[2]
    assert "Spirals" not in text[2]


def test_a_loss_is_laid_to_the_threshold_only_where_none_is_left(results: ResolutionResults) -> None:
    lost, whole = results.confusion["native", "blurred"], results.confusion["blurred", "blurred"]
    for recalibrated, verdict in (
        ({("native", "blurred"): whole, ("blurred", "blurred"): whole}, "no loss beyond a shifted threshold"),
        ({("native", "blurred"): lost, ("blurred", "blurred"): whole}, "this part is lost in the ranking"),
    ):
        changed = dataclasses.replace(results, recalibrated={**results.recalibrated, **recalibrated})
        assert verdict in summary(changed)[1]
    unharmed = dataclasses.replace(results, confusion={**results.confusion, ("native", "blurred"): whole})
    assert re.search(r"no loss of TSS for the threshold to explain: it is 0\.000 ± 0\.000\.", summary(unharmed)[1])


def test_fewer_levels_and_runs_say_less() -> None:
    plain = summary(made_resolution(ablations=False, mixed=False))
    assert len(plain) == 7
    assert "remedy" not in " ".join(plain)
    assert "one run, which has no spread" in summary(made_resolution(runs=1))[0]
    (alone,) = summary(made_resolution(levels=1, mixed=False, ablations=False))
    assert "nothing to compare" in alone


def test_noise_in_pictures_is_said_in_grey_levels(results: ResolutionResults) -> None:
    text = " ".join(summary(dataclasses.replace(results, unit="grey levels")))
    assert "pixels is 0.31 grey levels at blur only, and 5.70 grey levels where they were trained" in text
    assert "DN" not in text
    text = " ".join(summary(dataclasses.replace(results, unit="the unit of the file")))
    assert "pixels is 0.31 at blur only, and 5.70 where they were trained" in text


def test_the_best_epoch_is_said_of_each_pair_and_none_is_picked(results: ResolutionResults) -> None:
    (text,) = best_epoch(watched(results))
    assert "by 0.000 ± 0.000 for networks trained at native and tested at native; +0.150 ± 0.212 for" in text
    assert "for networks trained at native and tested at blurred (" in text
    assert "most" not in text
    assert best_epoch(results) == []


def test_the_answer_is_that_of_both_ends_after_holms_correction(results: ResolutionResults) -> None:
    found = finding(results)
    assert found is not None
    first, last = results.ends
    losses = [
        results.estimated_loss(metric, *pair)
        for pair in ((first, last), (last, first))
        for metric in ("accuracy", "tss")
    ]
    assert [one.change for one in found.effects] == [-loss.mean for loss in losses]
    assert [one.half for one in found.effects] == [loss.half_width() for loss in losses]
    adjusted = holm([loss.p_value() for loss in losses])
    assert [one.significant for one in found.effects] == [p < 0.05 for p in adjusted]
    assert [one.label for one in found.effects][::2] == ["accuracy, native → blurred", "accuracy, blurred → native"]
    assert found.verdict == "yes"


def test_one_loss_in_four_must_be_shown_more_clearly_than_a_single_one(
    results: ResolutionResults, monkeypatch: pytest.MonkeyPatch
) -> None:
    loss = corrected_mean([0.02, 0.06, 0.01, 0.05, 0.03], 0.1)
    assert 0.0125 < loss.p_value() < 0.05
    monkeypatch.setattr(ResolutionResults, "estimated_loss", lambda *given: loss)
    found = finding(results)
    assert found is not None
    assert (found.verdict, [one.significant for one in found.effects]) == ("not shown", [False] * 4)


def test_one_level_or_one_run_shows_nothing() -> None:
    assert finding(made_resolution(1, ablations=False, mixed=False)) is None
    alone = finding(made_resolution(runs=1))
    assert alone is not None
    assert (alone.verdict, alone.effects) == ("not shown", ())
