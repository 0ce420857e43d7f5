import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    confusion_matrix,
    f1_score,
    precision_score,
    recall_score,
)

from galmorph.scores import metrics

# Contingency tables of the forecast-verification literature; here rows are the truth.
FINLEY = np.array([[28, 23], [72, 2680]])  # tornadoes, 1884
JOLLIFFE = np.array([[7, 4, 4], [14, 9, 8], [14, 16, 24]])
WILKS = np.array([[50, 47, 54], [91, 2364, 205], [71, 170, 3288]])


def test_two_class_tss_of_finleys_tornadoes():
    assert metrics.tss(FINLEY) == pytest.approx(0.5229, abs=5e-5)
    assert metrics.peirce(FINLEY) == pytest.approx(metrics.tss(FINLEY))
    assert metrics.macro_tss(FINLEY) == pytest.approx(metrics.tss(FINLEY))


def test_two_class_tss_is_equation_4_2():
    (tp, fn), (fp, tn) = FINLEY
    assert metrics.tss(FINLEY) == pytest.approx(tp / (tp + fn) - fp / (tn + fp))


def test_three_class_scores_of_the_literature():
    assert metrics.peirce(JOLLIFFE) == pytest.approx(0.1072, abs=5e-5)
    assert metrics.peirce(JOLLIFFE.T) == pytest.approx(0.0952, abs=5e-5)
    assert metrics.tss(JOLLIFFE) == pytest.approx(0.1007, abs=5e-5)
    assert metrics.peirce(WILKS) == pytest.approx(0.8107, abs=5e-5)
    assert metrics.tss(WILKS) == pytest.approx(0.5758, abs=5e-5)
    assert metrics.macro_tss(WILKS) == pytest.approx(0.6581, abs=5e-5)


def test_baseline_is_the_share_of_the_commonest_true_class():
    assert metrics.baseline(WILKS) == pytest.approx(3529 / WILKS.sum())


def test_absent_class_has_no_recall_and_no_tss():
    matrix = np.array([[5, 1], [0, 0]])
    assert np.isnan(metrics.recall(matrix)[1])
    assert np.isnan(metrics.tss(matrix))


def test_a_class_that_is_never_answered_has_no_precision_and_an_f1_of_zero():
    matrix = np.array([[5, 0, 0], [2, 0, 0], [0, 0, 0]])
    assert np.isnan(metrics.precision(matrix)[1:]).all()
    assert metrics.f1(matrix)[1] == 0
    assert np.isnan(metrics.f1(matrix)[2])


labels = st.integers(2, 4).flatmap(
    lambda k: st.tuples(
        st.just(k),
        arrays(np.int64, st.integers(k, 40), elements=st.integers(0, k - 1)),
        st.integers(0, 2**32 - 1),
    )
)


@given(labels)
def test_scores_agree_with_scikit_learn(case):
    k, truth, seed = case
    truth[:k] = np.arange(k)  # every class occurs
    predicted = np.random.default_rng(seed).integers(0, k, len(truth))
    matrix = metrics.confusion_matrix(truth, predicted, k)
    np.testing.assert_array_equal(matrix, confusion_matrix(truth, predicted, labels=range(k)))
    assert metrics.accuracy(matrix) == pytest.approx(accuracy_score(truth, predicted))
    np.testing.assert_allclose(metrics.recall(matrix), recall_score(truth, predicted, average=None))
    precision = precision_score(truth, predicted, average=None, zero_division=np.nan)
    np.testing.assert_allclose(metrics.precision(matrix), precision)
    np.testing.assert_allclose(metrics.f1(matrix), f1_score(truth, predicted, average=None))
    assert metrics.tss(matrix) == pytest.approx(balanced_accuracy_score(truth, predicted, adjusted=True), abs=1e-12)


def test_leading_axes_are_kept():
    truth = np.array([0, 1, 1])
    predicted = np.array([[[0, 1, 1], [1, 1, 0]], [[0, 0, 0], [1, 0, 0]]])
    matrices = metrics.confusion_matrix(truth, predicted, 2)
    assert matrices.shape == (2, 2, 2, 2)
    np.testing.assert_array_equal(matrices[1, 0], [[1, 0], [2, 0]])
    np.testing.assert_allclose(metrics.accuracy(matrices), [[1, 1 / 3], [1 / 3, 0]])
