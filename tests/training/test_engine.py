"""What is not plain Keras, against plain Keras."""

import numpy as np
import pytest

from galmorph.training.backend import keras
from galmorph.training.engine import Engine, prepare_device, seen_side
from galmorph.training.network import build_network, initialise
from tests.support.parameters import SMALL_NETWORK, settings_with


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    prepare_device()


def made(n, size, seed=3):
    """Stamps of noise with a bright square in half of them, and their classes."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n).astype(np.int32)
    images = rng.normal(0, 1, (n, size, size, 1)).astype(np.float32)
    images[labels == 1, 4:12, 4:12] += 2
    return images, labels


@pytest.mark.parametrize(
    ("network", "optimiser"),
    [
        ({}, "adam"),
        ({"network": SMALL_NETWORK}, "sgd"),
        ({"network": SMALL_NETWORK | {"padding": "same"}}, "adam"),
    ],
    ids=["the thesis's", "small", "padded"],
)
def test_the_weights_after_five_steps_are_those_of_plain_keras(network, optimiser):
    steps, size = 5, 17 if network else 64
    settings = settings_with(
        network | {"training.learning_rate": 1e-4, "training.optimiser": optimiser, "training.batch_size": 8}
    )
    images, labels = made(8 * steps, size)
    engine = Engine(settings.network, settings.training, size, 2)
    engine.reset(np.random.default_rng(4))
    start = [values.copy() for values in engine.model.get_weights()]
    seen = images[:, : engine.side, : engine.side]
    loss, accuracy = engine.train_epoch(seen, labels, np.arange(8 * steps))

    plain = build_network(settings.network, size, 2)
    plain.set_weights(start)
    peer = keras.optimizers.Adam(1e-4) if optimiser == "adam" else keras.optimizers.SGD(1e-4, momentum=0.9)
    plain.compile(peer, keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    fitted = plain.fit(images, labels, batch_size=8, epochs=1, shuffle=False, verbose=0).history
    ours, theirs = engine.model.get_weights(), plain.get_weights()
    assert all(np.abs(one - two).max() > 0 for one, two in zip(start, theirs, strict=True))
    for one, two in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, two, rtol=0, atol=1e-5)
    assert float(loss) == pytest.approx(fitted["loss"][0], rel=1e-5)
    assert float(accuracy) == pytest.approx(fitted["accuracy"][0])
    np.testing.assert_allclose(engine.logits(seen), plain.predict(images, verbose=0), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("padding", "size", "side"), [("valid", 64, 58), ("valid", 66, 66), ("same", 64, 64)])
def test_pixels_beyond_the_seen_ones_change_nothing(padding, size, side):
    network = settings_with({"network.padding": padding}).network
    assert seen_side(network, size) == side
    model = build_network(network, size, 2)
    initialise(model, np.random.default_rng(1))
    images, _ = made(2, size)
    before = np.array(model(images))
    beyond = images.copy()
    beyond[:, side:] += 1000
    beyond[:, :, side:] += 1000
    np.testing.assert_array_equal(before, model(beyond))
    # The last pixel that is seen does change something, unless it is lost in a border of zeros.
    inside = images.copy()
    inside[:, side - 1, side - 1] += 1000
    assert (before != np.array(model(inside))).any()


def test_mixed_bfloat16_keeps_weights_and_logits_in_float32_and_is_coarser():
    images, labels = made(16, 17)
    logits = {}
    for precision in ("float32", "mixed_bfloat16"):
        settings = settings_with({"network": SMALL_NETWORK, "training.precision": precision})
        engine = Engine(settings.network, settings.training, 17, 2)
        engine.reset(np.random.default_rng(4))
        seen = images[:, : engine.side, : engine.side]
        logits[precision] = np.array(engine.logits(seen))
        engine.train_epoch(seen, labels, np.arange(16))
        assert {values.dtype for values in engine.model.get_weights()} == {np.dtype("float32")}
    assert logits["mixed_bfloat16"].dtype == np.float32
    difference = np.abs(logits["mixed_bfloat16"] - logits["float32"]).max()
    # bfloat16 has 8 significant bits.
    assert 1e-5 < difference < 0.05 * np.abs(logits["float32"]).max()


RUNS = 30


@pytest.fixture(scope="module")
def faint():
    """Parts of 30 runs: faint discs among noise, hard enough that networks differ in what they find."""
    y, x = np.mgrid[:16, :16] - 7.5
    disc = (x**2 + y**2 < 16).astype(np.float32)[..., None]

    def part(n, rng):
        labels = rng.integers(0, 2, n).astype(np.int32)
        return rng.normal(0, 1, (n, 16, 16, 1)).astype(np.float32) + 0.4 * labels[:, None, None, None] * disc, labels

    return [(part(96, rng), part(64, rng)) for rng in map(np.random.default_rng, range(RUNS))]


def test_thirty_runs_in_mixed_bfloat16_are_as_accurate_as_in_float32(faint):
    accuracies = {}
    for precision in ("float32", "mixed_bfloat16"):
        hard = {"network": SMALL_NETWORK, "training.batch_size": 16, "training.learning_rate": 0.01}
        settings = settings_with(hard | {"training.precision": precision})
        engine = Engine(settings.network, settings.training, 16, 2)
        found = []
        for run, ((images, labels), (test, truth)) in enumerate(faint):
            rng = np.random.default_rng([run, 1])
            engine.reset(rng)
            seen, judged = images[:, : engine.side, : engine.side], test[:, : engine.side, : engine.side]
            for _ in range(4):
                engine.train_epoch(seen, labels, rng.permutation(len(labels)).astype(np.int32))
            found.append((np.argmax(engine.logits(judged), axis=1) == truth).mean())
        assert 0.6 < np.mean(found) < 0.97  # learned, and not without effort
        accuracies[precision] = np.array(found)
    one, two = accuracies.values()
    spread = np.sqrt((np.var(one, ddof=1) + np.var(two, ddof=1)) / RUNS)
    assert abs(one.mean() - two.mean()) < 2 * spread
