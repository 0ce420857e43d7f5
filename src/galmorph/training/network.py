"""The convolutional network, after Cheng et al. (2020, MNRAS 493, 4209), and its losses."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from galmorph.errors import GalmorphError, own_words
from galmorph.files.atomic import atomic_file
from galmorph.files.reading import file_sha256
from galmorph.settings.study import NetworkSettings
from galmorph.training.backend import keras, tf

HDF5_BYTES = 8192  # more than an array takes in the file beyond its numbers


def build_network(settings: NetworkSettings, size: int, n_classes: int, precision: str = "float32") -> keras.Model:
    """Build the network in plain Keras: convolutions, each followed by 2 x 2 max-pooling, dense layers, the output.

    Parameters
    ----------
    precision
        The Keras dtype policy: float32, or mixed_bfloat16, which multiplies in bfloat16 and keeps weights and logits
        in float32.

    Returns
    -------
    A model from (n, size, size, 1) float32 to logits (n, n_classes) float32. Its weights are Keras's own until
    `initialise`.
    """
    inputs = keras.Input((size, size, 1), name="stamp")
    x = inputs
    for number, (filters, kernel) in enumerate(zip(settings.filters, settings.kernels, strict=True), start=1):
        x = keras.layers.Conv2D(
            filters, kernel, padding=settings.padding, activation="relu", dtype=precision, name=f"convolution_{number}"
        )(x)
        x = keras.layers.MaxPooling2D(2, dtype=precision, name=f"pooling_{number}")(x)
    x = keras.layers.Flatten(dtype=precision, name="flatten")(x)
    for number, units in enumerate(settings.dense, start=1):
        x = keras.layers.Dense(units, activation="relu", dtype=precision, name=f"dense_{number}")(x)
        if settings.dropout:
            x = keras.layers.Dropout(settings.dropout, seed=0, dtype=precision, name=f"dropout_{number}")(x)
    return keras.Model(inputs, keras.layers.Dense(n_classes, name="classes")(x), name="galmorph")


def initialise(model: keras.Model, rng: np.random.Generator) -> None:
    """Give every kernel fresh Glorot-uniform values, every bias zero, and every dropout its seed."""
    for layer in model.layers:
        for variable in layer.trainable_variables:
            if variable.name == "kernel":
                seed = int(rng.integers(2**31))
                variable.assign(keras.initializers.GlorotUniform(seed=seed)(variable.shape))
            else:
                variable.assign(tf.zeros(variable.shape))
        if isinstance(layer, keras.layers.Dropout):
            layer.seed_generator.state.assign(rng.integers(2**31, size=2).astype(np.uint32))


def loss_function(name: str, n_classes: int) -> Callable[[Any, Any], Any]:
    """Return the function of class numbers (n,) and logits (n, K) that gives the loss (n,) of each galaxy."""
    if name == "cross_entropy":
        return lambda labels, logits: tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    return lambda labels, logits: tf.reduce_mean(
        tf.square(tf.one_hot(labels, n_classes) - tf.nn.softmax(logits)), axis=-1
    )


def save_weights(
    path: Path, settings: NetworkSettings, size: int, n_classes: int, weights: list[NDArray[np.float32]]
) -> str:
    """Write weights as a Keras .weights.h5 file, which is byte-stable where .keras is not; return its sha256."""
    model = build_network(settings, size, n_classes)
    model.set_weights(weights)
    with atomic_file(path) as partial:
        # On a full disk HDF5 takes the process down with it, or prints tracebacks: plain bytes find out first.
        partial.write_bytes(bytes(sum(values.nbytes + HDF5_BYTES for values in weights)))
        model.save_weights(partial)
    return file_sha256(path)


def load_weights(
    path: Path, sha256: str, settings: NetworkSettings, size: int, n_classes: int
) -> list[NDArray[np.float32]]:
    """Read what `save_weights` wrote, with the sha256 that it returned.

    Raises
    ------
    GalmorphError
        If the file is missing or damaged, or belongs to another run or another network.
    """
    model = build_network(settings, size, n_classes)
    try:
        if file_sha256(path) != sha256:
            raise GalmorphError("they are not those of its record")
        with warnings.catch_warnings():
            # With this warning Keras leaves layers that it does not find in the file as they are.
            warnings.filterwarnings("error", message="Skipping nested container", category=UserWarning)
            model.load_weights(path)
    except (GalmorphError, OSError, ValueError, KeyError, UserWarning) as error:
        raise GalmorphError(
            f"{path}: not the weights of this network{own_words(error)}; restore them with dvc checkout, or run dvc "
            "repro"
        ) from None
    return [np.array(values) for values in model.get_weights()]
