"""Predict with a network: stamps in DN -> scaled, cropped pixels -> logits -> class probabilities.

Training tests its network here; the resolution study, `galmorph classify` and the models in MLflow use theirs here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from galmorph.errors import GalmorphError
from galmorph.training.backend import tf
from galmorph.training.engine import Engine
from galmorph.training.scaling import Images, scaled


class Predictor:
    """A network with the scaling that belongs to its weights.

    Parameters
    ----------
    engine
        Has the weights.
    softening
        The constant of the scaling, from the training part of the network's run.
    """

    def __init__(self, engine: Engine, softening: float) -> None:
        self.engine = engine
        self.softening = softening

    def prepare(self, images: Images) -> Any:
        """Scale stamps, and crop them to the pixels that reach the output.

        From (n, size, size) float32, DN after sky subtraction, (y, x), to a tensor (n, side, side, 1) float32.
        """
        side = self.engine.side
        return tf.constant(scaled(images, self.engine.settings.scaling, self.softening)[:, :side, :side])

    def logits(self, prepared: Any) -> NDArray[np.float32]:
        """Return the logits (n, K) of what `prepare` returned."""
        return np.array(self.engine.logits(prepared))

    def probabilities(self, images: Images) -> NDArray[np.float32]:
        """Return the class probabilities (n, K) of stamps (n, size, size) in DN.

        Raises
        ------
        GalmorphError
            If the output for a stamp is not finite: of NaN the first class would be the most probable one.
        """
        logits = self.logits(self.prepare(images))
        if (wrong := ~np.isfinite(logits).all(axis=1)).any():
            raise GalmorphError(
                f"the network's output for {np.count_nonzero(wrong)} of {len(images)} stamps is not finite: their "
                "pixels are too bright for its scaling, or its weights are damaged (dvc checkout restores them)"
            )
        return np.array(tf.nn.softmax(logits))
