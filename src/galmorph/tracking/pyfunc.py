"""A kept network as `mlflow.pyfunc.load_model` loads it: from stamps in DN to class probabilities.

MLflow imports this module by name, from the copy of the package in the model, and calls `_load_pyfunc`. Nothing is
pickled: the model is the record and the weights, byte for byte as DVC has them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from galmorph.errors import GalmorphError
from galmorph.settings.fields import Block
from galmorph.settings.study import NetworkSettings, TrainingSettings
from galmorph.training.records import Record, load_record

RECORD, WEIGHTS = "record.npz", "network.weights.h5"  # Keras knows its own format by the name
# Shown to those who find a model in MLflow.
WARNING = (
    "Stamps are not compared with those of the training: give stamps of the same survey, unit and pixel scale, sky "
    "subtracted; galmorph classify compares them."
)
SIDE = "stamp_size"  # the one thing that the record does not say

S = TypeVar("S", bound=Block)


def recorded_settings(kind: type[S], record: Record, name: str) -> S:
    """Return a block of params.yaml as it was when a run was trained.

    Raises
    ------
    pydantic.ValidationError
        If the version of the project that trained the run had other settings.
    """
    start = f"{name}."
    values = {key.removeprefix(start): value for key, value in record.parameters.items() if key.startswith(start)}
    return kind.model_validate_json(json.dumps(values))


class StampClassifier:
    """A trained network with the scaling that belongs to it.

    Parameters
    ----------
    record
        The record of its run.
    weights
        The .weights.h5 file.
    side
        Side of a stamp in pixels.
    """

    def __init__(self, record: Record, weights: Path, side: int) -> None:
        from galmorph.training.engine import Engine
        from galmorph.training.network import load_weights
        from galmorph.training.predict import Predictor

        network = recorded_settings(NetworkSettings, record, "network")
        training = recorded_settings(TrainingSettings, record, "training")
        self.classes = list(record.classes)
        self.side = side
        engine = Engine(network, training, side, len(self.classes))
        engine.model.set_weights(load_weights(weights, record.weights, network, side, len(self.classes)))
        self.predictor = Predictor(engine, record.softening)

    def predict(self, stamps: NDArray[np.float32]) -> pd.DataFrame:
        """Return the class probabilities of stamps.

        Stamps are not compared with those of the training, as `galmorph classify` does: a model holds none of them.
        Stamps of another survey, in other units, with their sky or at another pixel scale get probabilities that mean
        nothing, without a warning.

        Parameters
        ----------
        stamps
            (n, side, side) float32, (y, x), after sky subtraction, in the unit of the training's stamps (DN for SDSS
            frames): as in data/cutouts/images.npy.

        Returns
        -------
        n rows, a float32 column for each class.

        Raises
        ------
        GalmorphError
            If the stamps have another shape, or a pixel is not finite.
        """
        images = np.asarray(stamps, dtype=np.float32)
        if images.ndim != 3 or images.shape[1:] != (self.side, self.side):
            raise GalmorphError(f"stamps of shape {images.shape}: this network takes (n, {self.side}, {self.side})")
        broken = np.flatnonzero(~np.isfinite(images).all(axis=(1, 2)))
        if broken.size:
            raise GalmorphError(
                f"stamp {broken[0]} (from 0) has pixels that are not finite: leave it out, or fill them"
            )
        if not len(images):
            return pd.DataFrame({name: np.empty(0, np.float32) for name in self.classes})
        return pd.DataFrame(self.predictor.probabilities(images), columns=self.classes)


def _load_pyfunc(data_path: str, model_config: Mapping[str, Any]) -> StampClassifier:
    """Load a model that `galmorph.tracking.models.save_model` wrote; MLflow calls this function by name."""
    folder = Path(data_path)
    return StampClassifier(load_record(folder / RECORD), folder / WEIGHTS, int(model_config[SIDE]))
