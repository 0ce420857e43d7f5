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
        Draws the initial weights, then for each epoch the order of the training part, and how each of its stamps is
        flipped if training.augmentation asks for that.
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
    if training.class_weight == "balanced":
        engine.class_weights.assign(balanced_weights(train.labels, n_classes))
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
        if training.augmentation != "none":
            train_images = predictor.prepare(flipped(train.images, training.augmentation, rng))
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


def balanced_weights(labels: NDArray[np.int32], n_classes: int) -> NDArray[np.float32]:
    """Return the weight of each class: n / (number of classes x galaxies of the class), as scikit-learn's "balanced".

    Parameters
    ----------
    labels
        (n,) class numbers.

    Returns
    -------
    (n_classes,) float32; 0 for a class without galaxies.

    Examples
    --------
    >>> balanced_weights(np.array([0, 0, 0, 1]), 2).round(3)
    array([0.667, 2.   ], dtype=float32)
    """
    counts = np.bincount(labels, minlength=n_classes)
    weights = np.divide(len(labels) / n_classes, counts, out=np.zeros(n_classes), where=counts > 0)
    return weights.astype(np.float32)


def flipped(images: Images, kind: str, rng: np.random.Generator) -> Images:
    """Return each stamp in an orientation drawn for it, of the 4 of flips or the 8 of flips_and_turns.

    Parameters
    ----------
    images
        (n, size, size) float32, (y, x). With an even size the pixel of the galaxy moves by one where an axis is
        reversed.
    kind
        flips: left to right, top to bottom, both or neither. flips_and_turns: quarter turns of these as well.
    """
    mirrored, upside_down, turned = rng.integers(2, size=(3, len(images))).astype(bool)
    result = images.copy()
    result[mirrored] = result[mirrored][:, :, ::-1]
    result[upside_down] = result[upside_down][:, ::-1]
    if kind == "flips_and_turns":
        result[turned] = result[turned].swapaxes(1, 2)
    return result
