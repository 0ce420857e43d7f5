from __future__ import annotations

import numpy as np
import pytest

from galmorph.errors import GalmorphError
from galmorph.training.engine import compiled_engine, prepare_device
from galmorph.training.predict import Predictor
from tests.support.parameters import SMALL_NETWORK, settings_with


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    prepare_device()
    settings = settings_with({"network": SMALL_NETWORK, "training.scaling": "linear"})
    return Predictor(compiled_engine(settings.network, settings.training, 16, 2), 1.0)


@pytest.fixture
def stamps() -> np.ndarray:
    return np.random.default_rng(1).normal(0, 1, (3, 16, 16)).astype(np.float32)


def test_probabilities_add_up_to_one(predictor, stamps):
    predictor.engine.reset(np.random.default_rng(2))
    np.testing.assert_allclose(predictor.probabilities(stamps).sum(axis=1), 1, rtol=1e-6)


@pytest.mark.fault
def test_an_output_that_is_not_finite_is_refused(predictor, stamps):
    predictor.engine.reset(np.random.default_rng(2))
    weights = predictor.engine.model.get_weights()
    predictor.engine.model.set_weights([*weights[:-1], np.full_like(weights[-1], np.nan)])
    with pytest.raises(GalmorphError, match=r"output for 3 of 3 stamps is not finite: .*dvc checkout restores"):
        predictor.probabilities(stamps)
