"""Numbers: predictions of one class, a class that a test part lacks, equal stamps, infinite pixels, one run, one epoch.

What must be kept: a score that is not defined is NaN and said to be missing, never a number; training ends or says why.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from galmorph.errors import GalmorphError
from galmorph.scores import metrics
from galmorph.scores.evaluation import scores
from galmorph.scores.statistics import corrected_interval
from galmorph.tracking.content import run_content
from galmorph.training.campaign import run_campaign
from galmorph.training.records import Evaluation, load_record, record_name
from galmorph.training.scaling import scaled, softening
from tests.support.campaigns import made_campaign
from tests.support.records import made_record


@pytest.mark.fault
@pytest.mark.parametrize("answer", [0, 1])
def test_predictions_of_one_class(answer: int) -> None:
    truth = np.array([0, 0, 0, 1], np.uint8)
    confusion = metrics.confusion_matrix(truth, np.full(4, answer), 2)
    assert metrics.tss(confusion) == 0
    assert metrics.accuracy(confusion) == [0.75, 0.25][answer]
    assert metrics.peirce(confusion) == pytest.approx(0)


@pytest.mark.fault
def test_a_class_that_the_test_part_lacks() -> None:
    record = made_record(phase="confirmed")
    truth = np.zeros_like(record.sets["test"].truth)
    sets = record.sets | {"test": dataclasses.replace(record.sets["test"], truth=truth)}
    lacking = dataclasses.replace(record, sets=sets)
    values = scores(lacking, 2)
    assert np.isnan(values["tss"])
    assert 0 <= values["accuracy"] <= 1
    # What is not defined is not shown as a number.
    assert "tss" not in run_content(lacking, Path("run-001.npz"), 2).metrics


@pytest.mark.fault
def test_a_set_without_galaxies() -> None:
    with np.errstate(invalid="ignore"):
        assert np.isnan(metrics.accuracy(np.zeros((2, 2))))
    assert np.isnan(metrics.tss(np.zeros((2, 2))))


@pytest.mark.fault
@pytest.mark.parametrize("value", [0.0, 7.5])
@pytest.mark.parametrize("scaling", ["asinh", "linear", "extremes"])
def test_stamps_that_are_all_equal_scale_to_numbers(scaling: str, value: float) -> None:
    images = np.full((6, 16, 16), value, np.float32)
    try:
        constant = softening(images, scaling)
        made = scaled(images, scaling, constant)
    except GalmorphError as error:
        assert "scaling" in str(error) or "stamps" in str(error)  # noqa: PT017
    else:
        assert np.isfinite(made).all()


@pytest.mark.fault
@pytest.mark.parametrize("scaling", ["asinh", "extremes"])
def test_a_campaign_of_equal_stamps_one_run_and_one_epoch(tmp_path: Path, scaling: str) -> None:
    made = made_campaign(tmp_path)
    images = np.load(made.images)
    np.save(made.images, np.full_like(images, 5.0))
    campaign = dataclasses.replace(
        made,
        protocol=made.protocol.model_copy(update={"runs": 1}),
        training=made.training.model_copy(update={"scaling": scaling}),
        epochs=1,
    )
    if scaling == "asinh":
        with pytest.raises(GalmorphError, match=r"run 1: training\.scaling: asinh finds no spread in the pixels"):
            run_campaign(campaign, tmp_path / "records", lambda path: None)
        return
    run_campaign(campaign, tmp_path / "records", lambda path: None)
    record = load_record(tmp_path / "records" / record_name(1))
    assert record.epochs == 1
    assert all(np.isfinite(values).all() for values in record.history.values())
    # All look the same, so all get the same answer.
    assert len(set(record.predicted[0].tolist())) == 1


@pytest.mark.fault
def test_infinite_pixels_stop_with_the_run(tmp_path: Path) -> None:
    made = made_campaign(tmp_path)
    images = np.load(made.images)
    images[:, 3, 3] = np.inf
    np.save(made.images, images)
    with pytest.raises(GalmorphError, match=r"three_class, phase confirmed, run \d: 28 of 28 stamps hold pixels"):
        run_campaign(made, tmp_path / "records", lambda path: None)
    assert not list((tmp_path / "records").glob("run-*.npz"))


@pytest.mark.fault
def test_one_run_has_no_interval() -> None:
    mean, half = corrected_interval([0.1], 0.0)
    assert mean == 0.1
    assert np.isnan(half)


@pytest.mark.fault
def test_probabilities_that_tie_give_the_first_class() -> None:
    even = Evaluation(np.arange(3), np.array([0, 1, 1], np.uint8), np.full((3, 2), 0.5, np.float32))
    record = made_record(phase="confirmed")
    values = scores(dataclasses.replace(record, sets=record.sets | {"common_natural": even}), 4)
    assert values["accuracy@common_natural"] == pytest.approx(1 / 3)
