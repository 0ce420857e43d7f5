import dataclasses

import numpy as np
import pytest

from galmorph.errors import GalmorphError
from tests.support.campaigns import CHANGES, made_campaign
from tests.support.parameters import settings_with


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return made_campaign(tmp_path_factory.mktemp("campaign"))


@pytest.mark.parametrize(
    "change",
    [
        {"training.learning_rate": 0.1},
        {"network.dense": [9]},
        {"protocol.seed": 5},
        {"conditions.three_class.draw": 44},
    ],
)
def test_each_setting_is_in_the_fingerprint(made, change):
    settings = settings_with(CHANGES | change)
    other = dataclasses.replace(
        made,
        condition=settings.conditions["three_class"],
        network=settings.network,
        training=settings.training,
        protocol=settings.protocol,
    )
    assert other.fingerprint != made.fingerprint


def test_data_phase_and_epochs_are_in_the_fingerprint(made, tmp_path):
    images = np.load(made.images)
    images[0, 0, 0] += 1
    np.save(tmp_path / "images.npy", images)
    others = [
        dataclasses.replace(made, images=tmp_path / "images.npy"),
        dataclasses.replace(made, phase="selected"),
        dataclasses.replace(made, epochs=3),
        dataclasses.replace(made, name="another"),
    ]
    assert len({made.fingerprint, *(other.fingerprint for other in others)}) == 5


def test_missing_data_is_named(made, tmp_path):
    with pytest.raises(GalmorphError, match=r"gone\.npy: no such file; run dvc repro"):
        _ = dataclasses.replace(made, images=tmp_path / "gone.npy").fingerprint
