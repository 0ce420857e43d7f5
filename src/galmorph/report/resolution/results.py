"""What the chapter is computed from: networks trained at one resolution and tested at another, as MLflow holds them.

Levels and what they are called; the confusion matrices of every pair of levels; the scores of each run. A loss is taken
run by run: the score of a run of one kind of network less that of the run of the same number of the other.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from galmorph.errors import GalmorphError
from galmorph.report.accuracy import spread
from galmorph.report.study import phase_runs, stored_curves
from galmorph.resolution.kernels import rebinned_width
from galmorph.scores import metrics
from galmorph.scores.statistics import mean_overlap
from galmorph.settings.resolution import LevelSettings, ResolutionSettings
from galmorph.tracking.content import confusion_name
from galmorph.tracking.store import Store
from galmorph.training.plan import ORACLE
from galmorph.training.records import ConditionRecords, Evaluation

LEVEL, SURVEY, ABLATION, REMEDY = "level", "survey", "ablation", "remedy"
PARTS = 4
COLUMNS = ["trained", "tested", "part", "ratio", "galaxies", "loss_mean", "loss_std"]
# Characters in a line of a level's label in a figure.
_LINE = 11
Floats = NDArray[np.float64]
METRICS: dict[str, Callable[[NDArray[np.int64]], Floats]] = {"accuracy": metrics.accuracy, "tss": metrics.tss}


@dataclass(frozen=True)
class Level:
    """A resolution at which the galaxies of the sample are seen.

    Attributes
    ----------
    name
        As in params.yaml.
    psf_fwhm
        Arcsec; for the native level the sample's median. NaN where there is no single one (a remedy).
    pixel_scale
        Arcsec.
    noise
        DN a pixel; NaN where none is added.
    role
        "level": trained and tested; "survey": likewise, but of other galaxies; "ablation": tested only; "remedy":
        trained only, for what is seen less sharply.
    target
        Of a remedy, the level that it is for.
    """

    name: str
    psf_fwhm: float
    pixel_scale: float
    noise: float
    role: str
    target: str = ""


@dataclass(frozen=True)
class ResolutionResults:
    """The networks of every trained level, tested at every tested one.

    Attributes
    ----------
    levels
        In the order of params.yaml, which is the order of every axis and table.
    classes
        K names, in the order of the matrices.
    epochs
        Trained level to its selected epoch.
    runs
        Networks per trained level.
    galaxies
        Number of galaxies in the resolution sample.
    left_out
        Reason to number of galaxies that are not in it.
    confusion
        (trained at, tested at) to (runs, K, K) int64; rows true, columns predicted.
    overlap
        Tested level to the mean share of a run's test galaxies there that are another run's too.
    surveys
        Level that is another survey to its number of galaxies.
    oracle
        (trained at, tested at) to (runs, epochs), the accuracy after each epoch of the runs that selected it; of the
        trained levels for which there is such a thing.
    by_size
        As returned by `loss_by_size`.
    """

    levels: tuple[Level, ...]
    classes: tuple[str, ...]
    epochs: Mapping[str, int]
    runs: int
    galaxies: int
    left_out: Mapping[str, int]
    confusion: Mapping[tuple[str, str], NDArray[np.int64]]
    overlap: Mapping[str, float]
    surveys: Mapping[str, int] = field(default_factory=dict)
    oracle: Mapping[tuple[str, str], NDArray[np.float64]] = field(default_factory=dict)
    by_size: pd.DataFrame | None = None


def levels_trained(results: ResolutionResults) -> tuple[Level, ...]:
    """Return what networks are trained at: the levels, and other surveys and remedies where there are some."""
    return tuple(level for level in results.levels if level.role in (LEVEL, SURVEY, REMEDY))


def levels_tested(results: ResolutionResults) -> tuple[Level, ...]:
    """Return what networks are tested at: the levels, and other surveys and ablations where there are some."""
    return tuple(level for level in results.levels if level.role in (LEVEL, SURVEY, ABLATION))


def of_role(results: ResolutionResults, role: str) -> tuple[Level, ...]:
    """Return the levels of one role."""
    return tuple(level for level in results.levels if level.role == role)


def ends(results: ResolutionResults) -> tuple[Level, ...]:
    """Return the first and the last level of the sample's own galaxies; one alone if there is but one."""
    levels = of_role(results, LEVEL)
    return levels if len(levels) < 2 else (levels[0], levels[-1])


def spoken(level: Level) -> str:
    """Return a level's name for a reader."""
    return level.name.replace("_", " ")


def fwhm(level: Level) -> str:
    """Return a level's FWHM in arcsec, as in 1.32″; empty where it has none."""
    return f"{level.psf_fwhm:.2f}″" if math.isfinite(level.psf_fwhm) else ""


def in_line(level: Level) -> str:
    """Return a level's name and FWHM in one line."""
    return f"{spoken(level)} ({fwhm(level)})" if fwhm(level) else spoken(level)


