"""A process of a benchmark: prepares a kind of work, prints "ready", and does as much of it as each line of input says.

python -m benchmarks.child KIND PRECISION [ONEDNN]

ONEDNN: TF_ENABLE_ONEDNN_OPTS of plain Keras, which the project unsets on import; without it TensorFlow's default.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

import numpy as np

from benchmarks.work import BATCH, EVALUATION, MATRIX, WARM_UP, made_data, settings

KIND, PRECISION, *ONEDNN = sys.argv[1:]


def plain_keras(precision: str) -> Callable[[int], None]:
    """Return `keras.Model.fit` on all cores, as a user would write it."""
    if ONEDNN:
        os.environ["TF_ENABLE_ONEDNN_OPTS"] = ONEDNN[0]
    # Before the project's own import of it, which sets this variable.
    import keras

    from galmorph.training.network import build_network

    (train, train_labels), (test, test_labels) = made_data()
    model = build_network(settings().network, 64, 2, precision)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(settings().training.learning_rate), loss, metrics=["accuracy"])

    def work(epochs: int) -> None:
        tested = {"validation_data": (test, test_labels), "validation_batch_size": EVALUATION}
        model.fit(train, train_labels, batch_size=BATCH, epochs=epochs, verbose=0, **tested)

    return work


def augmented(precision: str) -> Callable[[int], None]:
    """Return a run of the project with turned stamps and weighted classes."""
    return engine(precision, augmentation="flips_and_turns", class_weight="balanced")


def engine(precision: str, **changes: str) -> Callable[[int], None]:
    """Return a run of the project, on one thread."""
    from galmorph.training.fit import Sample, train

    (images, labels), (test, test_labels) = made_data()
    training = settings().training.model_copy(update={"batch_size": BATCH, "precision": precision} | changes)

    def work(epochs: int) -> None:
        train(
            Sample(images[..., 0], labels),
            Sample(test[..., 0], test_labels),
            {},
            network=settings().network,
            training=training,
            n_classes=2,
            epochs=epochs,
            rng=np.random.default_rng(0),
        )

    return work


def matrix_product(precision: str) -> Callable[[int], None]:
    """Return products of two square matrices, on one thread."""
    from galmorph.training.backend import tf
    from galmorph.training.engine import prepare_device

    prepare_device()
    kind = tf.float32 if precision == "float32" else tf.bfloat16
    a, b = (tf.cast(np.random.default_rng(i).normal(size=(MATRIX, MATRIX)), kind) for i in (1, 2))

    def work(times: int) -> None:
        for _ in range(times):
            c = tf.matmul(a, b)
        c.numpy()

    return work


def main() -> None:
    kinds = (plain_keras, engine, augmented, matrix_product)
    work = {kind.__name__: kind for kind in kinds}[KIND](PRECISION)
    work(WARM_UP)
    print("ready", flush=True)
    for line in sys.stdin:
        started = time.perf_counter()
        work(int(line))
        print(time.perf_counter() - started, flush=True)


if __name__ == "__main__":
    main()
