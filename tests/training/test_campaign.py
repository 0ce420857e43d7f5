import dataclasses
import logging
import pickle
import shutil
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from galmorph.errors import GalmorphError
from galmorph.files.reading import file_md5
from galmorph.training.campaign import finished_runs, logged, run_campaign
from galmorph.training.plan import code_hash
from galmorph.training.records import load_record, record_name, save_record, weights_name
from galmorph.training.run import run_one
from tests.support.campaigns import made_campaign
from tests.support.parameters import ROOT


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
        run_campaign(made, folder, lambda path: seen.append(load_record(path).run))
    logging.getLogger("galmorph").setLevel(logging.NOTSET)
    assert sorted(seen) == [1, 2, 3]
    return folder


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


def test_the_epoch_is_chosen_on_the_validation_part_where_there_is_one(tmp_path):
    confirmed = made_campaign(tmp_path, validation_fraction=0.25)
    split = pd.read_parquet(confirmed.split)
    for campaign in (confirmed, dataclasses.replace(confirmed, phase="selected", epochs=5)):
        run_one(campaign, code_hash(), 1, tmp_path)
        record = load_record(tmp_path / record_name(1))
        if campaign.phase == "confirmed":
            assert set(record.sets) == {"test", "common_natural", "common_balanced"}
            continue
        assert set(record.sets) == {"test", "validation"}
        part = record.sets["validation"]
        ours = split[(split["phase"] == "selected") & (split["run"] == 1) & (split["part"] == "validation")]
        np.testing.assert_array_equal(part.rows, ours["row"])
        np.testing.assert_array_equal(np.array(record.classes)[part.truth], ours["class"])
        assert part.predicted is not None
        assert part.predicted.shape == (5, len(ours))
        expected = [np.mean(predicted == part.truth) for predicted in part.predicted]
        np.testing.assert_allclose(record.deciding_accuracy, expected)
        assert record.deciding_accuracy.tolist() != record.history["test_accuracy"].tolist()


def test_without_a_validation_part_the_test_part_decides(finished):
    record = load_record(finished / record_name(1))
    np.testing.assert_array_equal(record.deciding_accuracy, record.history["test_accuracy"])


def test_same_bytes_in_another_process_in_another_order(made, finished, tmp_path):
    for run in (3, 1):
        run_one(made, code_hash(), run, tmp_path)
        assert (tmp_path / record_name(run)).read_bytes() == (finished / record_name(run)).read_bytes()
    assert (tmp_path / weights_name(1)).read_bytes() == (finished / weights_name(1)).read_bytes()


def test_a_stopped_campaign_goes_on_where_it_was(made, finished, tmp_path, caplog):
    for name in (record_name(1), weights_name(1), record_name(3)):
        shutil.copy(finished / name, tmp_path / name)
    torn = (finished / record_name(2)).read_bytes()[:-100]
    (tmp_path / record_name(2)).write_bytes(torn)
    repeated = []
    run_campaign(made, tmp_path, lambda path: repeated.append(path.name))
    assert repeated == [record_name(2)]
    assert "run-002.npz is damaged: removed; the run is repeated" in caplog.text
    for run in (1, 2, 3):
        assert (tmp_path / record_name(run)).read_bytes() == (finished / record_name(run)).read_bytes()


def test_records_of_another_campaign_are_not_taken(made, finished, tmp_path, caplog):
    record = dataclasses.replace(load_record(finished / record_name(1)), fingerprint="another")
    save_record(tmp_path / record_name(1), record)
    assert finished_runs(tmp_path, made.fingerprint, 3) == set()
    assert "run-001.npz is of another campaign" in caplog.text
    assert not (tmp_path / record_name(1)).exists()


@pytest.mark.usefixtures("processes")
def test_same_bytes_for_any_number_of_workers(made, finished, tmp_path, monkeypatch):
    monkeypatch.setenv("GALMORPH_WORKERS", "2")
    run_campaign(made, tmp_path, lambda path: None)
    for path in finished.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def test_same_bytes_from_the_workers_of_a_scheduler(made, finished, tmp_path, monkeypatch, scheduler):
    monkeypatch.setenv("GALMORPH_SCHEDULER", scheduler.address)
    run_campaign(made, tmp_path / "records", lambda path: None)
    for path in finished.iterdir():
        assert (tmp_path / "records" / path.name).read_bytes() == path.read_bytes()


KILLED = """
import pickle, sys
from pathlib import Path
from galmorph.training.campaign import run_campaign
if __name__ == "__main__":
    campaign = pickle.loads(Path(sys.argv[1]).read_bytes())
    run_campaign(campaign, Path(sys.argv[2]), lambda path: print(path.name, flush=True))
"""


