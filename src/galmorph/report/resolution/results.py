"""What the chapter is computed from: confusion matrices of networks trained at one resolution and tested at another.

The runs of the resolution study, asked of MLflow as those of the conditions are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from galmorph.errors import GalmorphError
from galmorph.report.study import phase_runs, stored_curves
from galmorph.resolution.kernels import rebinned_width
from galmorph.scores.statistics import mean_overlap
from galmorph.settings.resolution import LevelSettings, ResolutionSettings
from galmorph.tracking.content import confusion_name
from galmorph.tracking.store import Store
from galmorph.training.plan import ORACLE
from galmorph.training.records import ConditionRecords, Evaluation

LEVEL, SURVEY, ABLATION, REMEDY = "level", "survey", "ablation", "remedy"


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
        DN a pixel; NaN where it is as it comes.
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
        As `galmorph.report.resolution.results.loss_by_size` gives it.
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
        As `galmorph.eligible.resolution_sample` gives them; the sample with its column half_light_radius, arcsec.
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


PARTS = 4
COLUMNS = ["trained", "tested", "part", "ratio", "galaxies", "loss_mean", "loss_std"]


def right(evaluation: Evaluation) -> NDArray[np.bool_]:
    """Return for each galaxy of a set whether it was classified right, (n,)."""
    answers: NDArray[np.bool_] = np.argmax(evaluation.probabilities, axis=1) == evaluation.truth
    return answers


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
