from typing import Any

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from galmorph.errors import GalmorphError
from galmorph.settings.study import NetworkSettings, TrainingSettings
from galmorph.training.backend import tf
from galmorph.training.engine import compiled_engine, prepare_device
from galmorph.training.fit import HISTORY, Sample, balanced_weights, flipped, train
from galmorph.training.protocol import generator
from galmorph.training.scaling import softening
from tests.support.parameters import SMALL_NETWORK, settings_with

SIZE = 16


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    prepare_device()


def small(**changes) -> tuple[NetworkSettings, TrainingSettings]:
    base = {"network": SMALL_NETWORK, "training.batch_size": 8, "training.learning_rate": 0.01}
    settings = settings_with(base | changes)
    return settings.network, settings.training


def discs_and_points(n=60, seed=0) -> Sample:
    """Two classes that a network can tell apart: extended and compact sources in noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE / 2
    labels = rng.integers(0, 2, n).astype(np.int32)
    width = np.where(labels == 0, 4.0, 1.2)[:, None, None]
    images = 40 * np.exp(-(x**2 + y**2) / (2 * width**2)) + rng.normal(0, 3, (n, SIZE, SIZE))
    return Sample(images.astype(np.float32), labels)


def run(seed=1, epochs=6, evaluation=None, **changes):
    network, training = small(**changes)
    return train(
        discs_and_points(60, 1),
        discs_and_points(31, 2),
        evaluation or {},
        network=network,
        training=training,
        n_classes=2,
        epochs=epochs,
        rng=generator(seed, "selected", 1, "network"),
    )


@pytest.mark.parametrize(("optimiser", "loss"), [("adam", "cross_entropy"), ("sgd", "mean_squared_error")])
def test_learns(optimiser, loss):
    outcome = run(epochs=12, **{"training.optimiser": optimiser, "training.loss": loss})
    assert outcome.history["test_accuracy"][-1] > 0.9
    assert outcome.history["train_loss"][-1] < outcome.history["train_loss"][0]


def test_a_seed_gives_the_same_run_with_a_used_and_with_a_fresh_engine():
    changes = {"network.dropout": 0.3}
    first = run(seed=5, epochs=3, **changes)
    kept = [values.copy() for values in first.weights]
    other = run(seed=6, epochs=3, **changes)
    assert (first.history["train_loss"] != other.history["train_loss"]).all()
    compiled_engine.cache_clear()
    again = run(seed=5, epochs=3, **changes)
    for name in HISTORY:
        np.testing.assert_array_equal(first.history[name], again.history[name])
    # The next run has not written into the weights of the first.
    for one, two, three in zip(first.weights, kept, again.weights, strict=True):
        np.testing.assert_array_equal(one, two)
        np.testing.assert_array_equal(one, three)


def test_fewer_epochs_are_the_beginning_of_more():
    short, long = run(epochs=3), run(epochs=5)
    for name in HISTORY:
        np.testing.assert_array_equal(short.history[name], long.history[name][:3])
    np.testing.assert_array_equal(short.predicted, long.predicted[:3])


def test_curves_and_predictions_agree():
    test = discs_and_points(31, 2)
    outcome = run(epochs=4, evaluation={"test": test.images})
    np.testing.assert_allclose(outcome.history["test_accuracy"], (outcome.predicted == test.labels).mean(axis=1))
    assert outcome.probabilities["test"].dtype == np.float32
    np.testing.assert_allclose(outcome.probabilities["test"].sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(outcome.probabilities["test"].argmax(axis=1), outcome.predicted[-1])
    loss = -np.log(outcome.probabilities["test"][np.arange(31), test.labels]).mean()
    assert outcome.history["test_loss"][-1] == pytest.approx(loss, rel=1e-5, abs=1e-6)


def test_scaling_constant_comes_from_the_training_part_alone():
    network, training = small()
    part, test = discs_and_points(60, 1), discs_and_points(31, 2)
    bright = Sample(test.images * 100, test.labels)
    settings: Any = {"network": network, "training": training, "n_classes": 2, "epochs": 1}
    one = train(part, test, {}, **settings, rng=generator(1, "selected", 1, "network"))
    two = train(part, bright, {}, **settings, rng=generator(1, "selected", 1, "network"))
    assert one.softening == two.softening == softening(part.images, "asinh")
    np.testing.assert_array_equal(one.history["train_loss"], two.history["train_loss"])


def test_a_loss_that_is_no_number_stops_with_its_epoch(monkeypatch):
    engine = compiled_engine(*small(), SIZE, 2)
    monkeypatch.setattr(engine, "train_epoch", lambda *arrays: (tf.constant(float("nan")), tf.constant(0.5)))
    with pytest.raises(GalmorphError, match=r"training loss is nan in epoch 1: lower training\.learning_rate"):
        run(epochs=3)


def test_a_network_that_breaks_in_its_last_update_is_no_result(monkeypatch):
    engine = compiled_engine(*small(), SIZE, 2)
    whole = engine.train_epoch

    def breaking(*arrays):
        result = whole(*arrays)
        # After the losses of the epoch, as the last update does.
        engine.model.weights[0].assign(tf.fill(engine.model.weights[0].shape, float("nan")))
        return result

    monkeypatch.setattr(engine, "train_epoch", breaking)
    with pytest.raises(GalmorphError, match=r"a weight is nan in epoch 1: lower training\.learning_rate"):
        run(epochs=1)


def test_balanced_classes_weigh_alike_in_the_loss():
    """The weighted mean loss of an untrained network, before anything is learned, by Keras's own definition."""
    sample = discs_and_points(60, 1)
    uneven = Sample(sample.images[sample.labels == 0][:20], np.zeros(20, np.int32))
    few = sample.images[sample.labels == 1][:5]
    both = Sample(np.concatenate([uneven.images, few]), np.repeat([0, 1], (20, 5)).astype(np.int32))
    weights = compute_class_weight("balanced", classes=np.array([0, 1]), y=both.labels)
    np.testing.assert_allclose(balanced_weights(both.labels, 2), weights, rtol=1e-6)
    assert balanced_weights(np.zeros(4, np.int32), 2).tolist() == [0.5, 0.0]
    losses = {}
    for kind in ("none", "balanced"):
        # So slow that the network stays the same over the only batch of an epoch.
        network, training = small(
            **{"training.class_weight": kind, "training.learning_rate": 1e-9, "training.batch_size": 25}
        )
        outcome = train(
            both,
            both,
            {"test": both.images},
            network=network,
            training=training,
            n_classes=2,
            epochs=1,
            rng=generator(3, "selected", 1, "network"),
        )
        own = -np.log(outcome.probabilities["test"][np.arange(25), both.labels])
        losses[kind] = outcome.history["train_loss"][0], own
    assert losses["none"][0] == pytest.approx(losses["none"][1].mean(), rel=1e-4)
    assert losses["balanced"][0] == pytest.approx((losses["balanced"][1] * weights[both.labels]).mean(), rel=1e-4)


@pytest.mark.parametrize(("kind", "orientations"), [("flips", 4), ("flips_and_turns", 8)])
def test_stamps_are_drawn_in_every_orientation(kind, orientations):
    stamp = np.arange(9, dtype=np.float32).reshape(1, 3, 3)
    found = flipped(np.repeat(stamp, 400, axis=0), kind, np.random.default_rng(4))
    distinct, counts = np.unique(found.reshape(400, 9), axis=0, return_counts=True)
    turns = [np.rot90(stamp[0], quarter) for quarter in range(4)]
    group = {tuple(image.ravel()) for turn in turns for image in (turn, turn[:, ::-1])}
    assert {tuple(row) for row in distinct} <= group
    assert len(distinct) == orientations
    assert counts.min() > 0.6 * 400 / orientations


def test_augmentation_is_drawn_anew_in_each_epoch_from_the_generator_of_the_run():
    plain = run(seed=5, epochs=3)
    first, again = (run(seed=5, epochs=3, **{"training.augmentation": "flips_and_turns"}) for _ in range(2))
    np.testing.assert_array_equal(first.history["train_loss"], again.history["train_loss"])
    assert (first.history["train_loss"] != plain.history["train_loss"]).all()
