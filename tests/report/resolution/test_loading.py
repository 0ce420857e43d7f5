"""What is computed from records: recall by size, thresholds that need no label, updates; all counted by hand."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from galmorph.report.resolution.loading import common_unit, declared_levels, effort, rankings, recall_by_size
from galmorph.report.resolution.results import RECALIBRATED, Effort, Level, ResolutionResults
from galmorph.scores.evaluation import ConditionRecords
from galmorph.training.records import Evaluation
from tests.support.parameters import settings_with
from tests.support.records import made_record
from tests.support.resolution import CLASSES

LEVELS = (
    Level("native", 1.4, 0.4, math.nan, "level"),
    Level("blur_only", 2.8, 0.4, math.nan, "ablation"),
    Level("blurred", 2.8, 0.4, math.nan, "level"),
    Level("elsewhere", 1.0, 0.4, math.nan, "survey"),
)
# Eight galaxies of the sample: half-light radii in arcsec, the largest last.
RADII = np.array([1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 4.0, 4.0])


def trained_at(name: str, right: list[list[int]]) -> ConditionRecords:
    """Networks that classify galaxy i right where right[run][i] is 1, at the level blurred."""
    records = []
    for number, answers in enumerate(right, start=1):
        truth = np.array([0, 1] * 4, np.uint8)
        guess = np.where(np.array(answers) == 1, truth, 1 - truth)
        sets = {"blurred": Evaluation(np.arange(8), truth, np.eye(2, dtype=np.float32)[guess])}
        records.append(dataclasses.replace(made_record(run=number), sets=sets))
    return ConditionRecords(name, 1, {"confirmed": records}, {"confirmed": [Path()] * len(records)})


def test_recall_is_by_class_and_quarter_and_its_loss_paired_by_run() -> None:
    # Truth: spiral, elliptical, spiral, ... and two galaxies of each size, one of each class.
    here = trained_at("native", [[0, 0, 0, 1, 1, 1, 1, 1], [0, 0, 1, 1, 1, 1, 1, 0]])
    there = trained_at("blurred", [[1, 0, 1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1, 0, 0]])
    table = recall_by_size({"native": here, "blurred": there}, LEVELS, RADII)
    assert table[["trained", "tested"]].drop_duplicates().to_numpy().tolist() == [["native", "blurred"]]
    assert table["class"].unique().tolist() == ["elliptical", "spiral"]
    spirals, ellipticals = (table[table["class"] == name].set_index("part") for name in ("spiral", "elliptical"))
    # 2.8 arcsec over 4, 3, 2 and 1; part 1 are the largest.
    assert spirals["ratio"].tolist() == pytest.approx([0.7, 2.8 / 3, 1.4, 2.8])
    # The smallest spiral: 0 and 0 right against 1 and 1. The smallest elliptical: 0 and 0 against 0 and 1.
    assert spirals["recall_mean"].tolist() == [1.0, 1.0, 0.5, 0.0]
    assert spirals["matched_mean"].tolist() == [0.5, 1.0, 1.0, 1.0]
    assert spirals["loss_mean"].tolist() == [-0.5, 0.0, 0.5, 1.0]
    assert ellipticals["loss_mean"].tolist() == [0.0, 0.0, 0.0, 0.5]
    # Both runs test the same galaxy, and say nothing of others.
    assert set(table["loss_half"]) == {math.inf}
    assert table["galaxies"].tolist() == [1.0] * 8
    assert table["runs"].tolist() == [2] * 8


def test_large_and_small_galaxies_of_another_mix_have_no_other_recall() -> None:
    # Sharp networks call everything a spiral: what they lose is the same for ellipticals of every size.
    truth = np.array([0, 0, 0, 0, 1, 0, 1, 1], np.uint8)
    networks = {}
    for name, guess in (("native", np.zeros(8, int)), ("blurred", truth)):
        sets = {"blurred": Evaluation(np.arange(8), truth, np.eye(2, dtype=np.float32)[guess])}
        records = [dataclasses.replace(made_record(run=run), sets=sets) for run in (1, 2)]
        networks[name] = ConditionRecords(name, 1, {"confirmed": records}, {"confirmed": []})
    table = recall_by_size(networks, LEVELS, RADII)
    assert set(table.loc[table["class"] == "elliptical", "loss_mean"]) == {1.0}
    assert set(table.loc[table["class"] == "spiral", "loss_mean"]) == {0.0}


def test_a_galaxy_without_a_size_is_left_out() -> None:
    radii = RADII.copy()
    radii[0] = math.nan
    networks = trained_at("native", [[1] * 8, [1] * 8])
    table = recall_by_size({"native": networks, "blurred": networks}, LEVELS, radii)
    assert table["galaxies"].sum() == 7


def test_one_level_or_no_sizes_give_nothing() -> None:
    assert recall_by_size({}, LEVELS[:2], RADII).empty
    assert recall_by_size({}, LEVELS, np.full(8, math.nan)).empty


def split(spirals: int, ellipticals: int) -> pd.DataFrame:
    """Return the training part of the first confirmed run, beside parts that are not to be counted."""
    classes = ["spiral"] * spirals + ["elliptical"] * ellipticals
    train = pd.DataFrame({"phase": "confirmed", "run": 1, "class": classes, "part": "train"})
    others = pd.DataFrame({"phase": ["selected", "confirmed"], "run": 1, "class": "spiral", "part": ["train", "test"]})
    return pd.concat([train, others], ignore_index=True)


def test_the_threshold_is_that_of_the_training_part_and_of_no_label_of_the_test() -> None:
    truth = np.array([0, 0, 0, 0, 0, 0, 1, 1], np.uint8)
    # Every galaxy is called a spiral, and the ellipticals are ranked last but for one.
    spiral = np.array([0.999, 0.99, 0.98, 0.97, 0.96, 0.8, 0.9, 0.7], np.float32)
    answers = Evaluation(np.arange(8), truth, np.stack([spiral, 1 - spiral], axis=1))
    upside_down = dataclasses.replace(answers, truth=1 - truth)
    records = [dataclasses.replace(made_record(run=1), sets={"blurred": answers, "other": upside_down})]
    network = ConditionRecords("native", 1, {"confirmed": records}, {"confirmed": []})
    auc, called = rankings({"native": network}, {"native": split(3, 1)}, ("blurred", "other"))
    assert auc["native", "blurred"] == pytest.approx([11 / 12])
    assert auc["native", "other"] == pytest.approx([1 / 12])
    # Three in four: the six first ones.
    assert called["native", "blurred", RECALIBRATED].confusion().tolist() == [[[5, 1], [1, 1]]]
    assert called["native", "other", RECALIBRATED].confusion().tolist() == [[[1, 1], [5, 1]]]
    assert called["native", "blurred", ""].confusion().tolist() == [[[6, 0], [2, 0]]]
    half = rankings({"native": network}, {"native": split(2, 2)}, ("blurred",))[1]
    assert half["native", "blurred", RECALIBRATED].confusion().tolist() == [[[4, 2], [0, 2]]]


def test_the_overlap_that_counts_is_that_of_the_class_which_varies() -> None:
    """As in a balanced draw: ellipticals are few, so that runs share them, and spirals are many."""
    seen: dict[int, Evaluation] = {}
    matched: dict[int, Evaluation] = {}
    # Two runs: the ellipticals 8 and 9 in both, other spirals in each.
    for run, spirals in ((1, [0, 1]), (2, [2, 3])):
        rows, truth = np.array([*spirals, 8, 9]), np.array([0, 0, 1, 1], np.uint8)
        for networks, guess in ((seen, [0, 0, 0, 1]), (matched, [0, 1, 1, 1])):
            networks[run] = Evaluation(rows, truth, np.eye(2, dtype=np.float32)[guess])
    both = {
        name: ConditionRecords(
            name,
            1,
            {
                "confirmed": [
                    dataclasses.replace(made_record(run=run), sets={"blurred": one}) for run, one in sets.items()
                ]
            },
            {"confirmed": []},
        )
        for name, sets in (("native", seen), ("blurred", matched))
    }
    _, answers = rankings(both, dict.fromkeys(both, pd.concat([split(2, 2), split(2, 2).assign(run=2)])), ("blurred",))
    native, blurred = LEVELS[0], LEVELS[2]
    matrices = {(name, "blurred"): answers[name, "blurred", ""].confusion() for name in both}
    results = ResolutionResults((native, blurred), CLASSES, {}, 2, 10, {}, matrices, {"blurred": 0.5}, answers=answers)
    pair = (native, blurred), (blurred, blurred)

    def shared(metric: str) -> float:
        return results.shared(*((metric, *one) for one in pair))

    assert shared("recall_spiral") == 0.0
    assert shared("recall_elliptical") == 1.0
    # Of each class one of two galaxies differs between the networks: both count alike.
    assert shared("accuracy") == shared("tss") == shared("auc") == 0.5
    # Alone, the blurred networks err on spirals only, which runs do not share; the native ones on ellipticals only.
    assert results.shared(("accuracy", blurred, blurred), None) == 0.0
    assert results.shared(("accuracy", native, blurred), None) == 1.0
    # Without the predictions, that of all galaxies.
    assert dataclasses.replace(results, answers={}).shared(("accuracy", native, blurred), None) == 0.5


@pytest.mark.parametrize(
    ("files", "unit"),
    [
        (["a.jpg", "b.png", None], "grey levels"),
        (["fpC-001729-r3-0083.fit.gz"], "DN"),
        (["a.jpg", "a.fits"], "the unit of the file"),
    ],
)
def test_the_unit_of_the_sample_is_that_of_its_files(files: list[str], unit: str) -> None:
    assert common_unit(pd.Series(files)) == unit


def test_effort_counts_whole_and_broken_batches_and_what_came_before() -> None:
    tuned = {"kind": "fine_tuned", "levels": ["native", "blurred"], "galaxies": 20, "epochs": 4, "learning_rate": 1e-4}
    level = {"psf_fwhm": None, "pixel_scale": None, "noise": None}
    levels = {"native": level, "blurred": {"psf_fwhm": 2.8, "pixel_scale": 0.4, "noise": None}}
    settings = settings_with({"resolution.levels": levels, "resolution.remedies": {"tuned": tuned}}).resolution
    records = {}
    for name, epochs in (("native", 3), ("tuned", 4)):
        made = made_record(epochs=epochs)
        record = dataclasses.replace(made, parameters=made.parameters | {"training.batch_size": 16}, phase="confirmed")
        records[name] = ConditionRecords(name, epochs, {"confirmed": [record]}, {"confirmed": []})
    splits = {"native": split(70, 30), "tuned": split(70, 30)}
    assert effort("native", records, splits, settings) == Effort(100, 3 * 7)
    assert effort("tuned", records, splits, settings) == Effort(20, 4 * 2, Effort(100, 3 * 7))


def test_the_noise_that_the_network_sees_is_that_of_the_median_galaxy() -> None:
    levels = {
        "native": {"psf_fwhm": None, "pixel_scale": None, "noise": None},
        "noisy": {"psf_fwhm": 2.6, "pixel_scale": 0.396, "noise": 9.0},
    }
    settings = settings_with({"resolution.levels": levels, "resolution.common_noise": None})
    sample = pd.DataFrame({"psf_fwhm": [1.3, 1.4, 1.8], "pixel_scale": 0.396, "noise": [5.0, 5.5, 6.5]})
    native, noisy = declared_levels(settings.resolution, settings.cutouts, sample, {})
    assert (native.network_noise, native.noise_correlation) == (5.5, 0.0)
    assert (noisy.network_noise, noisy.noise_correlation) == pytest.approx((9.0, 0.0), abs=1e-6)
    common = declared_levels(settings_with({}).resolution, settings.cutouts, sample, {})
    assert {(level.network_noise, level.noise_correlation) for level in common} == {(7.0, 0.0)}
