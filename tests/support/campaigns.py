"""A small campaign over made stamps, for tests of what trains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from galmorph.splits import split_condition
from galmorph.training.plan import Campaign
from tests.support.parameters import SMALL_NETWORK, settings_with

CHANGES: dict[str, Any] = {
    "network": SMALL_NETWORK,
    "training.batch_size": 16,
    "training.epochs": 2,
    "training.keep_weights": 1,
    "training.class_weight": "balanced",
    "training.augmentation": "flips_and_turns",
    "protocol.runs": 3,
    "protocol.evaluation.natural": 6,
    "protocol.evaluation.balanced": 6,
    "protocol.evaluation.uncertain": 6,
    "conditions.three_class.draw": 40,
    "conditions.two_class.draw": 40,
}


def made_campaign(folder: Path, name: str = "three_class", **changes: Any) -> Campaign:
    """Write stamps and a split into a folder, and return a condition's campaign over them; changes of the protocol."""
    rng = np.random.default_rng(0)
    classes = rng.choice(["spiral", "elliptical", "uncertain"], 150, p=[0.4, 0.3, 0.3])
    images = rng.normal(0, 5, (150, 16, 16)).astype(np.float32)
    images[classes == "spiral", 4:12, 4:12] += 20
    np.save(folder / "images.npy", images)
    galaxies = pd.DataFrame({"objid": np.arange(150), "class": classes})
    settings = settings_with(CHANGES | {f"protocol.{key}": value for key, value in changes.items()})
    split = split_condition(galaxies, name, settings.conditions[name], settings.protocol)
    split.to_parquet(folder / "split.parquet")
    return Campaign(
        name=name,
        condition=settings.conditions[name],
        phase="confirmed",
        epochs=2,
        images=folder / "images.npy",
        split=folder / "split.parquet",
        network=settings.network,
        training=settings.training,
        protocol=settings.protocol,
    )
