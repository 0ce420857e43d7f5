"""How often a 95 % interval of the difference of two equally good conditions holds the truth, 0.

python -m validation.coverage [--repetitions 1000]

In each repetition the two conditions classify different galaxies of a sample right, on average equally many, and 30
runs are drawn from it. Sample and draw are those of the thesis (15,000 and 1,000), of the quick preset (3,000 and 200),
and a sample that is drawn whole (1,000 and 1,000). Then the same for the mean rank correlation with the volunteers'
votes, whose truth is that of all galaxies there could be.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from tabulate import tabulate

from galmorph.scores.predictions import Predictions
from galmorph.scores.statistics import (
    Metric,
    corrected_mean,
    difference_interval,
    naive_half_width,
    score_overlap,
    unpaired_difference,
)
from galmorph.settings.study import ConditionSettings, ProtocolSettings
from galmorph.splits import split_run
from galmorph.training.protocol import generator

RUNS: Final = 30
TRAIN: Final = 0.7
SIZES: Final = ((15_000, 1_000), (3_000, 200), (1_000, 1_000))
# Of the thesis's sample: spirals, ellipticals, uncertain.
SHARES: Final = {"spiral": 0.272, "elliptical": 0.104, "uncertain": 0.624}
# A fifth of the galaxies are right in one of the two conditions only, as often in either.
DIFFERENCES: Final = np.array([-1.0, 1.0] + [0.0] * 8)
INTERVALS: Final = ("naive", "Nadeau-Bengio", "corrected")
# Uncertain galaxies that each run of the thesis preset and of the quick one is shown.
SHOWN: Final = ((15_000, 500), (3_000, 100))
CORRELATION: Final = 0.5  # of the two normal variables that are ranked

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Trial:
    """One repetition.

    Attributes
    ----------
    first, second
        (runs,) scores of the two conditions.
    overlaps
        Overlap of the test parts of each.
    paired
        Whether each run of one is compared with the same run of the other.
    """

    first: Floats
    second: Floats
    overlaps: tuple[float, float]
    paired: bool

    def holds(self) -> dict[str, bool]:
        """Return whether each interval holds 0, the truth."""
        sides = (self.first, self.second)
        # Nadeau & Bengio: the ratio of tested to trained galaxies instead of rho / (1 - rho).
        overlaps = {"Nadeau-Bengio": (1 - TRAIN, 1 - TRAIN), "corrected": self.overlaps}
        if self.paired:
            difference = self.second - self.first
            held = {name: corrected_mean(difference, rho).half_width() for name, (rho, _) in overlaps.items()}
            held["naive"] = naive_half_width(difference)
        else:
            held = {
                name: unpaired_difference(
                    *(corrected_mean(side, rho) for side, rho in zip(sides, rhos, strict=True))
                ).half_width()
                for name, rhos in overlaps.items()
            }
            held["naive"] = naive_half_width(*sides)
        mean = abs(float(self.second.mean() - self.first.mean()))
        return {name: mean <= half for name, half in held.items()}


def paired(sample: int, draw: int, noise: float, repetitions: int) -> Iterator[Trial]:
    """Yield comparisons on the same galaxies, drawn at random from a whole sample.

    `noise` is the standard deviation that training adds to a run's difference, in units of that of the test galaxies.
    """
    rng = np.random.default_rng([sample, draw, round(10 * noise)])
    tested = round((1 - TRAIN) * draw)
    scatter = noise * DIFFERENCES.std() / math.sqrt(tested)
    for _ in range(repetitions):
        difference = rng.choice(DIFFERENCES, sample)
        # The test galaxies of each run, (runs, tested).
        parts = np.tile(np.arange(sample), (RUNS, 1))
        if tested < sample:
            parts = np.argpartition(rng.random(parts.shape, dtype=np.float32), tested, axis=1)[:, :tested]
        values = difference[parts].mean(axis=1) + rng.normal(0, scatter, RUNS)
        # The expected overlap of two parts; counting it in each repetition would change nothing.
        yield Trial(np.zeros(RUNS), values, (tested / sample, 0.0), paired=True)


def ranked(sample: int, shown: int, noise: float, repetitions: int) -> Iterator[Trial]:
    """Yield rank correlations of votes and networks on uncertain galaxies, drawn at random from those of a sample.

    Votes and networks are normal variables. `noise` is the share of what networks add to the votes that each network
    adds on its own; the rest is common to all networks, which err alike on a galaxy.
    """
    rng = np.random.default_rng([sample, shown, round(10 * noise)])
    galaxies = round(SHARES["uncertain"] * sample)
    truth = 6 / math.pi * math.asin(CORRELATION / 2)
    for _ in range(repetitions):
        votes, common = rng.normal(size=(2, galaxies))
        values = []
        for _ in range(RUNS):
            rows = rng.choice(galaxies, shown, replace=False)
            added = math.sqrt(1 - noise) * common[rows] + math.sqrt(noise) * rng.normal(size=shown)
            networks = CORRELATION * votes[rows] + math.sqrt(1 - CORRELATION**2) * added
            values.append(float(stats.spearmanr(votes[rows], networks).statistic) - truth)
        yield Trial(np.zeros(RUNS), np.array(values), (shown / galaxies, 0.0), paired=True)


def protocol_of(sample: int, draw: int) -> tuple[dict[str, Integers], ProtocolSettings]:
    """Return the rows of each class of a sample, and a protocol with common sets as large as a test part."""
    bounds = np.cumsum([0, *(round(share * sample) for share in SHARES.values())])
    rows = {name: np.arange(bounds[i], bounds[i + 1]) for i, name in enumerate(SHARES)}
    size = 2 * round((1 - TRAIN) * draw / 2)
    evaluation = {"natural": size, "balanced": size, "uncertain": size}
    settings = {"seed": 0, "runs": RUNS, "train_fraction": TRAIN, "validation_fraction": None}
    return rows, ProtocolSettings.model_validate(settings | {"evaluation": evaluation})


def condition(mix: str, draw: int) -> ConditionSettings:
    """Return a condition of two classes."""
    two = ("spiral", "elliptical")
    return ConditionSettings.model_validate({"classes": two, "drawn_among": two, "mix": mix, "draw": draw})


def as_drawn(
    sample: int, draw: int, part: str, score: str, repetitions: int
) -> Iterator[tuple[Trial, list[Predictions]]]:
    """Yield comparisons of a natural and a balanced condition as `galmorph.splits` draws them.

    A galaxy that is hard for one condition tends to be hard for the other. `part` is test, the test parts of each
    condition, or the name of a common evaluation set; `score` is accuracy or tss.
    """
    rows, protocol = protocol_of(sample, draw)
    truth = np.repeat([0, 1], [len(rows[name]) for name in ("spiral", "elliptical")])
    for repetition in range(repetitions):
        repeated = protocol.model_copy(update={"seed": repetition})
        rng = np.random.default_rng([sample, draw, repetition])
        hard = rng.random(len(truth))
        # In both conditions 90 % of spirals are right, and 80 % of ellipticals.
        limit = np.array([0.9, 0.8])[truth]
        sides = []
        for mix in ("natural", "balanced"):
            right = np.where(rng.random(len(truth)) < 0.5, hard, rng.random(len(truth))) < limit
            drawn = [
                split_run(rows, mix, condition(mix, draw), repeated, "confirmed", run)[part]
                for run in range(1, RUNS + 1)
            ]
            parts = [np.concatenate(list(by_class.values())) for by_class in drawn]
            galaxy = np.concatenate(parts)
            run = np.repeat(np.arange(RUNS), [len(one) for one in parts])
            predicted = np.where(right[galaxy], truth[galaxy], 1 - truth[galaxy])
            nothing = np.empty((0, 2), np.float32)
            sides.append(Predictions(("spiral", "elliptical"), RUNS, run, galaxy, truth[galaxy], predicted, nothing))
        matrices = [side.confusion().astype(np.float64) for side in sides]
        recalls = [np.diagonal(m, axis1=1, axis2=2) / m.sum(axis=2) for m in matrices]
        if score == "tss":
            first, second = (recall.sum(axis=1) - 1 for recall in recalls)
        else:
            first, second = (np.trace(m, axis1=1, axis2=2) / m.sum(axis=(1, 2)) for m in matrices)
        metric: Metric = "tss" if score == "tss" else "accuracy"
        if part == "test":
            overlaps = (score_overlap(metric, sides[0]), score_overlap(metric, sides[1]))
        else:
            overlaps = (score_overlap(metric, *sides),) * 2
        yield Trial(first, second, overlaps, paired=part != "test"), sides


def held_by_bootstrap(sides: list[Predictions], score: str, repetition: int) -> bool:
    """Return whether the bootstrap over galaxies, of 400 draws, holds 0."""
    rng = generator(repetition, "confirmed", 0, "coverage of the bootstrap")
    low, high = difference_interval(sides[0], sides[1], "tss" if score == "tss" else "accuracy", rng, 400)
    return low <= 0 <= high


def shares(trials: Iterator[Trial]) -> tuple[dict[str, float], float]:
    """Return the share of the trials in which each interval holds the truth, and the mean overlap."""
    done = list(trials)
    held = [trial.holds() for trial in done]
    overlap = float(np.mean([trial.overlaps[0] for trial in done]))
    return {name: float(np.mean([one[name] for one in held])) for name in INTERVALS}, overlap


def tolerance(share: float, repetitions: int) -> float:
    """Return the binomial error of a share of trials that 999 of 1,000 stay within."""
    return float(stats.norm.ppf(0.9995) * math.sqrt(share * (1 - share) / repetitions))


def main() -> None:
    """Read the command line, simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=1000)
    arguments = parser.parse_args()
    head = ["sample / draw", "compared", "overlap", *INTERVALS]
    rows = []
    for noise, label in ((0.0, "run by run"), (1.0, "run by run, training adds as much")):
        for sample, draw in SIZES:
            held, overlap = shares(paired(sample, draw, noise, arguments.repetitions))
            rows.append((f"{sample:,} / {draw:,}", label, overlap, *held.values()))
    print(tabulate(rows, headers=head, tablefmt="github", floatfmt=".3f"))
    print("\nRank correlation with the votes, uncertain galaxies:\n")
    rows = []
    for noise, label in ((0.0, "networks err alike"), (0.5, "half of it on their own")):
        for sample, shown in SHOWN:
            held, overlap = shares(ranked(sample, shown, noise, arguments.repetitions))
            rows.append((f"{sample:,} / {shown:,}", label, overlap, *(held[name] for name in ("naive", "corrected"))))
    print(
        tabulate(rows, headers=["sample / shown", *head[1:3], "naive", "corrected"], tablefmt="github", floatfmt=".3f")
    )
    few = max(arguments.repetitions // 5, 1)
    print(f"\nDrawn by galmorph.splits, natural against balanced draws, {few} repetitions:\n")
    rows = []
    cases: tuple[tuple[str, str], ...] = (("test", "tss"), ("common_natural", "accuracy"), ("common_balanced", "tss"))
    for sample, draw in SIZES[:2]:
        for part, score in cases:
            trials, bootstrap = [], []
            for repetition, (trial, sides) in enumerate(as_drawn(sample, draw, part, score, few)):
                trials.append(trial)
                bootstrap.append(held_by_bootstrap(sides, score, repetition))
            held, overlap = shares(iter(trials))
            label = f"{score}, {'own test parts' if part == 'test' else part}"
            rows.append((f"{sample:,} / {draw:,}", label, overlap, *held.values(), float(np.mean(bootstrap))))
    print(tabulate(rows, headers=[*head, "bootstrap"], tablefmt="github", floatfmt=".3f"))


if __name__ == "__main__":
    main()
