import numpy as np
import pytest

from galmorph.training.network import HDF5_BYTES, build_network, initialise, loss_function, save_weights
from tests.support.parameters import SMALL_NETWORK, settings_with

SIZE = 16
SMALL = settings_with({"network": SMALL_NETWORK}).network


def test_thesis_network_has_its_layers():
    settings = settings_with({})
    model = build_network(settings.network, 64, 3)
    shapes = {layer.name: layer.output.shape[1:] for layer in model.layers}
    assert shapes["pooling_3"] == (6, 6, 128)
    assert shapes["flatten"] == (4608,)
    assert shapes["dense_1"] == shapes["dense_2"] == (1024,)
    assert shapes["classes"] == (3,)
    # Convolutions 320 + 18,496 + 32,896, dense 4,719,616 + 1,049,600, classes 3,075.
    assert model.count_params() == 5_824_003


def test_initial_weights_are_glorot_uniform_and_seeded():
    model = build_network(SMALL, SIZE, 2)
    initialise(model, np.random.default_rng(1))
    first = model.get_weights()
    initialise(model, np.random.default_rng(1))
    for one, two in zip(first, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    kernel = first[2]  # 3 x 3 x 4 -> 4
    limit = np.sqrt(6 / (9 * 4 + 9 * 4))
    assert 0.8 * limit < np.abs(kernel).max() <= limit
    assert not first[1].any()


def test_losses_by_hand():
    logits = np.array([[2.0, 0.0, 1.0]], np.float32)
    p = np.exp(logits[0]) / np.exp(logits[0]).sum()
    assert float(loss_function("cross_entropy", 3)(np.array([2]), logits)[0]) == pytest.approx(-np.log(p[2]), rel=1e-6)
    squares = ((p - [0, 0, 1]) ** 2).mean()
    assert float(loss_function("mean_squared_error", 3)(np.array([2]), logits)[0]) == pytest.approx(squares, rel=1e-6)


def test_weights_on_disk_are_byte_stable_and_load_back(tmp_path):
    model = build_network(SMALL, SIZE, 2)
    initialise(model, np.random.default_rng(1))
    for name in ("a.weights.h5", "b.weights.h5"):
        save_weights(tmp_path / name, SMALL, SIZE, 2, model.get_weights())
    assert (tmp_path / "a.weights.h5").read_bytes() == (tmp_path / "b.weights.h5").read_bytes()
    # The room that is tried before HDF5 writes is enough.
    room = sum(values.nbytes + HDF5_BYTES for values in model.get_weights())
    assert (tmp_path / "a.weights.h5").stat().st_size <= room
    other = build_network(SMALL, SIZE, 2)
    other.load_weights(tmp_path / "a.weights.h5")
    for one, two in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.weights.h5", "b.weights.h5"]
