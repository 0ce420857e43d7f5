"""A campaign: the runs of one phase of one condition, with everything that decides their results."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from galmorph.files.reading import file_md5, source_hash
from galmorph.settings.resolution import LevelSettings, RemedySettings
from galmorph.settings.study import ConditionSettings, NetworkSettings, ProtocolSettings, Settings, TrainingSettings
from galmorph.training.protocol import EVALUATION_CLASSES

# In this phase the runs of the selected phase are trained again, and tested at other levels after every epoch.
ORACLE = "oracle"

# Decides what a run computes and how it is written; the stages that train depend on the same in dvc.yaml.
TRAINING_CODE = ("training", "files/datafiles.py")


# For each level, its images and its split: absolute paths, for the workers.
Levels = Mapping[str, tuple[Path, Path]]


def code_hash() -> str:
    """Return the sha256 of the code that decides a run's result."""
    return source_hash(TRAINING_CODE)


@dataclass(frozen=True)
class Origin:
    """The trained networks from which a campaign continues, each run from that of its number.

    Attributes
    ----------
    folder
        A confirmed phase with the weights of all its runs.
    name, fingerprint
        The condition and the fingerprint in its records.
    galaxies
        Number of galaxies taken from each run's training part.
    """

    folder: Path
    name: str
    fingerprint: str
    galaxies: int


@dataclass(frozen=True)
class Campaign:
    """The runs of one phase of one condition.

    Attributes
    ----------
    name, condition
        The condition and its settings.
    phase
        "selected": every epoch is recorded, to select one. "confirmed": fresh runs up to the selected epoch. "oracle":
        the runs of the selected phase once more, tested at other levels after every epoch.
    epochs
        Completed passes of each run.
    images, split
        data/cutouts/images.npy and data/splits/CONDITION.parquet, or those of a level of the resolution study.
    level
        A level or remedy of the resolution study; None for a condition.
    start
        Trained networks to continue from, instead of initial weights.
    watched
        The levels of the phase "oracle".
    """

    name: str
    condition: ConditionSettings
    phase: str
    epochs: int
    images: Path
    split: Path
    network: NetworkSettings
    training: TrainingSettings
    protocol: ProtocolSettings
    level: LevelSettings | RemedySettings | None = None
    start: Origin | None = None
    watched: Levels = field(default_factory=dict)

    @property
    def drawn_as(self) -> str:
        """The phase whose draws and seeds the runs have."""
        return "selected" if self.phase == ORACLE else self.phase

    @property
    def files(self) -> dict[str, Path]:
        """The data files, by the names that records have for them."""
        return {"images": self.images, "split": self.split} | level_files(self.watched)

    @functools.cached_property
    def data(self) -> dict[str, str]:
        """md5 of the data files, and the fingerprint of the networks to continue from."""
        files = {name: file_md5(path) for name, path in self.files.items()}
        return files if self.start is None else files | {"start": self.start.fingerprint}

    @functools.cached_property
    def parameters(self) -> dict[str, Any]:
        """Settings by dotted name."""
        names = ("condition", "network", "training", "protocol", "level")
        blocks = {name: block.model_dump(mode="json") for name in names if (block := getattr(self, name)) is not None}
        blocks["condition"] = self.condition.drawing  # the blocks that it changes are network and training
        flat = pd.json_normalize(blocks).iloc[0].to_dict()
        # json.loads: numpy's numbers become Python's. A confirmed run stops before training.epochs.
        return json.loads(json.dumps(flat, default=lambda value: value.item())) | {"epochs_trained": self.epochs}

    @functools.cached_property
    def fingerprint(self) -> str:
        """A hash of everything that decides the results: parameters, data, code."""
        return fingerprint_of(self.name, self.phase, self.parameters, self.data)


def fingerprint_of(condition: str, phase: str, parameters: Mapping[str, Any], data: Mapping[str, str]) -> str:
    """Return the fingerprint of a campaign under the code of this package."""
    decisive = {"condition": condition, "phase": phase, "parameters": parameters, "data": data, "code": code_hash()}
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:32]


def level_files(levels: Levels) -> dict[str, Path]:
    """Return the images and splits of levels, by the names that records have for them."""
    return {
        f"tested_{name}{kind}": path
        for name, paths in levels.items()
        for kind, path in zip(("", "_split"), paths, strict=True)
    }


def levels_md5(levels: Levels) -> dict[str, str]:
    """Return the md5 of the images and splits of levels, by the names that records have for them."""
    return {name: file_md5(path) for name, path in level_files(levels).items()}


def transfer_draw(settings: Settings) -> tuple[ConditionSettings, ProtocolSettings]:
    """Return what each run of the resolution study draws, the same at every level, and the protocol with its runs.

    Uncertain galaxies are no part of it.
    """
    resolution = settings.resolution
    evaluation = settings.protocol.evaluation.model_copy(update={"uncertain": None})
    condition = ConditionSettings(
        classes=EVALUATION_CLASSES, drawn_among=EVALUATION_CLASSES, mix=resolution.mix, draw=resolution.draw
    )
    return condition, settings.protocol.model_copy(update={"runs": resolution.runs, "evaluation": evaluation})
