import dataclasses
import logging
import re
import shutil

import numpy as np
import pandas as pd
import pytest

from galmorph.errors import GalmorphError
from galmorph.files.reading import file_md5
from galmorph.scores.evaluation import score_run
from galmorph.training.campaign import finished_runs, logged, run_campaign
from galmorph.training.records import load_record, record_name, save_record, weights_name
from galmorph.training.run import run_one
from tests.support.campaigns import made_campaign
from tests.support.dask_scheduler import running_scheduler


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return made_campaign(tmp_path_factory.mktemp("campaign"))


@pytest.fixture(scope="module")
def finished(made, tmp_path_factory):
    """The records of the whole campaign."""
    folder = tmp_path_factory.mktemp("finished") / "records"
    seen = []
    logging.getLogger("galmorph").setLevel(logging.DEBUG)
    with logged(folder.parent / "logs" / "a.log"):
        run_campaign(made, folder, lambda path, seconds: seen.append(load_record(path).run))
    logging.getLogger("galmorph").setLevel(logging.NOTSET)
    assert sorted(seen) == [1, 2, 3]
    return folder


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_leaves_a_record_for_each_run_and_the_weights_that_are_kept(made, finished):
    names = {path.name for path in finished.iterdir()}
    assert names == {record_name(run) for run in (1, 2, 3)} | {weights_name(1)}
    record = load_record(finished / record_name(2))
    assert (record.condition, record.phase, record.run, record.epochs) == ("three_class", "confirmed", 2, 2)
    assert record.data == {"images": file_md5(made.images), "split": file_md5(made.split)}
    assert record.parameters["training.learning_rate"] == made.training.learning_rate
    assert record.parameters["network.filters"] == [4, 4]


def test_a_record_answers_for_the_galaxies_of_its_split(made, finished):
    split = pd.read_parquet(made.split)
    record = load_record(finished / record_name(3))
    assert set(record.sets) == {"test", "common_natural", "common_balanced"}
    for name, evaluation in record.sets.items():
        members = split[(split["phase"] == "confirmed") & (split["run"] == 3) & (split["part"] == name)]
        np.testing.assert_array_equal(evaluation.rows, members["row"])
        np.testing.assert_array_equal(np.array(record.classes)[evaluation.truth], members["class"])
        assert evaluation.probabilities.shape == (len(members), 3)


def test_networks_of_two_classes_are_shown_uncertain_galaxies_that_no_score_counts(tmp_path):
    confirmed = made_campaign(tmp_path, "two_class")
    run_one(confirmed, 2, tmp_path)
    record = load_record(tmp_path / record_name(2))
    split = pd.read_parquet(confirmed.split).query("phase == 'confirmed' and run == 2 and part == 'common_uncertain'")
    assert record.uncertain is not None
    np.testing.assert_array_equal(record.uncertain.rows, split["row"])
    assert record.uncertain.probabilities.shape == (6, 2)
    np.testing.assert_allclose(record.uncertain.probabilities.sum(axis=1), 1, atol=1e-6)
    assert set(record.sets) == {"test", "common_natural", "common_balanced"}
    scored = score_run(record, record.epochs)
    assert not [name for name in (*scored.scores, *scored.curves, *scored.confusions) if "uncertain" in name]
    run_one(dataclasses.replace(confirmed, phase="selected"), 2, tmp_path)
    assert load_record(tmp_path / record_name(2)).uncertain is None


def test_what_a_network_learns_does_not_depend_on_the_uncertain_galaxies_that_it_is_shown(tmp_path):
    records = []
    for uncertain in (6, None):
        folder = tmp_path / str(uncertain)
        folder.mkdir()
        evaluation = {"natural": 6, "balanced": 6, "uncertain": uncertain}
        run_one(made_campaign(folder, "two_class", evaluation=evaluation), 1, folder)
        records.append(load_record(folder / record_name(1)))
    shown, not_shown = records
    assert shown.weights == not_shown.weights
    np.testing.assert_array_equal(shown.predicted, not_shown.predicted)
    assert not_shown.uncertain is None


def test_the_epoch_is_selected_on_the_validation_part(tmp_path):
    confirmed = made_campaign(tmp_path, validation_fraction=0.25)
    run_one(confirmed, 1, tmp_path)
    assert set(load_record(tmp_path / record_name(1)).sets) == {"test", "common_natural", "common_balanced"}
    run_one(dataclasses.replace(confirmed, phase="selected", epochs=5), 1, tmp_path)
    record = load_record(tmp_path / record_name(1))
    assert set(record.sets) == {"test", "validation"}
    split = pd.read_parquet(confirmed.split).query("phase == 'selected' and run == 1 and part == 'validation'")
    part = record.sets["validation"]
    np.testing.assert_array_equal(part.rows, split["row"])
    np.testing.assert_array_equal(np.array(record.classes)[part.truth], split["class"])
    assert part.predicted is not None
    np.testing.assert_allclose(record.deciding_accuracy, (part.predicted == part.truth).mean(axis=1))
    assert record.deciding_accuracy.tolist() != record.history["test_accuracy"].tolist()


