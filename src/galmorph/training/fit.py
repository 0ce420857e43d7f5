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
from galmorph.training.engine import compiled_engine, prepare_device
from galmorph.training.predict import Predictor
from galmorph.training.scaling import Images, softening

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
    rng: np.random.Generator,
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
    rng
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
        If a loss, a weight or an output of the network is not finite; the message names the epoch.
    """
    prepare_device()
    engine = compiled_engine(network, training, train.images.shape[-1], n_classes)
    engine.reset(rng)
    if start is not None:
        engine.model.set_weights(start.weights)
    predictor = Predictor(engine, start.softening if start else softening(train.images, training.scaling))

    def check_finite(what: str, values: Any, epoch: int) -> None:
        numbers = np.asarray(values)
        if not (finite := np.isfinite(numbers)).all():
            raise GalmorphError(
                f"{what} is {numbers[~finite].flat[0]} in epoch {epoch + 1}: lower training.learning_rate (it is "
                f"{training.learning_rate}) or change training.scaling"
            )

    def predict(prepared: Any, epoch: int) -> NDArray[np.float32]:
        # The losses of a network may be finite, and its output for other galaxies not.
        logits = predictor.logits(prepared)
        check_finite("an output of the network", logits, epoch)
        return logits

    train_images, train_labels = predictor.prepare(train.images), tf.constant(train.labels, tf.int32)
    test_images, test_labels = predictor.prepare(test.images), tf.constant(test.labels, tf.int32)
    watched_images = {name: predictor.prepare(images) for name, images in watched.items()}
    history = {name: np.empty(epochs) for name in HISTORY}
    predicted = np.empty((epochs, len(test.labels)), np.uint8)
    predicted_watched = {name: np.empty((epochs, len(images)), np.uint8) for name, images in watched.items()}
    for epoch in range(epochs):
        order = tf.constant(rng.permutation(len(train.labels)), tf.int32)
        loss, accuracy = engine.train_epoch(train_images, train_labels, order)
        check_finite("the training loss", loss, epoch)
        logits = predict(test_images, epoch)
        predicted[epoch] = np.argmax(logits, axis=-1)
        test_loss = tf.reduce_mean(engine.loss(test_labels, logits))
        row = (loss, accuracy, test_loss, np.mean(predicted[epoch] == test.labels))
        for name, value in zip(HISTORY, row, strict=True):
            history[name][epoch] = float(value)
        check_finite("the test loss", test_loss, epoch)
        for name, images in watched_images.items():
            predicted_watched[name][epoch] = np.argmax(predict(images, epoch), axis=-1)
        on_epoch(epoch + 1)
    probabilities = {
        name: np.array(tf.nn.softmax(predict(predictor.prepare(images), epochs - 1)))
        for name, images in evaluation.items()
    }
    # Copies: NumPy sees TensorFlow's own memory, which the next run's fused updates write into.
    weights = [np.array(values) for values in engine.model.get_weights()]
    for values in weights:
        check_finite("a weight", values, epochs - 1)
    return Outcome(history, predicted, predicted_watched, probabilities, weights, predictor.softening)
