"""Networks of one level, tested at others, trained further there, and watched there while they train."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from galmorph.errors import GalmorphError
from galmorph.files.reading import file_md5
from galmorph.resolution.testing import tested_campaign as run_tests
from galmorph.scores.evaluation import score_run
from galmorph.tracking.content import run_content
from galmorph.training.campaign import run_campaign
from galmorph.training.plan import Campaign, Levels, Origin
from galmorph.training.records import load_phase, load_record, record_name, save_record, weights_name
from galmorph.training.run import run_one
from tests.support.campaigns import made_campaign

RUNS = (1, 2)


def with_training(campaign: Campaign, **changes: Any) -> Campaign:
    return dataclasses.replace(campaign, training=campaign.training.model_copy(update=changes))


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    made = made_campaign(tmp_path_factory.mktemp("level"), runs=len(RUNS))
    return dataclasses.replace(with_training(made, keep_weights=len(RUNS)), epochs=1)


@pytest.fixture(scope="module")
def confirmed(campaign: Campaign, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("confirmed") / "records"
    run_campaign(campaign, folder, lambda path, seconds: None)
    return folder


@pytest.fixture
def own_confirmed(confirmed: Path, tmp_path: Path) -> Path:
    """Return a copy that a test may spoil."""
    return Path(shutil.copytree(confirmed, tmp_path / "confirmed"))


@pytest.fixture(scope="module")
def levels(campaign: Campaign) -> dict[str, tuple[Path, Path]]:
    """The level of the training, one that shows nothing but noise, and another survey, of other galaxies."""
    noise = campaign.images.with_name("noise.npy")
    np.save(noise, np.random.default_rng(4).normal(0, 5, (150, 16, 16)).astype(np.float32))
    other = campaign.images.with_name("other")
    other.mkdir()
    np.save(other / "images.npy", np.load(campaign.images)[::-1])
    split = pd.read_parquet(campaign.split)
    split["row"] = 149 - split["row"]
    # In another order, so that a truth that is not its own would show.
    split.iloc[::-1].to_parquet(other / "split.parquet")
    return {
        "here": (campaign.images, campaign.split),
        "noise": (noise, campaign.split),
        "other": (other / "images.npy", other / "split.parquet"),
    }


@pytest.fixture(scope="module")
def tested(campaign: Campaign, confirmed: Path, levels: Levels, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tested") / "records"
    run_tests(campaign, confirmed, levels, folder)
    return folder


def test_a_network_predicts_the_same_where_it_was_trained(confirmed: Path, tested: Path) -> None:
    for run in RUNS:
        before, after = (load_record(folder / record_name(run)) for folder in (confirmed, tested))
        np.testing.assert_array_equal(after.sets["here"].probabilities, before.sets["test"].probabilities)
        np.testing.assert_array_equal(after.sets["noise"].rows, before.sets["test"].rows)
        assert not np.array_equal(after.sets["noise"].probabilities, before.sets["test"].probabilities)
        assert after.fingerprint == before.fingerprint


def test_another_survey_is_tested_on_its_own_galaxies(tested: Path) -> None:
    for run in RUNS:
        sets = load_record(tested / record_name(run)).sets
        # The same galaxies turned round: row 149 - i, in the opposite order.
        np.testing.assert_array_equal(149 - sets["other"].rows[::-1], sets["here"].rows)
        np.testing.assert_array_equal(sets["other"].truth[::-1], sets["here"].truth)
        np.testing.assert_allclose(sets["other"].probabilities[::-1], sets["here"].probabilities, atol=1e-6)


def test_a_network_that_is_watched_and_one_that_is_tested_predict_the_same(
    campaign: Campaign, levels: Levels, tested: Path, tmp_path: Path
) -> None:
    # Two ways to the predictions at a level: the oracle's, while the network is in training, and from kept weights.
    run_one(dataclasses.replace(campaign, watched=levels), 1, tmp_path)
    watched, after = (load_record(folder / record_name(1)) for folder in (tmp_path, tested))
    for name in levels:
        predicted = watched.sets[name].predicted
        assert predicted is not None
        np.testing.assert_array_equal(watched.sets[name].rows, after.sets[name].rows)
        np.testing.assert_array_equal(predicted[-1], after.sets[name].probabilities.argmax(axis=1))


def test_predictions_elsewhere_are_scored_and_name_their_images(tested: Path, levels: Levels) -> None:
    record = load_phase(tested, len(RUNS), "three_class", "confirmed")[0]
    content = run_content(score_run(record, record.epochs), tested / record_name(1))
    assert content.tags["galmorph.tested_noise_md5"] == file_md5(levels["noise"][0])
    assert content.tags["galmorph.tested_other_split_md5"] == file_md5(levels["other"][1])
    pairs = [(true, guess) for true in ("spiral", "elliptical") for guess in ("spiral", "elliptical")]
    cells = [content.metrics[f"noise/confusion/{true}_as_{guess}"][0] for true, guess in pairs]
    assert sum(cells) == np.isin(record.sets["noise"].truth, [0, 1]).sum()
    assert content.metrics["noise/accuracy"][0] == pytest.approx((cells[0] + cells[3]) / sum(cells))


def test_another_number_of_galaxies_is_refused(campaign: Campaign, confirmed: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "few.npy", np.zeros((10, 16, 16), np.float32))
    with pytest.raises(GalmorphError, match=r"split\.parquet: rows beyond the 10 stamps, in run"):
        run_tests(campaign, confirmed, {"few": (tmp_path / "few.npy", campaign.split)}, tmp_path / "tested")


def test_torn_weights_are_refused(campaign: Campaign, own_confirmed: Path, levels: Levels, tmp_path: Path) -> None:
    (own_confirmed / weights_name(2)).write_bytes(b"nothing")
    with pytest.raises(GalmorphError, match=r"run-002\.weights\.h5: not the weights of this network"):
        run_tests(campaign, own_confirmed, levels, tmp_path / "tested")


@pytest.mark.fault
def test_networks_of_other_settings_are_refused(
    campaign: Campaign, confirmed: Path, levels: Levels, tmp_path: Path
) -> None:
    other = with_training(campaign, scaling="linear")
    with pytest.raises(GalmorphError, match=r"run-00\d\.npz: trained with settings that differ from params\.yaml"):
        run_tests(other, confirmed, levels, tmp_path / "tested")


@pytest.mark.fault
def test_fine_tuning_continues_from_no_network_of_another_campaign(
    campaign: Campaign, own_confirmed: Path, tmp_path: Path
) -> None:
    path = own_confirmed / record_name(2)
    right = load_record(path)
    save_record(path, dataclasses.replace(right, fingerprint="another"))
    tuned = dataclasses.replace(campaign, start=Origin(own_confirmed, "three_class", right.fingerprint, 12))
    with pytest.raises(GalmorphError, match=r"run-002\.npz: of another campaign than run 1"):
        run_one(tuned, 2, tmp_path)


def test_fine_tuning_continues_from_the_network_and_its_scaling(
    campaign: Campaign, confirmed: Path, tmp_path: Path
) -> None:
    before = load_record(confirmed / record_name(1))
    # With a rate of learning so small that nothing changes, it is the network that it continues from.
    still = with_training(campaign, learning_rate=1e-12)
    origin = Origin(confirmed, "three_class", before.fingerprint, 12)
    run_one(dataclasses.replace(still, start=origin), 1, tmp_path)
    after = load_record(tmp_path / record_name(1))
    np.testing.assert_allclose(after.sets["test"].probabilities, before.sets["test"].probabilities, atol=1e-6)
    # That of 28 training galaxies, not of the 12.
    assert after.softening == before.softening
    assert after.data["start"] == before.fingerprint
    assert after.fingerprint != before.fingerprint


def test_fine_tuning_with_more_galaxies_than_there_are(campaign: Campaign, confirmed: Path, tmp_path: Path) -> None:
    with pytest.raises(GalmorphError, match="three_class: 29 training galaxies are asked for, but run 1 has 28"):
        run_one(dataclasses.replace(campaign, start=Origin(confirmed, "three_class", "", 29)), 1, tmp_path)


def test_the_oracle_is_the_selecting_run_once_more_and_its_predictions_elsewhere(
    campaign: Campaign, levels: Levels, tmp_path: Path
) -> None:
    selecting = dataclasses.replace(campaign, phase="selected", epochs=2)
    watching = dataclasses.replace(selecting, phase="oracle", watched=levels)
    for each in (selecting, watching):
        (tmp_path / each.phase).mkdir()
        run_one(each, 2, tmp_path / each.phase)
    before, after = (load_record(tmp_path / phase / record_name(2)) for phase in ("selected", "oracle"))
    # To look on changes nothing.
    np.testing.assert_array_equal(after.predicted, before.predicted)
    for name, values in before.history.items():
        np.testing.assert_array_equal(after.history[name], values)
    assert before.fingerprint != after.fingerprint
    assert after.data["tested_noise"] == file_md5(levels["noise"][0])
    np.testing.assert_array_equal(after.sets["here"].predicted, before.predicted)
    assert after.sets["noise"].predicted is not None
    assert not np.array_equal(after.sets["noise"].predicted, before.predicted)
    content = run_content(score_run(after, 1), tmp_path / "oracle" / record_name(2))
    assert content.name == "three_class oracle 02"
    assert content.metrics["by_epoch/here/test_accuracy"] == content.metrics["by_epoch/test_accuracy"]
    assert list(content.metrics["by_epoch/noise/test_accuracy"]) == [1, 2]
    # It has no probabilities, and so no further scores on the levels.
    assert "noise/accuracy" not in content.metrics
