"""Many galaxies, read and classified block by block, over processes."""

from __future__ import annotations

import functools
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from galmorph.classify.ensemble import NOT_FINITE, Ensemble, summarise
from galmorph.classify.likeness import measure
from galmorph.classify.targets import Read, Targets
from galmorph.classify.trained import read_ensemble
from galmorph.errors import GalmorphError
from galmorph.parallel.progress import Progress
from galmorph.parallel.workers import spread
from galmorph.stamps.stampset import Reject
from galmorph.training.plan import TRAINING_CODE

BLOCK = 256  # galaxies
CODE = ("classify", "sdss", "stamps", *TRAINING_CODE)
FEW = 4  # blocks that are done before the processes of the others would have started

WRONG_SCALE, FLAT = "wrong pixel scale", "all pixels the same"


@dataclass(frozen=True)
class Block:
    """The results of a block of galaxies.

    Attributes
    ----------
    classified
        row, frame, x, y, pixel_scale, sky and noise of each galaxy that was classified.
    probabilities
        (networks, n, K) float32; (0, 0, 0) where none was classified.
    rejected
        row, frame and reason of the others.
    measured
        What `likeness.measure` finds in the stamps that were classified.
    """

    classified: list[dict[str, object]]
    probabilities: NDArray[np.float32]
    rejected: list[dict[str, object]]
    measured: dict[str, NDArray[np.float64]]


def classify_targets(
    targets: Targets, ensemble: Ensemble, project: Path
) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Classify all galaxies; the same numbers for any number of processes, because blocks are always the same.

    Parameters
    ----------
    targets
        The galaxies.
    ensemble
        The networks, as `load_ensemble` loads them from `project`.
    project
        The folder from which the workers load them.

    Returns
    -------
    galaxies
        name, ra, dec, class (empty where unknown), frame, x, y, pixel_scale, sky, noise, then the columns of
        `summarise` and doubts (see `Ensemble.classify`); in the order of the targets, whose row is the index.
    rejected
        name, frame, reason.
    warnings
        Signs that the stamps are not like those of the training.

    Raises
    ------
    GalmorphError
        If no galaxy is left to be classified.
    """
    parts = [targets.table[start : start + BLOCK] for start in range(0, len(targets.table), BLOCK)]
    blocks = []
    if len(parts) <= FEW:
        with Progress(len(parts), len(parts), "classify", "block") as progress:
            for number, part in enumerate(parts):
                blocks.append(_classify(part, targets.read, ensemble))
                progress.step(number, 1)
    else:
        jobs = [(part, targets.read, ensemble.name, project.resolve(), ensemble.digest) for part in parts]
        found = dict(spread(classify_block, jobs, label="classify", unit="block", code=CODE))
        blocks = [found[number] for number in range(len(parts))]
    rejected = pd.DataFrame(
        [row for block in blocks for row in block.rejected], columns=["row", "frame", "reason"]
    ).set_index("row")
    rejected = rejected.sort_index()
    rejected.insert(0, "name", targets.table["name"].reindex(rejected.index))
    used = [block for block in blocks if block.classified]
    if not used:
        # Of a reason with numbers, those of the first galaxy.
        detail = next((f" ({reason})" for reason in rejected["reason"] if ":" in reason), "")
        raise GalmorphError(
            f"{targets.source}: none can be classified: {count_reasons(rejected)}{detail}; {targets.hint}"
        )
    classified = pd.DataFrame([row for block in used for row in block.classified]).set_index("row")
    probabilities = np.concatenate([block.probabilities for block in used], axis=1)
    predicted = summarise(probabilities, ensemble.classes).set_index(classified.index)
    measured = {name: np.concatenate([block.measured[name] for block in used]) for name in used[0].measured}
    doubts = ensemble.doubts(measured, classified["frame"].tolist()).set_axis(classified.index)
    known = targets.table.loc[classified.index, ["name", "ra", "dec", "class"]]
    galaxies = known.join(classified).join(predicted).assign(doubts=doubts)
    return galaxies, rejected, ensemble.warnings(galaxies, measured)


def classify_block(requests: pd.DataFrame, read: Read, name: str, project: Path, digest: str) -> Block:
    """Read and classify some galaxies in a worker, which loads the networks once."""
    return _classify(requests, read, _load(name, project, digest))


@functools.lru_cache(maxsize=1)
def _load(name: str, project: Path, digest: str) -> Ensemble:
    """Load the networks, again only where their digest has changed: the workers of a cluster live long."""
    ensemble = read_ensemble(name, project)
    if ensemble.digest != digest:
        raise GalmorphError(f"{project}: the networks of {name} changed while they were used; repeat the command")
    return ensemble


def _classify(requests: pd.DataFrame, read: Read, ensemble: Ensemble) -> Block:
    classified: list[dict[str, object]] = []
    rejected: list[dict[str, object]] = []
    images = []
    for result in read(requests):
        reason = None
        if isinstance(result, Reject):
            reason = result.reason
        elif np.ptp(result.image) == 0:
            reason = FLAT
        elif wrong := ensemble.wrong_scale(result.pixel_scale):
            reason = f"{WRONG_SCALE}: {wrong}"
        else:
            images.append(result.image)
            columns = ("row", "frame", "x", "y", "pixel_scale", "sky", "noise")
            classified.append({name: getattr(result, name) for name in columns})
        if reason is not None:
            rejected.append({"row": result.row, "frame": result.frame, "reason": reason})
    if not images:
        return Block([], np.empty((0, 0, 0), np.float32), rejected, {})
    stamps = np.stack(images)
    probabilities = ensemble.probabilities(stamps)
    finite: NDArray[np.bool_] = np.asarray(np.isfinite(probabilities).all(axis=(0, 2)))
    broken = [galaxy for galaxy, usable in zip(classified, finite, strict=True) if not usable]
    reason = f"{NOT_FINITE}: the pixels are too bright for the scaling of the training"
    rejected += [{"row": galaxy["row"], "frame": galaxy["frame"], "reason": reason} for galaxy in broken]
    classified = [galaxy for galaxy, usable in zip(classified, finite, strict=True) if usable]
    return Block(classified, probabilities[:, finite], rejected, measure(stamps[finite]))


def count_reasons(rejected: pd.DataFrame) -> str:
    """Return how many galaxies were rejected for which kind of reason."""
    kinds = Counter(reason.split(":")[0] for reason in rejected["reason"])
    return ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items(), key=lambda item: (-item[1], item[0])))
