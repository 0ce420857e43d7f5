"""Train a network, from arrays to curves and predictions: no MLflow, no DVC, no files."""

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
    """A trained network to continue from: its weights, and the constant of its scaling, which stays."""

    weights: list[NDArray[np.float32]]
    softening: float


@dataclass(frozen=True)
class Outcome:
    """The result of a run.

    Attributes
    ----------
    history
        For each name of HISTORY, (epochs,) float64: the training curves are running means over the epoch, as Keras's
        are; the test curves are evaluated after it.
    predicted, watched
        (epochs, n) uint8, the class of each galaxy of the test part, and of each watched set, after each epoch.
    probabilities
        For each evaluation set, (n, K) float32, after the last epoch.
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
        The two parts of the run; the constant of the scaling comes from the training part.
    evaluation, watched
        Further sets, classified after the last epoch, and after every epoch.
    network, training
        Blocks of params.yaml.
    epochs
        Completed passes over the training part.
    rng
        Draws the initial weights, then the order of each epoch.
    start
        The network to continue from, instead of initial weights; the optimiser begins afresh.
    on_epoch
        Called after each epoch with its number, from 1.

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
                f"{what} is {numbers[~finite].flat[0]} in epoch {epoch}: lower training.learning_rate (it is "
                f"{training.learning_rate}) or change training.scaling"
            )

    def predict(prepared: Any, epoch: int) -> NDArray[np.float32]:
        # The losses may be finite and the output for other galaxies not.
        logits = predictor.logits(prepared)
        check_finite("an output of the network", logits, epoch)
        return logits

    train_images, train_labels = predictor.prepare(train.images), tf.constant(train.labels, tf.int32)
    test_images, test_labels = predictor.prepare(test.images), tf.constant(test.labels, tf.int32)
    watched_images = {name: predictor.prepare(images) for name, images in watched.items()}
    history = []
    predicted = np.empty((epochs, len(test.labels)), np.uint8)
    predicted_watched = {name: np.empty((epochs, len(images)), np.uint8) for name, images in watched.items()}
    for index, epoch in enumerate(range(1, epochs + 1)):
        order = tf.constant(rng.permutation(len(train.labels)), tf.int32)
        loss, accuracy = engine.train_epoch(train_images, train_labels, order)
        check_finite("the training loss", loss, epoch)
        logits = predict(test_images, epoch)
        predicted[index] = np.argmax(logits, axis=-1)
        test_loss = tf.reduce_mean(engine.loss(test_labels, logits))
        check_finite("the test loss", test_loss, epoch)
        history.append(
            [float(value) for value in (loss, accuracy, test_loss, np.mean(predicted[index] == test.labels))]
        )
        for name, images in watched_images.items():
            predicted_watched[name][index] = np.argmax(predict(images, epoch), axis=-1)
        on_epoch(epoch)
    probabilities = {
        name: np.array(tf.nn.softmax(predict(predictor.prepare(images), epochs))) for name, images in evaluation.items()
    }
    # Copies: NumPy sees TensorFlow's own memory, which the next run's fused updates write into.
    weights = [np.array(values) for values in engine.model.get_weights()]
    for values in weights:
        check_finite("a weight", values, epochs)
    curves = dict(zip(HISTORY, np.array(history).T.copy(), strict=True))
    return Outcome(curves, predicted, predicted_watched, probabilities, weights, predictor.softening)
