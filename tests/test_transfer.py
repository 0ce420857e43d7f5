"""Networks of one level, tested at others."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

from galmorph.campaign import run_campaign
from galmorph.content import run_content
from galmorph.errors import GalmorphError
from galmorph.plan import Campaign, Origin, code_hash, file_md5
from galmorph.records import load_phase, load_record, record_name, weights_name
from galmorph.run import run_one
from galmorph.transfer import tested_campaign as run_tests
from made_campaign import made_campaign


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    made = made_campaign(tmp_path_factory.mktemp("level"))
    return dataclasses.replace(made, training=made.training.model_copy(update={"keep_weights": 3}))


@pytest.fixture(scope="module")
def confirmed(campaign: Campaign, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("confirmed") / "records"
    run_campaign(campaign, folder, lambda path: None)
    return folder


@pytest.fixture(scope="module")
def levels(campaign: Campaign) -> dict[str, Path]:
    """The level of the training, and one that shows nothing but noise."""
    noise = campaign.images.with_name("noise.npy")
    np.save(noise, np.random.default_rng(4).normal(0, 5, (150, 16, 16)).astype(np.float32))
    return {"here": campaign.images, "noise": noise}


@pytest.fixture(scope="module")
def tested(
    campaign: Campaign, confirmed: Path, levels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("tested") / "records"
    run_tests(campaign, confirmed, levels, folder)
    return folder


def test_tested_where_it_was_trained_a_network_answers_as_it_did_then(confirmed: Path, tested: Path) -> None:
    for run in (1, 2, 3):
        before, after = (load_record(folder / record_name(run)) for folder in (confirmed, tested))
        np.testing.assert_array_equal(after.sets["here"].probabilities, before.sets["test"].probabilities)
        np.testing.assert_array_equal(after.sets["noise"].rows, before.sets["test"].rows)
        assert not np.array_equal(after.sets["noise"].probabilities, before.sets["test"].probabilities)
        assert after.fingerprint == before.fingerprint


def test_its_answers_elsewhere_are_scores_with_the_md5_of_what_was_shown(tested: Path, levels: dict[str, Path]) -> None:
    record = load_phase(tested, 3)[0]
    content = run_content(record, tested / record_name(1), record.epochs)
    assert content.tags["galmorph.tested_noise_md5"] == file_md5(levels["noise"])
    pairs = [(true, guess) for true in ("spiral", "elliptical") for guess in ("spiral", "elliptical")]
    cells = [content.metrics[f"noise/confusion/{true}_as_{guess}"][2] for true, guess in pairs]
    assert sum(cells) == np.isin(record.sets["noise"].truth, [0, 1]).sum()
    assert content.metrics["noise/accuracy"][2] == pytest.approx((cells[0] + cells[3]) / sum(cells))


def test_another_number_of_galaxies_is_refused(campaign: Campaign, confirmed: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "few.npy", np.zeros((10, 16, 16), np.float32))
    with pytest.raises(GalmorphError, match=r"few\.npy: 10 stamps, the split asks for number"):
        run_tests(campaign, confirmed, {"few": tmp_path / "few.npy"}, tmp_path / "tested")


def test_torn_weights_are_refused(campaign: Campaign, confirmed: Path, levels: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(confirmed, tmp_path / "confirmed")
    (tmp_path / "confirmed" / weights_name(2)).write_bytes(b"nothing")
    with pytest.raises(GalmorphError, match=r"run-002\.weights\.h5: not the weights of this network"):
        run_tests(campaign, tmp_path / "confirmed", levels, tmp_path / "tested")


def test_fine_tuning_goes_on_from_the_network_and_its_scaling(
    campaign: Campaign, confirmed: Path, levels: dict[str, Path], tmp_path: Path
) -> None:
    before = load_record(confirmed / record_name(1))
    origin = Origin(confirmed, before.fingerprint, 12)
    tuned = dataclasses.replace(campaign, images=levels["noise"], epochs=1, start=origin)
    run_one(tuned, code_hash(), 1, tmp_path)
    after = load_record(tmp_path / record_name(1))
    assert after.softening == before.softening
    assert after.data["start"] == before.fingerprint
    assert after.fingerprint != before.fingerprint
    # With a rate of learning so small that nothing changes, it is the network that it went on from.
    still = campaign.training.model_copy(update={"learning_rate": 1e-12})
    run_one(dataclasses.replace(campaign, training=still, epochs=1, start=origin), code_hash(), 1, tmp_path)
    same = load_record(tmp_path / record_name(1)).sets["test"].probabilities
    np.testing.assert_allclose(same, before.sets["test"].probabilities, atol=1e-6)


def test_fine_tuning_with_more_galaxies_than_there_are(campaign: Campaign, confirmed: Path, tmp_path: Path) -> None:
    with pytest.raises(GalmorphError, match="three_class: asks for 29 training galaxies, run 1 has 28"):
        run_one(dataclasses.replace(campaign, start=Origin(confirmed, "", 29)), code_hash(), 1, tmp_path)
