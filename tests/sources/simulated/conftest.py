from __future__ import annotations

import numpy as np
import pytest

from galmorph.settings.survey import SimulatedSettings
from galmorph.sources.simulated import exposure, frames
from galmorph.sources.simulated.exposure import Exposure


@pytest.fixture(scope="session")
def settings() -> SimulatedSettings:
    return SimulatedSettings(seed=11, galaxies=300, galaxies_per_frame=30, band="r", seeing=1.43, types=None)


@pytest.fixture(scope="session")
def strip(settings: SimulatedSettings) -> list[frames.Observation]:
    return frames.observe(settings, 0)


@pytest.fixture(scope="session")
def conditions() -> Exposure:
    return exposure.draw(1, 1.43, np.random.default_rng(3))[0]
