"""The protocol's seeds, and its rule for the selected epoch.

Every random choice of the study is drawn from a generator that depends on the protocol's seed, the phase, the run and
a purpose, and on nothing else, so that any run can be repeated alone. The galaxies of a run are drawn by one
permutation of each class for all conditions, so that conditions share what they can. The purpose of a network's
initial weights and of the order of its training galaxies includes the condition's draw, so that conditions which draw
differently are independent, and one that is merely renamed gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from galmorph.settings.fields import ClassName

PHASES: tuple[str, ...] = ("selected", "confirmed")
# The classes of the common evaluation sets, and of the resolution study.
EVALUATION_CLASSES: tuple[ClassName, ...] = ("spiral", "elliptical")
COMMON_SETS = ("common_natural", "common_balanced")
# The common set of uncertain galaxies, for networks that do not know that class.
UNCERTAIN_SET = "common_uncertain"


def generator(seed: int, phase: str, run: int, purpose: str) -> np.random.Generator:
    """Return the generator of one purpose in one run.

    Parameters
    ----------
    seed
        protocol.seed of params.yaml.
    phase
        "selected" or "confirmed".
    run
        From 1.
    purpose
        What is drawn: "order of spiral", or from `network_purpose`.
    """
    digest = hashlib.sha256(purpose.encode()).digest()
    return np.random.default_rng([seed, PHASES.index(phase), run, int.from_bytes(digest[:8], "big")])


def network_purpose(draw: Mapping[str, Any]) -> str:
    """Return the purpose of the generator that initialises and trains a network.

    Parameters
    ----------
    draw
        A condition's block of params.yaml: classes, drawn_among, mix, draw.
    """
    return f"network of {json.dumps(draw, sort_keys=True)}"


def selected_epoch(accuracy: ArrayLike) -> int:
    """Return the epoch of the highest mean accuracy, from 1; the earliest of several.

    Parameters
    ----------
    accuracy
        (runs, epochs), of the validation parts, or else of the test parts.

    Examples
    --------
    >>> selected_epoch([[0.6, 0.9, 0.7], [0.6, 0.7, 0.9]])
    2
    """
    mean = np.asarray(accuracy, dtype=np.float64).mean(axis=0)
    # Equal means may differ in their last bit, which must not decide between early and late.
    return int(np.argmax(mean.round(10))) + 1
