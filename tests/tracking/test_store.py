import dataclasses
import sqlite3
from contextlib import closing
from unittest.mock import MagicMock

import numpy as np
import pytest
from mlflow.entities import ViewType
from sqlalchemy import event
from sqlalchemy.engine import Engine

from galmorph.errors import GalmorphError
from galmorph.report.study import load_results
from galmorph.tracking.content import DataFile
from galmorph.tracking.store import DIGEST, data_held, data_input
from galmorph.training.records import Evaluation
from tests.support.records import made_condition, made_record, open_store, shown


def test_the_store_shows_every_run_under_its_condition(store):
    parents = {run.info.run_name: run.info.run_id for run in store.runs("condition")}
    assert set(parents) == {"two_class", "three_class"}
    names = {run.info.run_name for run in store.runs("run")}
    assert names == {f"{c} {p} {n:02d}" for c in parents for p in ("selected", "confirmed") for n in (1, 2, 3)}
    for run in store.runs("run"):
        assert run.data.tags["mlflow.parentRunId"] == parents[run.data.tags["galmorph.condition"]]
        assert run.info.status == "FINISHED"


def test_runs_of_an_older_version_are_completed_and_none_is_replaced(place, declared):
    store = open_store(place)
    store.sync([dataclasses.replace(condition, data={}) for condition in declared])
    runs = store.runs("run") + store.runs("condition")
    for run in runs:
        store.client.delete_tag(run.info.run_id, DIGEST)
    counts = store.sync(declared)
    assert (counts.kept, counts.added, counts.replaced) == (14, 0, 0)
    after = store.runs("run") + store.runs("condition")
    assert {run.info.run_id for run in after} == {run.info.run_id for run in runs}
    assert all(len(data_held(run)) == 2 and DIGEST in run.data.tags for run in after)


def test_sync_again_changes_nothing(store, before, declared):
    counts = store.sync(declared)
    assert (counts.kept, counts.added, counts.replaced, counts.earlier) == (14, 0, 0, 0)
    assert shown(store) == before


def test_runs_added_one_by_one_and_synced_are_what_sync_alone_makes(place, before, declared):
    store = open_store(place)
    for condition in declared:
        for phase, records in condition.phases.items():
            for record, path in zip(records, condition.files[phase], strict=True):
                store.add(record, path)
    assert len(store.runs("run")) == 12
    counts = store.sync(declared)
    assert (counts.kept, counts.added, counts.replaced) == (12, 2, 0)
    assert shown(store) == before


def damage_deleted(store, run):
    store.client.delete_run(run.info.run_id)


def damage_metric(store, run):
    store.client.log_metric(run.info.run_id, "accuracy", 0.999, step=7)


def damage_extra_metric(store, run):
    store.client.log_metric(run.info.run_id, "luck", 1.0)


def damage_number(store, run):
    store.client.set_tag(run.info.run_id, "galmorph.run", "77")


def damage_digest(store, run):
    store.client.set_tag(run.info.run_id, DIGEST, "of other records")


def damage_name(store, run):
    store.client.set_tag(run.info.run_id, "mlflow.runName", "my best run")


def damage_fingerprint(store, run):
    store.client.set_tag(run.info.run_id, "galmorph.fingerprint", "unheard of")


def damage_duplicate(store, run):
    tags = {name: value for name, value in run.data.tags.items() if name.startswith("galmorph.")}
    copy = store.client.create_run(store.experiment.experiment_id, tags=tags)
    store.client.set_terminated(copy.info.run_id)


def damage_orphan(store, run):
    """What a process that was killed in the middle of writing leaves."""
    tags = {name: value for name, value in run.data.tags.items() if name.startswith("galmorph.")}
    store.client.delete_run(run.info.run_id)
    store.client.create_run(store.experiment.experiment_id, tags=tags)


def damage_data(store, run):
    wrong = DataFile("data/cutouts/images.npy", "f" * 32, "training")
    store.client.log_inputs(run.info.run_id, [data_input(wrong)])


def damage_parent(store, run):
    store.client.delete_run(run.data.tags["mlflow.parentRunId"])


def damage_experiment(store, run):
    store.client.delete_experiment(store.experiment.experiment_id)