def stacked(level: Level) -> str:
    """Return a level's name, broken where it is long, above its FWHM."""
    lines = textwrap.wrap(spoken(level), _LINE, break_long_words=False)
    return "\n".join([*lines, fwhm(level)] if fwhm(level) else lines)


def score(results: ResolutionResults, metric: str, trained: Level, tested: Level) -> Floats:
    """Return accuracy, tss, baseline or "recall_CLASS" of each run."""
    matrices = results.confusion[trained.name, tested.name]
    if metric == "baseline":
        return metrics.baseline(matrices)
    if metric.startswith("recall_"):
        return metrics.recall(matrices)[:, results.classes.index(metric.removeprefix("recall_"))]
    return METRICS[metric](matrices)


def share(results: ResolutionResults, trained: Level, tested: Level, true: str, predicted: str) -> Floats:
    """Return the fraction of one true class that is called another, in each run; NaN where the class is absent."""
    row, column = results.classes.index(true), results.classes.index(predicted)
    matrices = results.confusion[trained.name, tested.name].astype(np.float64)
    members = matrices[:, row].sum(axis=-1)
    return np.divide(matrices[:, row, column], members, out=np.full(len(members), np.nan), where=members > 0)


def loss(results: ResolutionResults, metric: str, trained: Level, tested: Level) -> Floats:
    """Return by how much networks trained where they are tested score higher, run by run.

    NaN for a tested level at which no network is trained.
    """
    if tested.role not in (LEVEL, SURVEY):
        return np.full(results.runs, np.nan)
    return score(results, metric, tested, tested) - score(results, metric, trained, tested)


def mean_std(values: Floats) -> tuple[float, float]:
    """Return mean and standard deviation (ddof = 1) over the runs; NaN where a value is missing or there is none."""
    mean, std, _ = spread(pd.Series(values))
    return mean, std


def ratio(trained: Level, tested: Level) -> float:
    """Return the FWHM tested at over the FWHM trained at; NaN where one of them is missing."""
    known = math.isfinite(trained.psf_fwhm) and math.isfinite(tested.psf_fwhm) and trained.psf_fwhm > 0
    return tested.psf_fwhm / trained.psf_fwhm if known else math.nan


def check(results: ResolutionResults) -> None:
    """Refuse results that lack a pair of levels, a selected epoch or a run.

    Raises
    ------
    GalmorphError
        Naming the level, and what is wrong with it.
    """
    names = [level.name for level in results.levels]
    if repeated := [name for name in names if names.count(name) > 1]:
        raise GalmorphError(f"resolution level {repeated[0]}: declared twice")
    if unknown := [level for level in results.levels if level.role not in (LEVEL, SURVEY, ABLATION, REMEDY)]:
        raise GalmorphError(f"resolution level {unknown[0].name}: unknown role {unknown[0].role!r}")
    if not of_role(results, LEVEL):
        raise GalmorphError("no resolution level is both trained and tested")
    size = len(results.classes)
    for trained in levels_trained(results):
        if trained.name not in results.epochs:
            raise GalmorphError(f"resolution level {trained.name}: it is trained, but it has no selected epoch")
        for tested in levels_tested(results):
            where = f"trained at {trained.name}, tested at {tested.name}"
            matrices = results.confusion.get((trained.name, tested.name))
            if matrices is None:
                raise GalmorphError(f"{where}: no confusion matrices; run dvc repro")
            if matrices.shape != (results.runs, size, size):
                raise GalmorphError(f"{where}: confusion matrices of shape {matrices.shape}, not one per run")
            if not (matrices.sum(axis=(1, 2)) > 0).all():
                raise GalmorphError(f"{where}: a run was tested on no galaxy")


def load_resolution(
    store: Store,
    transfers: Mapping[str, ConditionRecords],
    settings: ResolutionSettings,
    sample: pd.DataFrame,
    left_out: pd.DataFrame,
    surveys: Mapping[str, pd.DataFrame],
) -> ResolutionResults:
    """Collect what the chapter is computed from.

    Parameters
    ----------
    transfers
        By level or remedy, its records, of which the confirmed ones are tested at every level.
    sample, left_out
        As returned by `resolution_sample`; the sample with its column half_light_radius, arcsec.
    surveys
        For each level that is another survey, its galaxies.

    Raises
    ------
    GalmorphError
        If the store holds anything but exactly one finished run for each record.
    """
    classes = next(iter(transfers.values())).phases["confirmed"][0].classes
    confusion, oracle = {}, {}
    for trained, transfer in transfers.items():
        runs = phase_runs(store, transfer, "confirmed")
        for tested in settings.seen:
            cells = [
                [[run.data.metrics[confusion_name(true, guess, tested)] for guess in classes] for true in classes]
                for run in runs
            ]
            confusion[trained, tested] = np.array(cells).astype(np.int64)
        if ORACLE in transfer.phases:
            watched = phase_runs(store, transfer, ORACLE)
            for tested in settings.seen:
                name = f"{tested}/test_accuracy"
                curves = [
                    stored_curves(store, run, record, [name])[name]
                    for run, record in zip(watched, transfer.phases[ORACLE], strict=True)
                ]
                oracle[trained, tested] = pd.DataFrame(curves).sort_index(axis=1).to_numpy()
    levels = _levels(settings, sample, surveys)
    any_records = next(iter(transfers.values())).phases["confirmed"]
    return ResolutionResults(
        levels=levels,
        classes=classes,
        epochs={name: transfer.epoch for name, transfer in transfers.items()},
        runs=settings.runs,
        galaxies=len(sample),
        left_out={str(reason): int(count) for reason, count in left_out["reason"].value_counts().items()},
        confusion=confusion,
        overlap={name: mean_overlap([record.sets[name].rows for record in any_records]) for name in settings.seen},
        surveys={name: len(galaxies) for name, galaxies in surveys.items()},
        oracle=oracle,
        by_size=loss_by_size(transfers, levels, sample["half_light_radius"].to_numpy(dtype=float)),
    )


