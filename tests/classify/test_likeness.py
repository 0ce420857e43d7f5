"""Stamps that are unlike those of the training."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from numpy.typing import NDArray

from galmorph.classify import Ensemble, load_ensemble
from galmorph.classify.batch import classify_targets
from galmorph.classify.ensemble import NOT_FINITE
from galmorph.classify.likeness import Typical, another_mix, common_kind, measure
from galmorph.classify.targets import stamp_targets

Images = NDArray[np.float32]


@pytest.fixture(scope="module")
def typical(study_images: Images) -> Typical:
    return Typical(measure(study_images), "asinh", 5.0, pictures=False)


def kinds(doubts: list[str]) -> list[set[str]]:
    return [{reason.split(":")[0] for reason in text.split("; ") if text} for text in doubts]


def test_what_is_measured_of_a_stamp() -> None:
    rng = np.random.default_rng(1)
    stamps = rng.normal(3, 5, (200, 64, 64)).astype(np.float32)
    stamps[:, 30:34, 30:33] = 1003
    measured = measure(stamps)
    assert measured["noise"].mean() == pytest.approx(5, abs=0.05)
    assert measured["sky"].mean() == pytest.approx(3, abs=0.05)
    assert measured["peak"].mean() == pytest.approx(1000, abs=0.1)
    assert (measured["width"] == 12).all()
    assert {name: len(values) for name, values in measure(stamps[:0]).items()} == dict.fromkeys(measured, 0)


def test_few_of_the_training_s_own_stamps_are_doubted(typical: Typical) -> None:
    assert typical.doubts(typical.measured) == [""] * 150
    assert typical.differences(typical.measured) == []


def test_44_of_300_stamps_in_other_units_are_marked(
    ensemble: Ensemble, study_images: Images, caplog: pytest.LogCaptureFixture
) -> None:
    # In nanomaggies, where the training had DN.
    stamps = np.concatenate([study_images, study_images])
    marked = np.zeros(300, dtype=bool)
    marked[:264:6] = True
    stamps[marked] *= np.float32(0.005)
    with caplog.at_level(logging.WARNING, logger="galmorph"):
        table = ensemble.classify(stamps)
    assert ((table["doubts"] != "") == marked).all()
    assert "unlike the stamps of the training: 44 of 300 (44 noise, 44 peak)" in caplog.text


def test_a_hundredfold_flux_behind_many_good_stamps_is_marked(ensemble: Ensemble, study_images: Images) -> None:
    stamps = np.concatenate([study_images, study_images])
    stamps[260:] *= 100
    doubts = ensemble.classify(stamps)["doubts"]
    assert (doubts[:260] == "").all()
    assert (doubts[260:] != "").all()


def test_a_bright_galaxy_on_a_usual_sky_is_marked_for_its_peak(typical: Typical, study_images: Images) -> None:
    stamps = study_images[:3].copy()
    stamps[1, 6:10, 6:10] = 5000
    assert kinds(typical.doubts(measure(stamps))) == [set(), {"peak"}, set()]


def test_the_sky_left_in_a_stamp(typical: Typical, study_images: Images) -> None:
    stamps = study_images[:2] + np.array([0, 120], np.float32)[:, None, None]
    assert kinds(typical.doubts(measure(stamps))) == [set(), {"sky"}]


def test_networks_that_see_no_units_are_compared_by_the_width_alone(typical: Typical, study_images: Images) -> None:
    blind = dataclasses.replace(typical, scaling="extremes")
    assert blind.doubts(measure(study_images * 1000 + 7)) == [""] * 150


def test_another_kind_of_file(typical: Typical, study_images: Images) -> None:
    measured, files = measure(study_images[:3]), ["a.fits", "b.JPG", "c.npy"]
    assert typical.doubts(measured, files) == ["", "kind of file: the training has FITS or npy", ""]
    pictures = dataclasses.replace(typical, pictures=True)
    assert [bool(text) for text in pictures.doubts(measured, files)] == [True, False, True]
    assert dataclasses.replace(typical, pictures=None).doubts(measured, files) == ["", "", ""]
    assert common_kind(pd.Series(["a.png", "b.jpeg"])) is True
    assert common_kind(pd.Series(["fpC-001729-r3-0083.fit.gz"])) is False
    assert common_kind(pd.Series(["a.png", "b.fits"])) is None
    assert common_kind(pd.Series(dtype="str")) is None


def test_a_set_that_differs_as_a_whole_though_no_stamp_does(typical: Typical, study_images: Images) -> None:
    measured = measure(study_images * np.float32(1.5))
    assert typical.doubts(measured) == [""] * 150
    sentences = typical.differences(measured)
    assert ["in noise" in sentences[0], "in peak" in sentences[1]] == [True, True]
    assert typical.differences(measure(study_images[:19] * np.float32(1.5))) == []  # too few to tell


def test_another_mix_of_classes() -> None:
    expected = {"spiral": 0.7, "elliptical": 0.3}
    assert another_mix({"spiral": 0.62, "elliptical": 0.38}, 100, expected, 300) == []
    (sentence,) = another_mix({"spiral": 0.04, "elliptical": 0.96}, 100, expected, 300)
    assert "a mean probability of 0.04 to be spiral, their own test galaxies 0.70: another mix" in sentence
    assert another_mix({"spiral": 0.0, "elliptical": 1.0}, 19, expected, 300) == []


def test_an_ensemble_knows_what_is_usual_for_its_networks(ensemble: Ensemble) -> None:
    assert ensemble.tested == 12
    assert sum(ensemble.expected.values()) == pytest.approx(1)
    assert ensemble.typical is not None
    assert ensemble.typical.pictures is False


def test_a_training_of_unknown_pixel_scale_is_said_to_be(own_study: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = own_study / "data/cutouts/galaxies.parquet"
    pd.read_parquet(path).assign(pixel_scale=np.nan).to_parquet(path)
    (own_study / "data/cutouts/images.npy").unlink()
    with caplog.at_level(logging.WARNING, logger="galmorph"):
        ensemble = load_ensemble("three_class", own_study)
    assert "three_class: the pixel scale of the training is unknown" in caplog.text
    assert "images.npy), so new ones are not compared with them; dvc checkout" in caplog.text
    assert ensemble.typical is None


def overflowing(ensemble: Ensemble) -> Ensemble:
    """The same networks behind a scaling that very bright pixels overflow."""
    linear = ensemble.training.model_copy(update={"scaling": "linear"})
    members = tuple(dataclasses.replace(member, softening=1e-3) for member in ensemble.members)
    return dataclasses.replace(ensemble, training=linear, members=members)


def test_a_stamp_that_overflows_the_network_has_no_class_and_the_others_have(
    ensemble: Ensemble, study_images: Images
) -> None:
    stamps = study_images[:5].copy()
    expected = overflowing(ensemble).classify(stamps)
    stamps[2] = 3e38
    stamps[2, 0, 0] = 1e38
    table = overflowing(ensemble).classify(stamps)
    assert pd.isna(table["predicted"][2])
    assert table["doubts"][2] == NOT_FINITE
    assert table.drop(index=2)[["predicted", "p_spiral"]].equals(expected.drop(index=2)[["predicted", "p_spiral"]])


def test_a_file_that_overflows_the_network_is_rejected_alone(
    ensemble: Ensemble, study: Path, study_images: Images, tmp_path: Path
) -> None:
    for number, image in enumerate(study_images[:3]):
        fits.PrimaryHDU(image * np.float32(1e36 if number == 1 else 1)).writeto(tmp_path / f"{number}.fits")
    targets = stamp_targets(tmp_path, None, ensemble.stamps, ensemble.cutouts, sky_subtracted=True)
    galaxies, rejected, _ = classify_targets(targets, overflowing(ensemble), study)
    assert galaxies["name"].tolist() == ["0.fits", "2.fits"]
    assert rejected["reason"].tolist() == [f"{NOT_FINITE}: the pixels are too bright for the scaling of the training"]
