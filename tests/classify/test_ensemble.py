"""Predictions of an ensemble."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from galmorph.classify import Ensemble
from galmorph.classify.ensemble import summarise
from galmorph.errors import GalmorphError
from galmorph.training.records import load_record, record_name


def test_the_probabilities_are_those_of_the_training(
    ensemble: Ensemble, study: Path, study_images: NDArray[np.float32]
) -> None:
    assert [member.run for member in ensemble.members] == [1, 2]
    for place, member in enumerate(ensemble.members):
        record = load_record(study / "models/three_class/confirmed" / record_name(member.run))
        assert set(record.sets) == {"test", "common_natural", "common_balanced"}
        for judged in record.sets.values():
            probabilities = ensemble.probabilities(study_images[judged.rows])
            np.testing.assert_allclose(probabilities[place], judged.probabilities, rtol=0, atol=1e-6)
            # It is not the same network twice.
            assert not np.allclose(probabilities[1 - place], judged.probabilities, rtol=0, atol=1e-3)


def test_the_table_summarises_the_networks(ensemble: Ensemble, study_images: NDArray[np.float32]) -> None:
    table = ensemble.classify(study_images)
    probabilities = ensemble.probabilities(study_images)
    assert list(table.columns) == [
        *("predicted", "p_spiral", "std_spiral", "p_elliptical", "std_elliptical", "p_uncertain", "std_uncertain"),
        *("networks", "agreeing", "doubts"),
    ]
    np.testing.assert_allclose(table[[f"p_{name}" for name in ensemble.classes]], probabilities.mean(axis=0), atol=1e-7)
    np.testing.assert_allclose(table["std_spiral"], probabilities[:, :, 0].std(axis=0, ddof=1), atol=1e-6)
    assert (table["networks"] == 2).all()


def test_a_summary_by_hand() -> None:
    probabilities = np.array([[[0.9, 0.1], [0.2, 0.8]], [[0.3, 0.7], [0.4, 0.6]], [[0.6, 0.4], [0.9, 0.1]]], np.float32)
    table = summarise(probabilities, ("spiral", "elliptical"))
    assert table["predicted"].tolist() == ["spiral", "elliptical"]
    np.testing.assert_allclose(table["p_spiral"], [0.6, 0.5], atol=1e-7)
    np.testing.assert_allclose(table["std_spiral"], [0.3, np.sqrt(0.13)], atol=1e-7)
    np.testing.assert_allclose(table["agreeing"], [2 / 3, 2 / 3])
    assert summarise(probabilities[:1], ("spiral", "elliptical"))["std_spiral"].isna().all()


def test_a_stamp_s_probabilities_do_not_depend_on_the_others(
    ensemble: Ensemble, study_images: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = ensemble.probabilities(study_images)
    monkeypatch.setattr("galmorph.classify.ensemble.AT_ONCE", 7)
    np.testing.assert_allclose(ensemble.probabilities(study_images), whole, rtol=0, atol=1e-6)
    np.testing.assert_allclose(ensemble.probabilities(study_images[40:41]), whole[:, 40:41], rtol=0, atol=1e-6)


def test_float64_stamps_give_the_same_table(ensemble: Ensemble, study_images: NDArray[np.float32]) -> None:
    one, two = ensemble.classify(study_images[:5]), ensemble.classify(study_images[:5].astype(np.float64))
    assert one.equals(two)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x[:, :12, :12], r"shape \(150, 12, 12\); three_class was trained on \(16, 16\) pixels"),
        (lambda x: x[0], r"shape \(16, 16\);.*give an array \(n, 16, 16\)"),
        (lambda x: x[..., None], r"shape \(150, 16, 16, 1\)"),
        (lambda x: (x + 1000).astype(np.uint16), "uint16; give float32, DN after sky subtraction"),
        (lambda x: x.astype(np.float16), "float16; give float32"),
        (lambda x: np.where(np.arange(150)[:, None, None] == 7, np.nan, x), r"number 7 has pixels.*\(1 such"),
        (lambda x: np.where(np.arange(150)[:, None, None] > 147, np.inf, x), r"number 148 has .*\(2 such"),
        (
            lambda x: np.where(np.arange(150)[:, None, None] == 7, np.float32(3), x),
            "number 7 has the same value in all pixels",
        ),
    ],
)
def test_stamps_that_are_not_like_those_of_the_training_are_refused(
    ensemble: Ensemble, study_images: NDArray[np.float32], change: Any, message: str
) -> None:
    with pytest.raises(GalmorphError, match=message):
        ensemble.classify(change(study_images))


def test_another_pixel_scale_is_refused_where_both_are_known(
    ensemble: Ensemble, study_images: NDArray[np.float32]
) -> None:
    assert ensemble.pixel_scale == (0.396, 0.396)
    ensemble.classify(study_images[:3], pixel_scale=[0.39, 0.40, np.nan])
    with pytest.raises(GalmorphError, match=r"number 1: pixel scale 0\.500 arcsec, that of the training is 0\.396"):
        ensemble.classify(study_images[:3], pixel_scale=[0.396, 0.5, 0.396])
    dataclasses.replace(ensemble, pixel_scale=None).classify(study_images[:3], pixel_scale=5.0)
    assert dataclasses.replace(ensemble, pixel_scale=(0.2, 0.5)).wrong_scale(0.35) is None


def test_other_units_and_a_sky_left_in_are_warned_of(
    ensemble: Ensemble, study_images: NDArray[np.float32], caplog: pytest.LogCaptureFixture
) -> None:
    ensemble.classify(study_images)
    assert caplog.text == ""
    with caplog.at_level(logging.WARNING, logger="galmorph"):
        ensemble.classify(study_images / 1000)
        assert "150 of 150 (150 noise, 150 peak)" in caplog.text
        ensemble.classify(study_images + 120)
    assert "150 of 150 (150 sky)" in caplog.text
