"""One run, from arrays to curves and predictions: no MLflow, no DVC, no files.

What is computed is what `keras.Model.fit` with `keras.optimizers` computes; how differs: a whole epoch is one call
into TensorFlow, and the optimiser's update is one fused operation for each variable.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from galmorph.errors import GalmorphError
from galmorph.network import build_network, initialise, loss_function
from galmorph.scaling import Images, scaled, softening
from galmorph.settings import NetworkSettings, TrainingSettings

# keras.optimizers.Adam's defaults; the momentum is the usual one.
BETA_1, BETA_2, EPSILON, MOMENTUM = 0.9, 0.999, 1e-7, 0.9
EVALUATION_BATCH = 128

HISTORY = ("train_loss", "train_accuracy", "test_loss", "test_accuracy")


@dataclass(frozen=True)
class Sample:
    """Galaxies with their classes: images (n, size, size) float32, DN; labels (n,) class numbers from 0."""

    images: Images
    labels: NDArray[np.int32]


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
    probabilities
        After the last epoch: for each evaluation set, (n, K) float32.
    weights
        After the last epoch, in the order of `keras.Model.get_weights`.
    softening
        The constant of the scaling.
    """

    history: dict[str, NDArray[np.float64]]
    predicted: NDArray[np.uint8]
    probabilities: dict[str, NDArray[np.float32]]
    weights: list[NDArray[np.float32]]
    softening: float


@functools.cache
def single_thread() -> None:
    """Give TensorFlow one thread and deterministic operations in this process; must come before its first use.

    Runs go side by side in processes of one thread each, which is faster than one run on several threads, and makes
    the result independent of the machine's load.
    """
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()


class Engine:
    """A network with its optimiser, compiled once and used for run after run."""

    def __init__(self, network: NetworkSettings, training: TrainingSettings, size: int, n_classes: int) -> None:
        self.model = build_network(network, size, n_classes)
        self.settings = training
        self.loss = loss_function(training.loss, n_classes)
        self.variables = [variable.value for variable in self.model.trainable_variables]
        slots = 2 if training.optimiser == "adam" else 1
        self.slots = [[tf.Variable(tf.zeros_like(v)) for v in self.variables] for _ in range(slots)]
        self.powers = [tf.Variable(1.0), tf.Variable(1.0)]
        stamps = tf.TensorSpec([None, size, size, 1], tf.float32)
        numbers = tf.TensorSpec([None], tf.int32)
        self.train_epoch = tf.function(self._train_epoch, input_signature=[stamps, numbers, numbers])
        self.forward = tf.function(self._forward, input_signature=[stamps])

    def reset(self, chance: np.random.Generator) -> None:
        """Start afresh: new weights, an optimiser without memory."""
        initialise(self.model, chance)
        for slot in self.slots:
            for variable in slot:
                variable.assign(tf.zeros_like(variable))
        self.powers[0].assign(BETA_1)
        self.powers[1].assign(BETA_2)

    def _update(self, gradients: list[Any]) -> None:
        rate = self.settings.learning_rate
        if self.settings.optimiser == "sgd":
            for variable, velocity, gradient in zip(self.variables, self.slots[0], gradients, strict=True):
                tf.raw_ops.ResourceApplyKerasMomentum(
                    var=variable.handle, accum=velocity.handle, lr=rate, grad=gradient, momentum=MOMENTUM
                )
            return
        for variable, first, second, gradient in zip(self.variables, *self.slots, gradients, strict=True):
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=first.handle,
                v=second.handle,
                beta1_power=self.powers[0],
                beta2_power=self.powers[1],
                lr=rate,
                beta1=BETA_1,
                beta2=BETA_2,
                epsilon=EPSILON,
                grad=gradient,
            )
        self.powers[0].assign(self.powers[0] * BETA_1)
        self.powers[1].assign(self.powers[1] * BETA_2)

    def _train_epoch(self, images: Any, labels: Any, order: Any) -> tuple[Any, Any]:
        count = tf.size(order)
        loss_sum, correct = tf.constant(0.0), tf.constant(0)
        for start in tf.range(0, count, self.settings.batch_size):
            batch = order[start : start + self.settings.batch_size]
            x, y = tf.gather(images, batch), tf.gather(labels, batch)
            with tf.GradientTape() as tape:
                logits = self.model(x, training=True)
                losses = self.loss(y, logits)
                mean = tf.reduce_mean(losses)
            self._update(tape.gradient(mean, self.variables))
            loss_sum += tf.reduce_sum(losses)
            correct += tf.math.count_nonzero(tf.argmax(logits, axis=-1, output_type=tf.int32) == y, dtype=tf.int32)
        return loss_sum / tf.cast(count, tf.float32), correct / count

    def _forward(self, images: Any) -> Any:
        return self.model(images, training=False)

    def logits(self, images: Any) -> Any:
        """Return the logits (n, K) of scaled images (n, size, size, 1)."""
        pieces = [
            self.forward(images[start : start + EVALUATION_BATCH]) for start in range(0, len(images), EVALUATION_BATCH)
        ]
        return tf.concat(pieces, axis=0)


@functools.lru_cache(maxsize=1)
def engine(network: NetworkSettings, training: TrainingSettings, size: int, n_classes: int) -> Engine:
    """Return the engine of these settings; compiling one takes seconds, and a worker's next run has the same."""
    return Engine(network, training, size, n_classes)


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

    Raises
    ------
    GalmorphError
        If the loss stops being a number, with its epoch.
    """
    single_thread()
    machine = engine(network, training, train.images.shape[-1], n_classes)
    machine.reset(chance)
    s = softening(train.images, training.scaling)

    def prepared(images: Images) -> Any:
        return tf.constant(scaled(images, training.scaling, s))

    train_images, train_labels = prepared(train.images), tf.constant(train.labels, tf.int32)
    test_images, test_labels = prepared(test.images), tf.constant(test.labels, tf.int32)
    history = {name: np.empty(epochs) for name in HISTORY}
    predicted = np.empty((epochs, len(test.labels)), np.uint8)
    for epoch in range(epochs):
        order = tf.constant(chance.permutation(len(train.labels)), tf.int32)
        loss, accuracy = machine.train_epoch(train_images, train_labels, order)
        logits = machine.logits(test_images)
        predicted[epoch] = np.argmax(logits, axis=-1)
        test_loss = tf.reduce_mean(machine.loss(test_labels, logits))
        row = (loss, accuracy, test_loss, np.mean(predicted[epoch] == test.labels))
        for name, value in zip(HISTORY, row, strict=True):
            history[name][epoch] = float(value)
        if not np.isfinite(history["train_loss"][epoch]):
            raise GalmorphError(
                f"the training loss is {history['train_loss'][epoch]} in epoch {epoch + 1}: lower "
                f"training.learning_rate (it is {training.learning_rate}) or change training.scaling"
            )
    probabilities = {
        name: tf.nn.softmax(machine.logits(prepared(images))).numpy() for name, images in evaluation.items()
    }
    return Outcome(history, predicted, probabilities, machine.model.get_weights(), s)