@pytest.mark.fault
def test_a_killed_campaign_repeats_only_the_runs_that_were_not_finished(made, finished, tmp_path, caplog):
    # Run 1 was killed between its weights and its record, run 2 is torn, run 3 is finished.
    for name in (weights_name(1), record_name(3)):
        shutil.copy(finished / name, tmp_path / name)
    (tmp_path / ".partial.0").mkdir()
    (tmp_path / ".partial.0" / record_name(1)).write_bytes(b"half")
    torn = (finished / record_name(2)).read_bytes()[:-100]
    (tmp_path / record_name(2)).write_bytes(torn)
    repeated = []
    run_campaign(made, tmp_path, lambda path, seconds: repeated.append(path.name))
    assert sorted(repeated) == [record_name(1), record_name(2)]
    assert "run-002.npz is damaged: removed; the run is repeated" in caplog.text
    assert contents(tmp_path) == contents(finished)


@pytest.mark.parametrize(("changes", "name"), [({"fingerprint": "another"}, record_name(1)), ({}, record_name(2))])
def test_a_record_of_another_campaign_or_run_is_removed(made, finished, tmp_path, caplog, changes, name):
    save_record(tmp_path / name, dataclasses.replace(load_record(finished / record_name(1)), **changes))
    assert finished_runs(tmp_path, made.fingerprint, 3) == set()
    assert f"{name} is from another campaign or run" in caplog.text
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("workers", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_same_bytes_from_any_number_of_processes(made, finished, tmp_path, monkeypatch, workers):
    """The stamps are flipped and turned by each run's own generator."""
    assert (made.training.augmentation, made.training.class_weight) == ("flips_and_turns", "balanced")
    with running_scheduler(tmp_path / "cluster", workers) as scheduler:
        monkeypatch.setenv("GALMORPH_SCHEDULER", scheduler.address)
        run_campaign(made, tmp_path / "records", lambda path, seconds: None)
    assert contents(tmp_path / "records") == contents(finished)


@pytest.mark.fault
@pytest.mark.parametrize("weights", [None, b"of another run"], ids=["lost", "swapped"])
def test_a_run_without_its_own_weights_is_repeated(finished, tmp_path, made, weights):
    shutil.copy(finished / record_name(1), tmp_path / record_name(1))
    if weights is not None:
        (tmp_path / weights_name(1)).write_bytes(weights)
    assert finished_runs(tmp_path, made.fingerprint, 3) == set()
    assert not (tmp_path / record_name(1)).exists()


def test_a_renamed_condition_gives_the_same_network(made, finished, tmp_path):
    run_one(dataclasses.replace(made, name="another"), 2, tmp_path)
    one, two = load_record(tmp_path / record_name(2)), load_record(finished / record_name(2))
    np.testing.assert_array_equal(one.history["train_loss"], two.history["train_loss"])


@pytest.fixture
def diverging(made):
    """The campaign with a learning rate that no network stands."""
    return dataclasses.replace(
        made, training=made.training.model_copy(update={"learning_rate": 1e30, "optimiser": "sgd"})
    )


def test_a_loss_that_is_no_number_stops_the_campaign_and_says_which_run(diverging, tmp_path, caplog):
    failed = []
    with pytest.raises(
        GalmorphError, match=r"run \d: (a weight|the training loss) is -?(nan|inf) in epoch \d: lower training.lea"
    ):
        run_campaign(diverging, tmp_path, lambda path, seconds: None, lambda run, reason: failed.append((run, reason)))
    ((run, reason),) = failed
    assert re.search(rf"run {run}: (a weight|the training loss) is ", reason)
    assert f"run {run} failed" in caplog.text


def test_the_other_runs_are_finished_first_where_the_environment_says_so(diverging, tmp_path, monkeypatch):
    monkeypatch.setenv("GALMORPH_KEEP_GOING", "1")
    failed = []
    with pytest.raises(GalmorphError, match=r"[123] of 3 runs failed; the others are kept"):
        run_campaign(diverging, tmp_path, lambda path, seconds: None, lambda run, reason: failed.append(run))
    kept = {load_record(path).run for path in tmp_path.glob("run-*.npz")}
    assert failed
    assert kept | set(failed) == {1, 2, 3}
    assert not kept & set(failed)


def test_the_log_file_tells_what_happened(finished):
    text = (finished.parent / "logs" / "a.log").read_text()
    assert "three_class, confirmed: 3 runs of 2 epochs, 0 of them finished before" in text
    for run in (1, 2, 3):
        assert f"run {run} finished, test accuracy" in text
    assert "all 3 runs are finished" in text


def test_the_log_file_has_the_traceback_of_what_stopped_the_campaign(tmp_path, caplog):
    caplog.set_level(logging.DEBUG, logger="galmorph")
    with pytest.raises(ZeroDivisionError), logged(tmp_path / "a.log"):
        _ = 1 / 0
    assert "Traceback" in (tmp_path / "a.log").read_text()


def test_an_error_in_a_worker_names_its_run(made, tmp_path):
    images = np.zeros((150, 16, 16), np.float32)
    np.save(tmp_path / "images.npy", images)
    empty = dataclasses.replace(made, images=tmp_path / "images.npy")
    with pytest.raises(GalmorphError, match=r"condition three_class, phase confirmed, run \d: training\.scaling"):
        run_campaign(empty, tmp_path / "out", lambda path, seconds: None)
    assert not list((tmp_path / "out").iterdir())
