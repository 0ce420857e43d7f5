"""One run, from arrays to curves and predictions: no MLflow, no DVC, no files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from galmorph.errors import GalmorphError
from galmorph.settings.study import NetworkSettings, TrainingSettings
from galmorph.training.backend import tf
from galmorph.training.engine import engine, prepare_device
from galmorph.training.scaling import Images, scaled, softening

HISTORY = ("train_loss", "train_accuracy", "test_loss", "test_accuracy")


@dataclass(frozen=True)
class Sample:
    """Galaxies with their classes: images (n, size, size) float32, DN; labels (n,) class numbers from 0."""

    images: Images
    labels: NDArray[np.int32]


@dataclass(frozen=True)
class Start:
    """A trained network to go on from: its weights, and the constant of its scaling, which stays."""

    weights: list[NDArray[np.float32]]
    softening: float


@dataclass(frozen=True)
class Outcome:
    """What a run leaves.

    Attributes
    ----------
    history
        For each name of HISTORY, (epochs,) float64: the training curves are running means over the epoch, as Keras's
        are; the test curves are evaluated after it.
    predicted
        (epochs, n_test) uint8, the class of each test galaxy after each epoch.
    watched
        For each watched set, (epochs, n) uint8, likewise.
    probabilities
        After the last epoch: for each evaluation set, (n, K) float32.
    weights
        After the last epoch, in the order of `keras.Model.get_weights`.
    softening
        The constant of the scaling.
    """

    history: dict[str, NDArray[np.float64]]
    predicted: NDArray[np.uint8]
    watched: dict[str, NDArray[np.uint8]]
    probabilities: dict[str, NDArray[np.float32]]
    weights: list[NDArray[np.float32]]
    softening: float


def train(
    train: Sample,
    test: Sample,
    evaluation: Mapping[str, Images],
    *,
    network: NetworkSettings,
    training: TrainingSettings,
    n_classes: int,
    epochs: int,
    chance: np.random.Generator,
    start: Start | None = None,
    watched: Mapping[str, Images] = MappingProxyType({}),
    on_epoch: Callable[[int], None] = lambda epoch: None,
) -> Outcome:
    """Train one network and test it after every epoch.

    Parameters
    ----------
    train, test
        The two parts of the run.
    evaluation
        Further sets, classified after the last epoch.
    network, training
        Blocks of params.yaml.
    n_classes
        K.
    epochs
        Completed passes over the training part.
    chance
        The run's generator: initial weights, then the order of each epoch.
    start
        Where to go on from, in place of initial weights; the optimiser begins afresh.
    watched
        Further sets, classified after every epoch; they take no part in anything else.
    on_epoch
        Called with the number of completed passes, after each.

    Raises
    ------
    GalmorphError
        If a loss, a weight or an answer stops being a number, with its epoch.
    """
    prepare_device()
    machine = engine(network, training, train.images.shape[-1], n_classes)
    machine.reset(chance)
    if start is None:
        s = softening(train.images, training.scaling)
    else:
        s = start.softening
        machine.model.set_weights(start.weights)

    def prepared(images: Images) -> Any:
        return tf.constant(scaled(images, training.scaling, s)[:, : machine.side, : machine.side])

    def require_numbers(what: str, values: Any, epoch: int) -> None:
        numbers = np.asarray(values)
        if not (sound := np.isfinite(numbers)).all():
            raise GalmorphError(
                f"{what} is {numbers[~sound].flat[0]} in epoch {epoch + 1}: lower training.learning_rate (it is "
                f"{training.learning_rate}) or change training.scaling"
            )

    def answered(images: Any, epoch: int) -> NDArray[np.float32]:
        # A network may be sound as far as its losses go, and have no answer to other galaxies.
        logits = np.array(machine.logits(images))
        require_numbers("an answer of the network", logits, epoch)
        return logits

    train_images, train_labels = prepared(train.images), tf.constant(train.labels, tf.int32)
    test_images, test_labels = prepared(test.images), tf.constant(test.labels, tf.int32)
    history = {name: np.empty(epochs) for name in HISTORY}
    predicted = np.empty((epochs, len(test.labels)), np.uint8)
    looked_at = {name: prepared(images) for name, images in watched.items()}
    seen = {name: np.empty((epochs, len(images)), np.uint8) for name, images in watched.items()}
    for epoch in range(epochs):
        order = tf.constant(chance.permutation(len(train.labels)), tf.int32)
        loss, accuracy = machine.train_epoch(train_images, train_labels, order)
        require_numbers("the training loss", loss, epoch)
        logits = answered(test_images, epoch)
        predicted[epoch] = np.argmax(logits, axis=-1)
        test_loss = tf.reduce_mean(machine.loss(test_labels, logits))
        row = (loss, accuracy, test_loss, np.mean(predicted[epoch] == test.labels))
        for name, value in zip(HISTORY, row, strict=True):
            history[name][epoch] = float(value)
        require_numbers("the test loss", test_loss, epoch)
        for name, images in looked_at.items():
            seen[name][epoch] = np.argmax(answered(images, epoch), axis=-1)
        on_epoch(epoch + 1)
    probabilities = {
        name: np.array(tf.nn.softmax(answered(prepared(images), epochs - 1))) for name, images in evaluation.items()
    }
    # Copies: NumPy sees TensorFlow's own memory, which the next run's fused updates write into.
    weights = [np.array(values) for values in machine.model.get_weights()]
    for values in weights:
        require_numbers("a weight", values, epochs - 1)
    return Outcome(history, predicted, seen, probabilities, weights, s)