DAMAGES = [value for name, value in sorted(globals().items()) if name.startswith("damage_")]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda f: f.__name__.removeprefix("damage_"))
def test_sync_mends(store, before, declared, damage, place):
    (run,) = store.runs("run", condition="two_class", phase="selected", run="2")
    damage(store, run)
    store = open_store(place)
    store.sync(declared)
    mended = [row for row in shown(store) if not row[0].endswith("(earlier)")]
    assert mended == before
    load_results(store, declared)


@pytest.mark.parametrize(
    ("name", "value", "step"),
    [
        ("by_epoch/test_accuracy", 0.999, 1),
        ("by_epoch/test_accuracy", None, 9),  # the last value, again after an epoch that there was not
        ("confusion/spiral_as_elliptical", 7, 3),
    ],
)
def test_a_metric_that_is_not_the_records_is_refused_by_the_report_and_then_mended(
    store, before, declared, name, value, step
):
    (run,) = store.runs("run", condition="two_class", phase="selected", run="2")
    value = run.data.metrics[name] if value is None else value
    store.client.log_metric(run.info.run_id, name, value, step=step)
    with pytest.raises(GalmorphError, match=rf"run two_class selected 02: its metric {name} .* galmorph sync"):
        load_results(store, declared)
    assert store.sync(declared).replaced == 1
    assert shown(store) == before
    load_results(store, declared)


def test_a_sync_opens_neither_curves_nor_artifacts(store, declared, monkeypatch):
    monkeypatch.setattr(store, "client", MagicMock(wraps=store.client))
    assert store.sync(declared).kept == 14
    used = {name for name, _, _ in store.client.method_calls}
    assert used == {"search_runs", "search_logged_models"}


def test_changed_parameters_keep_the_earlier_runs_and_changed_back_find_them(place, tmp_path):
    store = open_store(place)
    old, new = made_condition(tmp_path / "old"), made_condition(tmp_path / "new", campaign="-changed")
    store.sync([old])
    before = shown(store)
    counts = store.sync([new])
    assert (counts.added, counts.earlier) == (7, 6)
    names = [run.info.run_name for run in store.runs("run", fingerprint="two_class-selected")]
    assert names == [f"two_class selected {n:02d} (earlier)" for n in (1, 2, 3)]
    counts = store.sync([old])
    assert (counts.kept, counts.added, counts.replaced) == (7, 0, 0)
    assert [row for row in shown(store) if not row[0].endswith("(earlier)")] == before


def test_a_condition_that_is_no_longer_declared_becomes_earlier(store, declared):
    counts = store.sync(declared[:1])
    assert (counts.kept, counts.earlier) == (7, 6)
    assert {run.info.run_name for run in store.runs("condition")} == {"two_class", "three_class (earlier)"}


def test_surveys_do_not_meet(store, declared, place):
    other = open_store(place, "another survey")
    assert not other.runs("run")
    other.sync(declared[:1])
    assert len(store.runs("run")) == 12


def test_a_file_that_is_no_store_is_refused_with_the_remedy(tmp_path):
    (tmp_path / "mlflow.db").write_bytes(b"not a database" * 100)
    with pytest.raises(GalmorphError, match=r"mlflow\.db.*remove it and run galmorph sync"):
        open_store(tmp_path)


def test_results_are_those_of_the_records(store, declared):
    results = load_results(store, declared)
    assert list(results) == ["two_class", "three_class"]
    for condition in declared:
        result = results[condition.name]
        assert result.epoch == 3
        for phase, found in (("selected", result.selected), ("confirmed", result.confirmed)):
            for run in condition.scored[phase]:
                record = run.record
                assert found.scores.loc[record.run].dropna().to_dict() == run.scores
                history = found.history[found.history["run"] == record.run]
                np.testing.assert_array_equal(history["epoch"], np.arange(1, record.epochs + 1))
                np.testing.assert_array_equal(history["test_loss"], record.history["test_loss"])
                truth, guess = record.sets["test"].truth, record.predicted[2]
                for i in range(len(record.classes)):
                    for j in range(len(record.classes)):
                        cell = np.sum((truth == i) & (guess == j))
                        assert found.confusion[record.run - 1, i, j] == cell


def test_a_run_that_is_done_again_is_not_written_again(store, before, declared, place):
    again = open_store(place)
    for phase in ("selected", "confirmed"):
        for record, file in zip(declared[0].phases[phase], declared[0].files[phase], strict=True):
            again.add(record, file)
    assert again.sync(declared).replaced == 0
    assert shown(again) == before
    deleted = again.client.search_runs([again.experiment.experiment_id], run_view_type=ViewType.DELETED_ONLY)
    assert not deleted