def loss_by_size(
    transfers: Mapping[str, ConditionRecords], levels: Sequence[Level], radii: NDArray[np.float64]
) -> pd.DataFrame:
    """Return what networks of the first level lose at each other one, by quarters of the sample by size.

    MLflow holds no answers on single galaxies: these are read from the records that it shows.

    Parameters
    ----------
    transfers
        By level, its records; the confirmed ones are tested at every level.
    levels
        Of which those of the sample's own galaxies with a FWHM are compared.
    radii
        (n,) half-light radius in arcsec of each galaxy of the resolution sample; NaN where it could not be measured,
        which leaves the galaxy out here.

    Returns
    -------
    pandas.DataFrame
        trained, tested, part (1: the largest galaxies), ratio (median of FWHM over half-light radius), galaxies (in a
        run, mean), loss_mean, loss_std: accuracy on that quarter of networks trained where they are tested less that
        of networks of the first level, run by run (ddof = 1).
    """
    own = [level for level in levels if level.role == LEVEL and np.isfinite(level.psf_fwhm)]
    if len(own) < 2 or not np.isfinite(radii).any():
        return pd.DataFrame(columns=COLUMNS)
    first = own[0].name
    edges = np.nanquantile(radii, np.arange(1, PARTS) / PARTS)
    rows = []
    for level in own[1:]:
        pieces = []
        pairs = zip(transfers[first].phases["confirmed"], transfers[level.name].phases["confirmed"], strict=True)
        for run, (here, there) in enumerate(pairs, start=1):
            seen, matched = here.sets[level.name], there.sets[level.name]
            size = radii[seen.rows]
            pieces.append(
                pd.DataFrame(
                    {
                        "run": run,
                        "size": size,
                        "part": PARTS - np.searchsorted(edges, size, side="right"),
                        "loss": right(matched).astype(float) - right(seen),
                    }
                )
            )
        answers = pd.concat(pieces).dropna(subset="size")
        for part, members in answers.groupby("part"):
            by_run = members.groupby("run")["loss"].mean()
            median = float((level.psf_fwhm / members["size"]).median())
            spread = float(by_run.std(ddof=1))
            counted = len(members) / len(pieces)
            rows.append((first, level.name, part, median, counted, float(by_run.mean()), spread))
    return pd.DataFrame(rows, columns=COLUMNS)


def right(evaluation: Evaluation) -> NDArray[np.bool_]:
    """Return for each galaxy of a set whether it was classified right, (n,)."""
    answers: NDArray[np.bool_] = np.argmax(evaluation.probabilities, axis=1) == evaluation.truth
    return answers


def _levels(
    settings: ResolutionSettings, sample: pd.DataFrame, surveys: Mapping[str, pd.DataFrame]
) -> tuple[Level, ...]:
    def level(name: str, block: LevelSettings) -> Level:
        galaxies = surveys.get(name, sample)
        width, own_scale = (float(galaxies[column].median()) for column in ("psf_fwhm", "pixel_scale"))
        scale = own_scale if block.pixel_scale is None else block.pixel_scale
        return Level(
            name,
            # Larger pixels alone widen a point source too.
            rebinned_width(width, own_scale, max(scale, own_scale)) if block.psf_fwhm is None else block.psf_fwhm,
            scale,
            math.nan if block.noise is None else block.noise,
            ABLATION if name in settings.ablations else SURVEY if name in surveys else LEVEL,
        )

    seen = [level(name, block) for name, block in settings.seen.items()]
    last = next(one.name for one in reversed(seen) if one.role == LEVEL)
    remedies = [
        Level(name, math.nan, math.nan, math.nan, REMEDY, remedy.levels[-1] if remedy.kind == "fine_tuned" else last)
        for name, remedy in settings.remedies.items()
    ]
    return (*seen, *remedies)
