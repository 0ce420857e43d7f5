import dataclasses
from pathlib import Path

import mlflow.data
import numpy as np

from galmorph.scores.evaluation import score_run
from galmorph.tracking.content import DataFile, condition_content, metric_name, run_content, score_name
from galmorph.tracking.store import CONFUSION_PICTURE, DESCRIPTION, data_held
from tests.support.records import open_store


def test_a_run_holds_its_curves_scores_parameters_and_record(store, declared, place):
    scored, path = declared[0].scored["confirmed"][1], declared[0].files["confirmed"][1]
    (run,) = store.runs("run", condition="two_class", phase="confirmed", run="2")
    for name, values in scored.curves.items():
        assert store.history(run, f"by_epoch/{name}") == dict(enumerate(values.tolist(), start=1))
    for name, value in scored.scores.items():
        assert run.data.metrics[metric_name(name)] == value
    assert run.data.params["training.learning_rate"] == "0.0003"
    assert run.data.tags["galmorph.images_md5"] == "0" * 32
    artifact = store.client.download_artifacts(run.info.run_id, "run-002.npz", str(place))
    assert path.read_bytes() == Path(artifact).read_bytes()


def test_a_parent_holds_the_mean_curves(store, declared):
    (parent,) = store.runs("condition", condition="two_class")
    stack = np.array([record.history["test_accuracy"] for record in declared[0].phases["selected"]])
    history = store.history(parent, "by_epoch/selected/test_accuracy_mean")
    np.testing.assert_allclose([history[epoch] for epoch in (1, 2, 3, 4)], stack.mean(axis=0))
    history = store.history(parent, "by_epoch/selected/test_accuracy_std")
    np.testing.assert_allclose([history[epoch] for epoch in (1, 2, 3, 4)], stack.std(axis=0, ddof=1))
    assert parent.data.params["selected_epoch"] == "3"


def test_only_curves_are_drawn_as_curves(store):
    """MLflow draws a metric as a bar where its step is 0."""
    for run in store.runs("run") + store.runs("condition"):
        for name in run.data.metrics:
            steps = set(store.history(run, name))
            assert len(steps) > 1 if name.startswith("by_epoch/") else steps == {0}, name


def test_runs_and_parents_name_their_data_by_dvcs_md5(store):
    expected = {
        DataFile("data/cutouts/images.npy", "0" * 32, "training"),
        DataFile("data/splits/two_class.parquet", "1" * 32, "training"),
    }
    runs = store.runs("run", condition="two_class") + store.runs("condition", condition="two_class")
    assert [data_held(run) for run in runs] == [expected] * 7
    sources = {mlflow.data.get_source(data).uri for data in runs[0].inputs.dataset_inputs}
    assert sources == {file.path for file in expected}


def test_stamps_that_a_network_is_only_tested_on_are_for_evaluation(declared):
    levels = {f"tested_{name}": Path(f"data/resolution/levels/{name}.npy") for name in ("native", "coarse")}
    record = declared[0].phases["confirmed"][0]
    record = dataclasses.replace(
        record, data=record.data | dict.fromkeys(levels, "0" * 32) | {"start": "a fingerprint"}
    )
    paths = levels | {"images": levels["tested_native"], "split": Path("data/resolution/split.parquet")}
    content = run_content(score_run(record, 3), declared[0].files["confirmed"][0], paths)
    assert {(Path(file.path).stem, file.context) for file in content.inputs} == {
        ("native", "training"),
        ("coarse", "evaluation"),
        ("split", "training"),
    }


def test_runs_and_parents_have_a_picture_of_their_confusion_matrix(store):
    for run in store.runs("run") + store.runs("condition"):
        assert CONFUSION_PICTURE in {file.path for file in store.client.list_artifacts(run.info.run_id)}


def drawn(content):
    assert content.confusion is not None
    (axes,) = content.confusion.figure().axes
    return axes


def test_a_run_is_drawn_in_counts_and_a_condition_in_means(declared):
    runs = declared[0].scored["confirmed"]
    axes = drawn(run_content(runs[1], declared[0].files["confirmed"][1]))
    assert axes.get_title() == "two_class confirmed 02"
    assert [text.get_text() for text in axes.texts] == [str(count) for count in runs[1].confusions["test"].flat]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["spiral", "elliptical"]
    axes = drawn(condition_content(declared[0]))
    matrices = np.stack([run.confusions["test"] for run in runs])
    expected = zip(matrices.mean(axis=0).flat, matrices.std(axis=0, ddof=1).flat, strict=True)
    assert [text.get_text() for text in axes.texts] == [f"{mean:.1f} ± {std:.1f}" for mean, std in expected]


def test_a_parent_is_described_and_a_person_s_own_words_stay(store, declared):
    (parent,) = store.runs("condition", condition="two_class")
    mean = np.mean([run.scores["accuracy"] for run in declared[0].scored["confirmed"]])
    said = parent.data.tags[DESCRIPTION]
    assert "spiral / elliptical" in said
    assert f"confirmed, 3 runs, epoch 3: accuracy {mean:.3f}" in said
    store.client.set_tag(parent.info.run_id, DESCRIPTION, "the one for the paper")
    assert store.sync(declared).kept == 14
    (parent,) = store.runs("condition", condition="two_class")
    assert parent.data.tags[DESCRIPTION] == "the one for the paper"


def test_a_run_says_of_which_experiment_of_dvc_it_is(place, declared, monkeypatch):
    monkeypatch.setenv("DVC_EXP_NAME", "timid-crab")
    store = open_store(place)
    store.sync(declared[:1])
    monkeypatch.delenv("DVC_EXP_NAME")
    store = open_store(place)
    assert store.sync(declared).kept == 7
    runs = {run.info.run_name: run.data.tags.get("galmorph.dvc_experiment") for run in store.runs("condition")}
    assert runs == {"two_class": "timid-crab", "three_class": None}


def test_metric_names_go_both_ways():
    for name in ("accuracy", "tss@common_natural", "accuracy_restricted"):
        assert score_name(metric_name(name)) == name


def test_undefined_values_are_not_logged(declared):
    record = declared[0].phases["selected"][0]
    broken = dataclasses.replace(record, history=record.history | {"test_loss": np.full(4, np.nan)})
    content = run_content(score_run(broken, 3), declared[0].files["selected"][0])
    assert "by_epoch/test_loss" not in content.metrics
    single = dataclasses.replace(declared[0], phases={"selected": [record]})
    assert "by_epoch/selected/test_accuracy_std" not in condition_content(single).metrics
