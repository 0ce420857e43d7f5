from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import pytest

from galmorph.report.resolution.results import Level, ResolutionResults
from galmorph.report.resolution.scores import loss
from galmorph.report.resolution.tables import remedies
from galmorph.scores.statistics import corrected_interval

MakeResolution = Callable[..., ResolutionResults]


def matrices(rights: list[int]) -> np.ndarray:
    return np.array([[[right, 10 - right], [5, 5]] for right in rights], np.int64)


def test_each_remedy_stands_beside_its_own_target(make_resolution: MakeResolution) -> None:
    made = make_resolution(levels=2, runs=2, ablations=False, mixed=False)
    elsewhere = Level("elsewhere", 1.0, 0.4, math.nan, "survey")
    tuned = Level("tuned", math.nan, math.nan, math.nan, "remedy", "elsewhere")
    confusion = dict(made.confusion)
    for trained, rights in (("native", [2, 4]), ("blurred", [3, 3]), ("elsewhere", [9, 9]), ("tuned", [7, 8])):
        confusion[trained, "elsewhere"] = matrices(rights)
    for tested in ("native", "blurred"):
        confusion["elsewhere", tested] = confusion["tuned", tested] = matrices([5, 5])
    results = dataclasses.replace(
        made,
        levels=(*made.levels, elsewhere, tuned),
        confusion=confusion,
        epochs=dict(made.epochs) | {"elsewhere": 1, "tuned": 1},
        overlap={"native": 0.0, "blurred": 0.0, "elsewhere": 0.2},
        surveys={"elsewhere": 77},
    )
    table = remedies(results)
    assert table[["training", "trained", "tested"]].to_numpy().tolist() == [
        ["as it is", "native", "blurred"],
        ["trained at the target", "blurred", "blurred"],
        ["as it is", "native", "elsewhere"],
        ["trained at the target", "elsewhere", "elsewhere"],
        ["tuned", "tuned", "elsewhere"],
    ]
    gain = table.iloc[-1]
    # Of 20 galaxies 5 more right in the first run, 4 more in the second; the interval has the overlap of that level.
    mean, half = corrected_interval([5 / 20, 4 / 20], 0.2)
    assert (gain["accuracy_gain"], gain["accuracy_half"]) == (pytest.approx(mean), pytest.approx(half))
    assert gain["overlap"] == 0.2
    assert loss(results, "accuracy", made.levels[0], elsewhere) == pytest.approx([7 / 20, 5 / 20])