def test_a_watched_set_is_a_curve_and_no_score(place, tmp_path):
    condition = made_condition(tmp_path)
    truth, nothing = np.array([0, 1, 0], np.uint8), np.empty((0, 2), np.float32)
    watched = []
    for record in condition.phases["selected"]:
        part = Evaluation(np.arange(3), truth, nothing, np.zeros((record.epochs, 3), np.uint8))
        watched.append(dataclasses.replace(record, sets=record.sets | {"validation": part}))
    condition = dataclasses.replace(condition, phases={"selected": watched, "confirmed": condition.phases["confirmed"]})
    store = open_store(place)
    store.sync([condition])
    (result,) = load_results(store, [condition]).values()
    assert set(result.selected.scores) == set(condition.scored["selected"][0].scores)
    (run,) = store.runs("run", phase="selected", run="1")
    assert run.data.metrics["by_epoch/validation/test_accuracy"] == pytest.approx(2 / 3)


def test_how_long_a_run_took_is_shown_and_stays_when_it_is_replaced(place, declared):
    store = open_store(place)
    condition = declared[0]
    records, files = condition.phases["confirmed"], condition.files["confirmed"]
    store.add(records[0], files[0], 90.5)
    store.sync([condition])
    (run,) = store.runs("run", phase="confirmed", run="1")
    assert run.data.metrics["training_seconds"] == 90.5
    assert 90_500 <= run.info.end_time - run.info.start_time < 150_000
    store.client.log_metric(run.info.run_id, "luck", 1.0)
    assert store.sync([condition]).replaced == 1
    (after,) = store.runs("run", phase="confirmed", run="1")
    assert after.info.run_id != run.info.run_id
    assert after.data.metrics["training_seconds"] == 90.5
    assert store.sync([condition]).replaced == 0
    load_results(store, [condition])
    # A store that is rebuilt from the records does not know it.
    (other,) = store.runs("run", phase="confirmed", run="2")
    assert "training_seconds" not in other.data.metrics


def test_notes_on_a_run_that_is_replaced_stay(store, declared):
    (run,) = store.runs("run", condition="two_class", phase="confirmed", run="2")
    store.client.set_tag(run.info.run_id, "mlflow.note.content", "odd: look at it again")
    store.client.set_tag(run.info.run_id, "reviewed", "yes")
    store.client.log_metric(run.info.run_id, "accuracy", 0.99, step=99)
    assert store.sync(declared).replaced == 1
    (after,) = store.runs("run", condition="two_class", phase="confirmed", run="2")
    assert after.info.run_id != run.info.run_id
    assert after.data.tags["mlflow.note.content"] == "odd: look at it again"
    assert after.data.tags["reviewed"] == "yes"


@pytest.mark.parametrize("damage", [damage_deleted, damage_duplicate, damage_orphan, damage_number])
def test_anything_but_the_declared_runs_is_refused(store, declared, damage):
    (run,) = store.runs("run", condition="two_class", phase="selected", run="2")
    damage(store, run)
    with pytest.raises(GalmorphError, match=r"two_class, phase selected: .* run galmorph sync"):
        load_results(store, declared)


def test_a_run_that_failed_is_shown_with_its_reason_until_its_campaign_is_finished(place, declared):
    store = open_store(place)
    for _ in range(2):  # the same failure, found again after a restart
        store.add_failure("two_class", "selected", 7, "two_class-selected", "the training loss is nan in epoch 12")
    (run,) = store.runs("failure")
    assert run.info.status == "FAILED"
    assert run.info.run_name == "two_class selected 07 failed"
    assert "nan in epoch 12" in run.data.tags["mlflow.note.content"]
    store.add_failure("two_class", "selected", 8, "other parameters", "the training loss is nan in epoch 3")
    store.sync(declared)
    (run,) = store.runs("failure")
    assert run.info.run_name == "two_class selected 08 failed (earlier)"
    load_results(store, declared)


@pytest.fixture
def impatient():
    """Wait 0.1 s for a locked database, where MLflow waits 20 s."""

    def hasten(connection, cursor, statement, parameters, context, executemany):
        return statement.replace("busy_timeout = 20000", "busy_timeout = 100"), parameters

    event.listen(Engine, "before_cursor_execute", hasten, retval=True)
    yield
    event.remove(Engine, "before_cursor_execute", hasten)


