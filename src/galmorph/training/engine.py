"""What `keras.Model.fit` computes, computed faster: all that is not plain Keras.

The network and its weights are those of `network.build_network`, and one epoch here is one epoch of `fit` with
`keras.optimizers.Adam` (or SGD), up to rounding. What differs is how:

- A whole epoch is one call into TensorFlow.
- The optimiser's update is one pass over the weights, where Keras's makes one for each arithmetic operation.
- The bias is added, and ReLU taken, after the pooling: max(x) + b = max(x + b), and both commute with the maximum;
  a quarter of the values is left by then.
- Pixels that reach no output are not computed. With valid padding, whatever a pooling leaves over at the lower and
  right edge is lost, and so is all that leads there: of 64 x 64 pixels the thesis's network sees 58 x 58.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from galmorph.settings.study import NetworkSettings, TrainingSettings
from galmorph.training.backend import keras, tf
from galmorph.training.network import build_network, initialise, loss_function

# keras.optimizers.Adam's defaults; the momentum is the usual one.
BETA_1, BETA_2, EPSILON, MOMENTUM = 0.9, 0.999, 1e-7, 0.9
EVALUATION_BATCH = 128


@functools.cache
def prepare_device() -> None:
    """Give TensorFlow one thread, deterministic operations and a share of the GPU; must come before its first use.

    Runs go side by side in processes of one thread each, which is faster than one run on several threads, and makes
    the result independent of the machine's load. On a GPU each process takes the memory that it needs, not all.
    """
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)


def seen_side(settings: NetworkSettings, size: int) -> int:
    """Return how many pixels along a side of a stamp of `size` reach the network's output, counted from 0."""
    if settings.padding == "same":
        return size
    side = size
    for kernel in settings.kernels:
        side = (side - kernel + 1) // 2
    for kernel in reversed(settings.kernels):
        side = 2 * side + kernel - 1
    return side


class Engine:
    """A network with its optimiser, compiled once and used for run after run.

    Attributes
    ----------
    model
        The Keras model that holds the weights.
    side
        Side in pixels of the images that `train_epoch` and `logits` take: the front `side` x `side` of each stamp.
    """

    def __init__(self, network: NetworkSettings, training: TrainingSettings, size: int, n_classes: int) -> None:
        self.model = build_network(network, size, n_classes, training.precision)
        self.side = seen_side(network, size)
        self.settings = training
        self.loss = loss_function(training.loss, n_classes)
        self.variables = [variable.value for variable in self.model.trainable_variables]
        slots = 2 if training.optimiser == "adam" else 1
        self.slots = [[tf.Variable(tf.zeros_like(v)) for v in self.variables] for _ in range(slots)]
        self.powers = [tf.Variable(1.0), tf.Variable(1.0)]
        self.class_weights = tf.Variable(tf.ones(n_classes))  # of training.class_weight balanced
        stamps = tf.TensorSpec([None, self.side, self.side, 1], tf.float32)
        numbers = tf.TensorSpec([None], tf.int32)
        self.train_epoch = tf.function(self._train_epoch, input_signature=[stamps, numbers, numbers])
        self.forward = tf.function(self._forward, input_signature=[stamps])

    def reset(self, rng: np.random.Generator) -> None:
        """Start afresh: new weights, an optimiser without memory."""
        initialise(self.model, rng)
        for slot in self.slots:
            for variable in slot:
                variable.assign(tf.zeros_like(variable))
        self.powers[0].assign(BETA_1)
        self.powers[1].assign(BETA_2)

    def _forward(self, images: Any, training: bool = False) -> Any:
        x = images
        for layer in self.model.layers[1:]:
            if isinstance(layer, keras.layers.Conv2D):
                kernel, bias = (tf.cast(v.value, layer.compute_dtype) for v in (layer.kernel, layer.bias))
                x = tf.nn.conv2d(tf.cast(x, layer.compute_dtype), kernel, 1, layer.padding.upper())
                x = tf.nn.relu(tf.nn.bias_add(tf.nn.max_pool2d(x, 2, 2, "VALID"), bias))
            elif not isinstance(layer, keras.layers.MaxPooling2D):
                x = layer(x, training=training)
        return x

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
                logits = self._forward(x, training=True)
                losses = self.loss(y, logits)
                if self.settings.class_weight == "balanced":
                    losses = losses * tf.gather(self.class_weights, y)
                mean = tf.reduce_mean(losses)
            self._update(tape.gradient(mean, self.variables))
            loss_sum += tf.reduce_sum(losses)
            correct += tf.math.count_nonzero(tf.argmax(logits, axis=-1, output_type=tf.int32) == y, dtype=tf.int32)
        return loss_sum / tf.cast(count, tf.float32), correct / count

    def logits(self, images: Any) -> Any:
        """Return the logits (n, K) float32 of scaled images (n, side, side, 1) float32."""
        pieces = [
            self.forward(images[start : start + EVALUATION_BATCH]) for start in range(0, len(images), EVALUATION_BATCH)
        ]
        return tf.concat(pieces, axis=0)


@functools.lru_cache(maxsize=1)
def compiled_engine(network: NetworkSettings, training: TrainingSettings, size: int, n_classes: int) -> Engine:
    """Return the engine of these settings; compiling one takes seconds, and a worker's next run has the same."""
    return Engine(network, training, size, n_classes)
