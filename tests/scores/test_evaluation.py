import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score

from galmorph.scores.evaluation import restricted, restricted_confusion, score_run
from galmorph.training.records import Evaluation
from tests.support.records import made_record

THREE = ("uncertain", "spiral", "elliptical")


def test_scores_of_the_test_part_are_those_of_its_epoch():
    record = made_record(epochs=5)
    truth = record.sets["test"].truth
    for epoch in (1, 4):
        run = score_run(record, epoch)
        values = run.scores
        assert values["accuracy"] == pytest.approx(accuracy_score(truth, record.predicted[epoch - 1]))
        tss = balanced_accuracy_score(truth, record.predicted[epoch - 1], adjusted=True)
        assert values["tss"] == pytest.approx(tss)
        assert run.curves["test_tss"][epoch - 1] == pytest.approx(tss)
        assert values["baseline"] == pytest.approx(np.bincount(truth).max() / len(truth))


def test_confirmed_scores_on_the_common_sets():
    record = made_record(phase="confirmed")
    values = score_run(record, record.epochs).scores
    for name in ("common_natural", "common_balanced"):
        answer = record.sets[name].probabilities.argmax(axis=1)
        assert values[f"accuracy@{name}"] == pytest.approx(accuracy_score(record.sets[name].truth, answer))
    assert "accuracy_restricted" not in values


def test_restricted_accuracy_never_answers_uncertain():
    # Columns: uncertain, spiral, elliptical.
    probabilities = np.array([[0.8, 0.15, 0.05], [0.8, 0.05, 0.15], [0.1, 0.5, 0.4], [0.2, 0.1, 0.7]], np.float32)
    truth = np.array([1, 1, 2, 0], np.uint8)
    evaluation = Evaluation(np.arange(4), truth, probabilities)
    # Galaxy 4 is uncertain and left out; 1 is right, 2 and 3 are wrong.
    np.testing.assert_array_equal(restricted_confusion(evaluation, THREE), [[1, 1], [1, 0]])


def test_a_restricted_set_is_in_the_order_of_the_evaluation_classes_whatever_the_conditions_is():
    probabilities = np.array([[0.5, 0.2, 0.3], [0.1, 0.6, 0.3], [0.4, 0.3, 0.3]], np.float32)
    evaluation = Evaluation(np.array([7, 8, 9]), np.array([0, 2, 1], np.uint8), probabilities)
    alone = restricted(evaluation, ("elliptical", "uncertain", "spiral"))
    np.testing.assert_array_equal(alone.rows, [7, 8])
    np.testing.assert_array_equal(alone.truth, [1, 0])
    np.testing.assert_array_equal(alone.probabilities, probabilities[:2][:, [2, 0]])


def test_restricted_accuracy_is_given_for_conditions_with_a_third_class():
    record = made_record("three_class", "confirmed", classes=THREE)
    values = score_run(record, record.epochs).scores
    test = record.sets["test"]
    judged = test.truth != 0
    answer = 1 + test.probabilities[judged][:, 1:].argmax(axis=1)
    assert values["accuracy_restricted"] == pytest.approx(accuracy_score(test.truth[judged], answer))


def test_a_condition_without_both_classes_has_the_plain_scores_only():
    record = made_record("other", "confirmed", classes=("spiral", "uncertain"))
    assert set(score_run(record, record.epochs).scores) == {"accuracy", "tss", "baseline"}


def test_a_run_without_an_epoch_has_curves_alone():
    run = score_run(made_record(epochs=5), None)
    assert {len(curve) for curve in run.curves.values()} == {5}
    assert (run.confusions, run.scores) == ({}, {})