def test_a_killed_campaign_loses_the_runs_under_way_and_no_others(made, finished, tmp_path, monkeypatch):
    (tmp_path / "campaign").write_bytes(pickle.dumps(made))
    (tmp_path / "script.py").write_text(KILLED)
    folder = tmp_path / "records"
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    monkeypatch.setenv("GALMORPH_WORKERS", "1")
    command = [sys.executable, tmp_path / "script.py", tmp_path / "campaign", folder]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        first = process.stdout.readline().strip()
        process.kill()
    assert (folder / first).read_bytes() == (finished / first).read_bytes()
    # A worker that outlives its master for a moment may still finish what it has.
    (folder / ".partial.0").mkdir()
    (folder / ".partial.0" / record_name(3)).write_bytes(b"half")
    new = []
    run_campaign(made, folder, lambda path: new.append(path.name))
    assert first not in new
    assert {path.name for path in folder.iterdir()} == {path.name for path in finished.iterdir()}
    for path in finished.iterdir():
        assert (folder / path.name).read_bytes() == path.read_bytes()


DYING = """
import os, pickle, signal, sys
from pathlib import Path
from galmorph.training import plan, run
written = 0
def replace(self, target):
    global written
    written += 1
    if written == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
    return os.rename(self, target)
Path.replace = replace
campaign = pickle.loads(Path(sys.argv[1]).read_bytes())
run.run_one(campaign, plan.code_hash(), 1, Path(sys.argv[2]))
"""


@pytest.mark.parametrize(("file", "left"), [(1, []), (2, [weights_name(1)])])
def test_killed_before_the_weights_or_the_record_have_their_name_the_run_is_no_finished_one(
    made, finished, tmp_path, monkeypatch, file, left
):
    (tmp_path / "campaign").write_bytes(pickle.dumps(made))
    (tmp_path / "script.py").write_text(DYING)
    folder = tmp_path / "records"
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    died = subprocess.run([sys.executable, tmp_path / "script.py", tmp_path / "campaign", folder, str(file)])
    assert died.returncode == -signal.SIGKILL
    names = {path.name for path in folder.iterdir()}
    assert sorted(name for name in names if not name.startswith(".partial.")) == left
    assert len(names) == len(left) + 1
    assert finished_runs(folder, made.fingerprint, 3) == set()
    run_campaign(made, folder, lambda path: None)
    assert {path.name for path in folder.iterdir()} == {path.name for path in finished.iterdir()}
    assert all((folder / path.name).read_bytes() == path.read_bytes() for path in finished.iterdir())


@pytest.mark.parametrize("how", ["lost", "altered", "swapped"])
def test_a_run_whose_weights_are_not_its_own_is_no_finished_one(finished, tmp_path, made, how):
    shutil.copy(finished / record_name(1), tmp_path / record_name(1))
    if how == "altered":
        content = bytearray((finished / weights_name(1)).read_bytes())
        content[-1] ^= 1
        (tmp_path / weights_name(1)).write_bytes(content)
    elif how == "swapped":
        run_one(
            dataclasses.replace(made, training=made.training.model_copy(update={"keep_weights": 2})),
            code_hash(),
            2,
            tmp_path,
        )
        (tmp_path / weights_name(2)).rename(tmp_path / weights_name(1))
        (tmp_path / record_name(2)).unlink()
    assert finished_runs(tmp_path, made.fingerprint, 3) == set()
    assert not (tmp_path / record_name(1)).exists()


def test_a_record_under_the_number_of_another_run_is_made_anew(finished, tmp_path, made):
    shutil.copy(finished / record_name(1), tmp_path / record_name(2))
    assert finished_runs(tmp_path, made.fingerprint, 3) == set()
    assert list(tmp_path.iterdir()) == []


def test_a_renamed_condition_gives_the_same_network(made, finished, tmp_path):
    renamed = dataclasses.replace(made, name="another")
    run_one(renamed, code_hash(), 2, tmp_path)
    one, two = load_record(tmp_path / record_name(2)), load_record(finished / record_name(2))
    np.testing.assert_array_equal(one.history["train_loss"], two.history["train_loss"])


def test_a_worker_with_other_code_refuses(made, tmp_path):
    with pytest.raises(GalmorphError, match=r"has other code than this project: .*same commit"):
        run_one(made, "other", 1, tmp_path)


@pytest.fixture
def diverging(made):
    """The campaign with a learning rate that no network stands."""
    return dataclasses.replace(
        made, training=made.training.model_copy(update={"learning_rate": 1e30, "optimiser": "sgd"})
    )


def test_a_loss_that_is_no_number_stops_the_campaign_and_says_which_run(diverging, tmp_path, caplog):
    failed = []
    with pytest.raises(
        GalmorphError, match=r"run \d: a weight is -?(nan|inf) in epoch 2: lower training.learning_rate"
    ):
        run_campaign(diverging, tmp_path, lambda path: None, lambda run, reason: failed.append((run, reason)))
    ((run, reason),) = failed
    assert f"run {run}: a weight is " in reason
    assert f"run {run} failed" in caplog.text


def test_the_other_runs_are_finished_first_where_the_environment_says_so(diverging, tmp_path, monkeypatch):
    monkeypatch.setenv("GALMORPH_KEEP_GOING", "1")
    failed = []
    with pytest.raises(GalmorphError, match=r"[123] of 3 runs failed; the others are kept"):
        run_campaign(diverging, tmp_path, lambda path: None, lambda run, reason: failed.append(run))
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
        run_campaign(empty, tmp_path / "out", lambda path: None)
    assert not list((tmp_path / "out").iterdir())
