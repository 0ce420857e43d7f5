"""Baselines: what they measure, that they train on the training part alone, and that a run can be repeated alone."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from galmorph.baselines import (
    BASELINES,
    FEATURES,
    BaselineCampaign,
    baseline_run,
    classifier,
    features,
    probabilities,
    run_baselines,
)
from galmorph.errors import GalmorphError
from galmorph.scores.evaluation import score_run
from galmorph.settings.layout import IMAGES, split_path
from galmorph.training.records import Record, load_phase, load_record, record_name
from galmorph.training.run import parts_of
from tests.support.campaigns import CHANGES, made_campaign
from tests.support.parameters import settings_with

Campaigns = list[BaselineCampaign]


def galaxy(radius: float, axis_ratio: float = 1.0, size: int = 64, shift: float = 0.0) -> NDArray[np.float32]:
    """Return an exponential disc of half-light radius 1.68 `radius`, a second one beside it if `shift` is given."""
    y, x = np.mgrid[:size, :size] - size // 2
    light = np.exp(-np.hypot(x, y / axis_ratio) / radius)
    if shift:
        light = light + 0.5 * np.exp(-np.hypot(x - shift, y) / radius)
    return (100 * light).astype(np.float32)


def measured(image: NDArray[np.float32]) -> dict[str, float]:
    return dict(zip(FEATURES, features(image[None])[0].tolist(), strict=True))


@pytest.fixture
def campaigns(tmp_path: Path) -> Campaigns:
    """The baselines of a small condition, whose spirals are brighter."""
    made = made_campaign(tmp_path)
    known = {field.name: getattr(made, field.name) for field in dataclasses.fields(made)}
    return [BaselineCampaign(**known, baseline=name) for name in BASELINES]


def records(campaigns: Campaigns, folder: Path, run: int = 1) -> dict[str, Record]:
    for name in BASELINES:
        (folder / name).mkdir(parents=True, exist_ok=True)
    baseline_run(campaigns, run, folder)
    return {name: load_record(folder / name / record_name(run)) for name in BASELINES}


def test_a_round_disc_has_the_features_of_its_formula() -> None:
    found = measured(galaxy(3.0))
    assert found["magnitude"] == pytest.approx(-2.5 * np.log10(2 * np.pi * 3.0**2 * 100), abs=0.02)
    assert found["log half-light radius"] == pytest.approx(np.log10(1.678 * 3.0), abs=0.01)
    # An exponential disc holds 20 % of its light within 0.824 scale lengths, 80 % within 2.994.
    assert found["concentration"] == pytest.approx(5 * np.log10(2.994 / 0.824), abs=0.05)
    assert found["asymmetry"] == pytest.approx(0, abs=1e-6)
    assert found["elongation"] == pytest.approx(0, abs=1e-6)


def test_each_feature_follows_what_it_is_named_after() -> None:
    plain = measured(galaxy(3.0))
    assert measured(10 * galaxy(3.0))["magnitude"] == pytest.approx(plain["magnitude"] - 2.5)
    assert measured(galaxy(5.0))["log half-light radius"] > plain["log half-light radius"]
    assert measured(galaxy(4.0, axis_ratio=0.4))["elongation"] > 0.3
    beside = measured(galaxy(3.0, shift=6.0))
    assert beside["asymmetry"] > 0.1
    assert beside["M20"] > plain["M20"]  # less negative where bright pixels lie far from the centre
    flat = np.where(galaxy(3.0) > 10, 10, galaxy(3.0)).astype(np.float32)
    assert measured(flat)["Gini"] < plain["Gini"]


def test_flux_changes_no_feature_of_shape() -> None:
    once, tenfold = (features(flux * galaxy(3.0, 0.7, shift=5.0)[None])[0, 1:] for flux in (1, 10))
    np.testing.assert_allclose(once, tenfold, rtol=1e-5)


def test_a_stamp_without_light_has_no_features_and_stops_nothing(campaigns: Campaigns, tmp_path: Path) -> None:
    assert np.isnan(features(np.zeros((2, 16, 16), np.float32))).all()
    images = np.load(campaigns[0].images)
    images[::3] = -1
    np.save(campaigns[0].images, images)
    for record in records(campaigns, tmp_path / "runs").values():
        assert np.isfinite(record.sets["test"].probabilities).all()


def test_a_record_has_the_galaxies_of_the_run_and_of_the_common_sets(campaigns: Campaigns, tmp_path: Path) -> None:
    parts = parts_of(campaigns[0].split, 150, campaigns[0], 2)
    for name, record in records(campaigns, tmp_path, 2).items():
        assert set(record.sets) == {"test", "common_natural", "common_balanced"}
        for part, found in record.sets.items():
            np.testing.assert_array_equal(found.rows, parts[part][0])
            np.testing.assert_array_equal(found.truth, parts[part][1])
            assert found.probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)
        assert record.parameters["baseline"] == name
        assert not [key for key in record.parameters if key.startswith("network.") or key == "training.epochs"]
        scores = score_run(record, 1).scores
        assert {"accuracy", "tss", "accuracy@common_natural", "tss@common_balanced", "accuracy_restricted"} <= set(
            scores
        )


def test_what_can_be_learnt_is_learnt(campaigns: Campaigns, tmp_path: Path) -> None:
    """Spirals are a bright square: the magnitude tells them from ellipticals."""
    for run in (1, 2, 3):
        for record in records(campaigns, tmp_path, run).values():
            assert score_run(record, 1).scores["accuracy@common_balanced"] >= 5 / 6


def test_nothing_is_learnt_from_a_test_part(campaigns: Campaigns, tmp_path: Path) -> None:
    """Constants of the scaling, means, and components are of the training part: other galaxies keep their answer."""
    before = records(campaigns, tmp_path / "before")
    images = np.load(campaigns[0].images)
    tested = parts_of(campaigns[0].split, 150, campaigns[0], 1)["test"][0]
    images[tested[1:]] *= 1000
    np.save(campaigns[0].images, images)
    for name, after in records(campaigns, tmp_path / "after").items():
        for part, kept in (("test", slice(0, 1)), ("common_natural", slice(None)), ("common_balanced", slice(None))):
            expected = before[name].sets[part].probabilities[kept]
            np.testing.assert_array_equal(after.sets[part].probabilities[kept], expected)
        assert after.softening == before[name].softening


def test_a_training_part_of_one_class_gives_that_answer() -> None:
    inputs = np.random.default_rng(0).normal(size=(9, 7))
    for name in BASELINES:
        model = classifier(name, inputs.shape, np.ones(9, np.uint8), 0).fit(inputs, np.ones(9, np.uint8))
        assert probabilities(model, inputs, 3).tolist() == [[0, 1, 0]] * 9


@pytest.mark.parametrize("classes", [[0, 1], [0, 2], [0, 1, 2]])
def test_the_most_probable_class_is_the_one_that_scikit_learn_predicts(classes: list[int]) -> None:
    rng = np.random.default_rng(1)
    truth = np.array(classes, np.uint8)[rng.integers(0, len(classes), 90)]
    inputs = rng.normal(size=(90, 7)) + truth[:, None]
    for name in BASELINES:
        model = classifier(name, inputs.shape, truth, 0).fit(inputs, truth)
        np.testing.assert_array_equal(probabilities(model, inputs, 3).argmax(axis=1), model.predict(inputs))


def test_stamps_without_spread_are_refused_by_condition_and_run(campaigns: Campaigns, tmp_path: Path) -> None:
    np.save(campaigns[0].images, np.zeros((150, 16, 16), np.float32))
    with pytest.raises(GalmorphError, match=r"condition three_class, baselines, run 1: training\.scaling"):
        baseline_run(campaigns, 1, tmp_path)


@pytest.mark.slow
@pytest.mark.usefixtures("processes")
def test_the_same_bytes_for_any_number_of_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = made_campaign(tmp_path)
    for source, place in ((made.images, IMAGES), (made.split, split_path("three_class"))):
        place.parent.mkdir(parents=True, exist_ok=True)
        source.rename(place)
    settings = settings_with(CHANGES)
    found: dict[str, Any] = {}
    for workers in ("1", "2", "4"):
        monkeypatch.setenv("GALMORPH_WORKERS", workers)
        folder = tmp_path / workers
        run_baselines(settings, "three_class", folder)
        for name in BASELINES:
            assert len(load_phase(folder / name, 3, "three_class", "confirmed")) == 3
        found[workers] = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.npz")}
    assert found["1"] == found["2"] == found["4"]
    assert len(found["1"]) == 9