@pytest.mark.usefixtures("impatient")
def test_a_store_that_another_process_has_locked_is_named(store, place, declared):
    with closing(sqlite3.connect(place / "mlflow.db")) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(GalmorphError, match=r"mlflow\.db is locked by another process; end it"):
            store.sync(declared)
        other.rollback()
    assert store.sync(declared).kept == 14


@pytest.fixture
def with_baselines(declared):
    """The declared conditions, with two baselines of three runs each."""

    def baseline(condition, name, campaign):
        first = condition.phases["confirmed"][0]
        made = (
            made_record(condition.name, "confirmed", run, 1, first.classes, f"{name}{campaign}") for run in (1, 2, 3)
        )
        return [dataclasses.replace(record, history={}) for record in made]

    def make(campaign=""):
        return [
            dataclasses.replace(
                condition,
                baselines={
                    name: baseline(condition, f"{condition.name}-{name}", campaign) for name in ("pca", "shape")
                },
            )
            for condition in declared
        ]

    return make


def test_a_baseline_is_a_run_under_its_condition_with_the_scores_of_each_run(store, with_baselines):
    conditions = with_baselines()
    counts = store.sync(conditions)
    assert (counts.kept, counts.added, counts.replaced, counts.earlier) == (14, 4, 0, 0)
    parents = {run.info.run_name: run.info.run_id for run in store.runs("condition")}
    (run,) = store.runs("baseline", condition="two_class", baseline="pca")
    assert (run.info.run_name, run.data.tags["mlflow.parentRunId"]) == ("two_class pca", parents["two_class"])
    scored = conditions[0].scored_baselines["pca"]
    accuracies = [one.scores["accuracy@common_natural"] for one in scored]
    assert store.history(run, "by_run/common_natural/accuracy") == dict(enumerate(accuracies, start=1))
    # Named as in the parent, so that MLflow's comparison has them in one line.
    parent = store.client.get_run(parents["two_class"])
    assert run.data.metrics["confirmed/common_natural/accuracy"] == pytest.approx(np.mean(accuracies), abs=1e-6)
    assert "confirmed/common_natural/accuracy" in parent.data.metrics
    for name, result in load_results(store, conditions).items():
        for baseline, part in result.baselines.items():
            expected = next(c for c in conditions if c.name == name).scored_baselines[baseline]
            assert part.scores.to_dict("index") == {one.record.run: one.scores for one in expected}
            np.testing.assert_array_equal(part.confusion, [one.confusions["test"] for one in expected])


def test_sync_rebuilds_baselines_from_their_records(store, with_baselines):
    conditions = with_baselines()
    store.sync(conditions)
    (deleted,) = store.runs("baseline", condition="two_class", baseline="pca")
    (edited,) = store.runs("baseline", condition="two_class", baseline="shape")
    store.client.delete_run(deleted.info.run_id)
    store.client.log_metric(edited.info.run_id, "by_run/accuracy", 0.999, step=3)
    with pytest.raises(GalmorphError, match="two_class, baseline pca: the store holds 0 runs of it"):
        load_results(store, conditions)
    counts = store.sync(conditions)
    assert (counts.kept, counts.added, counts.replaced) == (16, 1, 1)
    load_results(store, conditions)
    # One that a search does not tell from the record is found by the report.
    (run,) = store.runs("baseline", condition="two_class", baseline="shape")
    store.client.log_metric(run.info.run_id, "by_run/accuracy", 0.999, step=1)
    with pytest.raises(GalmorphError, match="its metric by_run/accuracy in the MLflow store is not that of its record"):
        load_results(store, conditions)
    store.sync(conditions)
    load_results(store, conditions)


def test_baselines_of_other_parameters_are_kept_as_earlier_ones(store, with_baselines):
    store.sync(with_baselines())
    counts = store.sync(with_baselines(" of old"))
    assert (counts.kept, counts.added, counts.earlier) == (14, 4, 4)
    names = [run.info.run_name for run in store.runs("baseline", condition="two_class")]
    assert sorted(names) == ["two_class pca", "two_class pca (earlier)", "two_class shape", "two_class shape (earlier)"]
    load_results(store, with_baselines(" of old"))
