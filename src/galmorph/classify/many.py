"""Many galaxies, read and classified block by block, over processes."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from galmorph.classify.ensemble import Ensemble, doubts, summarised
from galmorph.classify.targets import Targets
from galmorph.classify.trained import read_ensemble
from galmorph.errors import GalmorphError
from galmorph.parallel.progress import Progress
from galmorph.parallel.workers import spread
from galmorph.stamps.stampset import Reject, Stamp
from galmorph.training.plan import code_hash

BLOCK = 256  # galaxies
FEW = 4  # blocks that are done before the processes of the others would have started

WRONG_SCALE, FLAT = "wrong pixel scale", "all pixels the same"

Read = Callable[[pd.DataFrame], Iterator[Stamp | Reject]]


@dataclass
class Block:
    """What a block of galaxies gave.

    Attributes
    ----------
    measured
        row, frame, x, y, pixel_scale, sky and noise of each galaxy that was classified.
    probabilities
        (networks, n, K) float32, their answers.
    rejected
        row, frame and reason of the others.
    doubts
        What is odd about the stamps.
    """

    measured: list[dict[str, object]] = field(default_factory=list)
    probabilities: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0, 0), np.float32))
    rejected: list[dict[str, object]] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)


@functools.lru_cache(maxsize=1)
def _loaded(name: str, project: Path, digest: str) -> Ensemble:
    """Load the networks once, and again where they are others by now: workers of a cluster live long."""
    ensemble = read_ensemble(name, project)
    if ensemble.digest != digest:
        raise GalmorphError(f"{project}: the networks of {name} changed while they were used; repeat the command")
    return ensemble


def classify_block(requests: pd.DataFrame, read: Read, name: str, project: Path, digest: str, code: str) -> Block:
    """Read and classify some galaxies; in a worker, which loads the networks once."""
    if code != code_hash():
        raise GalmorphError(
            "the code of a worker differs from this project's; update it to the same commit and restart it"
        )
    return answered(requests, read, _loaded(name, project, digest))


def answered(requests: pd.DataFrame, read: Read, ensemble: Ensemble) -> Block:
    """Read and classify some galaxies."""
    block, images = Block(), []
    for result in read(requests):
        reason = result.reason if isinstance(result, Reject) else ensemble.wrong_scale(result.pixel_scale)
        if isinstance(result, Stamp) and np.ptp(result.image) == 0:
            block.rejected.append({"row": result.row, "frame": result.frame, "reason": FLAT})
        elif isinstance(result, Stamp) and reason is None:
            images.append(result.image)
            kept = {name: getattr(result, name) for name in ("frame", "x", "y", "pixel_scale", "sky", "noise")}
            block.measured.append({"row": result.row} | kept)
        else:
            why = reason if isinstance(result, Reject) else f"{WRONG_SCALE}: {reason}"
            block.rejected.append({"row": result.row, "frame": result.frame, "reason": why})
    if images:
        stamps = np.stack(images)
        block.probabilities = ensemble.probabilities(stamps)
        block.doubts = doubts(stamps, ensemble.training.scaling, ensemble.members[0].softening)
    return block


def classify_targets(
    targets: Targets, ensemble: Ensemble, project: Path
) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Classify all galaxies; the same numbers for any number of processes, because blocks are always the same.

    Parameters
    ----------
    targets
        The galaxies.
    ensemble
        The networks, as `load_ensemble` gives them of `project`.
    project
        From where the workers load them.

    Returns
    -------
    galaxies
        name, ra, dec, class (empty where unknown), frame, x, y, pixel_scale, sky, noise, then the columns of
        `summarised`; in the order of the targets, whose row is the index.
    rejected
        name, frame, reason.
    doubts
        What is odd about the stamps, in sentences.

    Raises
    ------
    GalmorphError
        If no galaxy is left to be classified.
    """
    parts = [targets.table[start : start + BLOCK] for start in range(0, len(targets.table), BLOCK)]
    blocks = _few(parts, targets.read, ensemble) if len(parts) <= FEW else _many(parts, targets.read, ensemble, project)
    rejected = pd.DataFrame(
        [row for block in blocks for row in block.rejected], columns=["row", "frame", "reason"]
    ).set_index("row")
    rejected.insert(0, "name", targets.table["name"].reindex(rejected.index))
    if not any(block.measured for block in blocks):
        # Of a reason with numbers, those of the first galaxy.
        detail = next((f" ({reason})" for reason in rejected["reason"] if ":" in reason), "")
        raise GalmorphError(f"{targets.source}: none can be classified: {counted(rejected)}{detail}; {targets.hint}")
    measured = pd.DataFrame([row for block in blocks for row in block.measured]).set_index("row")
    probabilities = np.concatenate([block.probabilities for block in blocks if block.measured], axis=1)
    answers = summarised(probabilities, ensemble.classes).set_index(measured.index)
    known = targets.table.loc[measured.index, ["name", "ra", "dec", "class"]]
    first = next(block for block in blocks if block.measured)
    return known.join(measured).join(answers), rejected, first.doubts


def _few(parts: list[pd.DataFrame], read: Read, ensemble: Ensemble) -> list[Block]:
    blocks = []
    with Progress(len(parts), len(parts), "classify", "block") as progress:
        for number, part in enumerate(parts):
            blocks.append(answered(part, read, ensemble))
            progress.step(number, 1)
    return blocks


def _many(parts: list[pd.DataFrame], read: Read, ensemble: Ensemble, project: Path) -> list[Block]:
    jobs = [(part, read, ensemble.name, project.resolve(), ensemble.digest, code_hash()) for part in parts]
    found = dict(spread(classify_block, jobs, label="classify", unit="block"))
    return [found[number] for number in range(len(parts))]


def counted(rejected: pd.DataFrame) -> str:
    """Return how many were rejected for which kind of reason."""
    kinds = Counter(reason.split(":")[0] for reason in rejected["reason"])
    return ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items(), key=lambda item: (-item[1], item[0])))
