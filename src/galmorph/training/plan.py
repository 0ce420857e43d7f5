"""What a campaign is: the runs of one phase of one condition, with everything that decides what they leave."""

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
from galmorph.settings.fields import Block
from galmorph.settings.resolution import LevelSettings, RemedySettings, ResolutionSettings
from galmorph.settings.study import ConditionSettings, NetworkSettings, ProtocolSettings, TrainingSettings
from galmorph.training.protocol import EVALUATION_CLASSES

# In this phase the runs of the selected phase are trained again, and tested at other levels after every epoch.
ORACLE = "oracle"

# What decides what a run computes and how it is written; the stages that train depend on the same in dvc.yaml.
TRAINING_CODE = ("training", "files/datafiles.py")


def code_hash() -> str:
    """Return the sha256 of the code that decides a run's result."""
    return source_hash(TRAINING_CODE)


@dataclass(frozen=True)
class Origin:
    """The trained networks from which a campaign starts, run by run, and the number of training galaxies.

    Attributes
    ----------
    folder
        A confirmed phase with the weights of all its runs.
    name
        The condition in its records.
    fingerprint
        The fingerprint of that phase.
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
        the runs of the selected phase once more, watched.
    epochs
        Completed passes of each run.
    images, split
        data/cutouts/images.npy and data/splits/CONDITION.parquet, or those of a level of the resolution study.
    level
        A level or remedy of the resolution study; None for a condition.
    start
        Trained networks to start from, instead of initial weights.
    watched
        For each level at which the runs of the phase "oracle" are tested after every epoch, its images and its split.
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
    watched: Mapping[str, tuple[Path, Path]] = field(default_factory=dict)

    @property
    def drawn_as(self) -> str:
        """The phase whose draws and seeds the runs have."""
        return "selected" if self.phase == ORACLE else self.phase

    @functools.cached_property
    def data(self) -> dict[str, str]:
        """md5 of the data files, and the fingerprint of the networks that are gone on from."""
        files = {"images": file_md5(self.images), "split": file_md5(self.split)}
        for name, (images, split) in self.watched.items():
            files |= {f"tested_{name}": file_md5(images), f"tested_{name}_split": file_md5(split)}
        return files if self.start is None else files | {"start": self.start.fingerprint}

    @functools.cached_property
    def parameters(self) -> dict[str, Any]:
        """Settings by dotted name."""
        blocks: dict[str, Block] = {
            "condition": self.condition,
            "network": self.network,
            "training": self.training,
            "protocol": self.protocol,
        }
        if self.level is not None:
            blocks["level"] = self.level
        tree = {name: block.model_dump(mode="json") for name, block in blocks.items()}
        flat = pd.json_normalize(tree).iloc[0].to_dict()
        # What a run did, beside what was asked for: a confirmed run stops earlier.
        return json.loads(json.dumps(flat, default=lambda value: value.item())) | {"epochs_trained": self.epochs}

    @functools.cached_property
    def fingerprint(self) -> str:
        """A hash of everything that decides the results: parameters, data, code."""
        decisive = {
            "condition": self.name,
            "phase": self.phase,
            "parameters": self.parameters,
            "data": self.data,
            "code": code_hash(),
        }
        return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:32]


def transfer_condition(settings: ResolutionSettings) -> ConditionSettings:
    """Return what each run of the resolution study draws: spirals and ellipticals, the same at every level."""
    return ConditionSettings(
        classes=EVALUATION_CLASSES, drawn_among=EVALUATION_CLASSES, mix=settings.mix, draw=settings.draw
    )


def transfer_protocol(settings: ResolutionSettings, protocol: ProtocolSettings) -> ProtocolSettings:
    """Return the protocol of the resolution study: the study's own, with its own number of runs."""
    return protocol.model_copy(update={"runs": settings.runs})
