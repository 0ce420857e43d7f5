"""Networks of which each pair of levels has an accuracy of its own, so that a transposed table cannot pass."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from galmorph.report.resolution.results import Effort, Level, ResolutionResults

CLASSES = ("spiral", "elliptical")


def _levels(count: int, ablations: bool, mixed: bool) -> tuple[Level, ...]:
    names = ("native", "blurred", "coarse", "coarser", "poor", "poorest")
    levels = [
        Level(name, 1.3 * 1.4**i, 0.396 * 1.2**i, float("nan") if not i else 5.0 + i, "level")
        for i, name in enumerate(names[:count])
    ]
    if ablations:
        last = levels[-1]
        levels.insert(1, Level("blur_only", last.psf_fwhm, 0.396, float("nan"), "ablation", "", 0.31, 0.9))
        levels.append(Level("noise_only", levels[0].psf_fwhm, 0.396, last.noise, "ablation", "", 5.8, 0.0))
    if mixed:
        levels.append(Level("mixed", float("nan"), 0.396, float("nan"), "remedy", names[count - 1]))
    levels[0] = dataclasses.replace(levels[0], network_noise=5.7, noise_correlation=0.0)
    return tuple(levels)


def _matrices(rng: np.random.Generator, runs: int, spirals: int, spiral: float, elliptical: float) -> NDArray[np.int64]:
    right = np.array([[spiral, 1 - spiral], [1 - elliptical, elliptical]])
    counts = [[rng.multinomial(n, row) for n, row in zip((spirals, 900), right, strict=True)] for _ in range(runs)]
    return np.array(counts, dtype=np.int64)


def made_resolution(levels: int = 2, runs: int = 5, ablations: bool = True, mixed: bool = True) -> ResolutionResults:
    """Results of so many levels, from a seed; recall of spirals falls with the distance, faster to the right."""
    rng = np.random.default_rng(3)
    declared = _levels(levels, ablations, mixed)
    empty = ResolutionResults(declared, CLASSES, {}, runs, 12345, {}, {}, {})
    confusion, auc, recalibrated = {}, {}, {}
    for trained in empty.trained:
        for tested in empty.tested:
            i, j = declared.index(trained), declared.index(tested)
            away = max(j - i, 0) * 0.09 + max(i - j, 0) * 0.05
            rates = (max(0.93 - away - 0.02 * j, 0.1), min(0.88 + 0.015 * max(j - i, 0), 1) - 0.04 * max(i - j, 0))
            confusion[trained.name, tested.name] = _matrices(rng, runs, 2400, *rates)
            pair = trained.name, tested.name
            auc[pair] = 0.97 - 0.02 * abs(i - j) + 0.01 * rng.random(runs)
            recalibrated[pair] = _matrices(rng, runs, 2400, 0.92 - 0.03 * abs(i - j), 0.8 - 0.04 * abs(i - j))
    epochs = {level.name: 20 + 3 * i for i, level in enumerate(empty.trained)}
    left_out = {"no PSF": 12, "too near an edge": 1034, "never": 0}
    overlap = {level.name: 0.1 for level in empty.tested}
    effort = {level.name: Effort(700, 22 * epochs[level.name]) for level in empty.trained}
    return ResolutionResults(
        declared,
        CLASSES,
        epochs,
        runs,
        12345,
        left_out,
        confusion,
        overlap,
        auc=auc,
        recalibrated=recalibrated,
        effort=effort,
    )


def watched(results: ResolutionResults) -> ResolutionResults:
    """Return results with the accuracy of two runs after each of three epochs, of networks trained at native."""
    curves = {
        ("native", "native"): np.array([[0.5, 0.8, 0.9], [0.5, 0.8, 0.8]]),
        ("native", "blurred"): np.array([[0.5, 0.7, 0.4], [0.6, 0.6, 0.6]]),
    }
    return dataclasses.replace(results, oracle=curves, epochs={**results.epochs, "native": 3})
