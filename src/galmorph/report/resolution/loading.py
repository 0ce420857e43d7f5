"""The results of the resolution study, read from MLflow, the records and the data files."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from galmorph.report.resolution.results import (
    BY_SIZE,
    RECALIBRATED,
    Effort,
    Floats,
    Level,
    ResolutionResults,
    mean_std,
)
from galmorph.report.study import phase_runs, stored_curves
from galmorph.resolution.degrade import Telescope, network_noise
from galmorph.resolution.kernels import rebinned_width
from galmorph.scores.evaluation import ConditionRecords, restricted
from galmorph.scores.predictions import Predictions, gather
from galmorph.scores.statistics import corrected_mean, mean_overlap
from galmorph.scores.thresholds import log_odds, prior_matched, ranking_area
from galmorph.settings.resolution import LevelSettings, ResolutionSettings
from galmorph.settings.study import CutoutSettings
from galmorph.stamps.origin import pixel_unit
from galmorph.tracking.content import confusion_name
from galmorph.tracking.store import Store
from galmorph.training.plan import ORACLE
from galmorph.training.protocol import EVALUATION_CLASSES
from galmorph.training.records import Evaluation

PARTS = 4  # of the sample by size


def load_resolution(
    store: Store,
    transfers: Mapping[str, ConditionRecords],
    settings: ResolutionSettings,
    cutouts: CutoutSettings,
    sample: pd.DataFrame,
    left_out: pd.DataFrame,
    surveys: Mapping[str, pd.DataFrame],
    splits: Mapping[str, pd.DataFrame],
) -> ResolutionResults:
    """Collect what the chapter is computed from.

    Parameters
    ----------
    transfers
        By level or remedy, its records, of which the confirmed ones are tested at every level.
    sample, left_out
        As returned by `resolution_sample`; the sample with its columns half_light_radius, arcsec, and frame.
    surveys
        For each level that is another survey, its galaxies.
    splits
        By level, its split: phase, run, class and part are read.

    Raises
    ------
    GalmorphError
        If the store shows anything but the records.
    """
    first = next(iter(transfers.values())).phases["confirmed"]
    classes = first[0].classes
    confusion, oracle = {}, {}
    for trained, transfer in transfers.items():
        confirmed = phase_runs(store, transfer, "confirmed")
        watched = phase_runs(store, transfer, ORACLE) if ORACLE in transfer.phases else []
        for tested in settings.seen:
            cells = [
                [[run.data.metrics[confusion_name(true, guess, tested)] for guess in classes] for true in classes]
                for run, _ in confirmed
            ]
            confusion[trained, tested] = np.array(cells).astype(np.int64)
            if watched:
                name = f"{tested}/test_accuracy"
                curves = [stored_curves(store, run, scored, [name])[name] for run, scored in watched]
                oracle[trained, tested] = pd.DataFrame(curves).sort_index(axis=1).to_numpy()
    levels = declared_levels(settings, cutouts, sample, surveys)
    # Whose galaxies train: those of the level, or of the last that a remedy names.
    training = {
        name: splits[settings.remedies[name].levels[-1] if name in settings.remedies else name] for name in transfers
    }
    auc, answers = rankings(transfers, training, tuple(settings.seen))
    return ResolutionResults(
        levels=levels,
        classes=classes,
        epochs={name: transfer.epoch for name, transfer in transfers.items()},
        runs=settings.runs,
        galaxies=len(sample),
        left_out={str(reason): count for reason, count in left_out["reason"].value_counts().items()},
        confusion=confusion,
        overlap={name: mean_overlap([record.sets[name].rows for record in first]) for name in settings.seen},
        auc=auc,
        answers=answers,
        recalibrated={key[:2]: given.confusion() for key, given in answers.items() if key[2] == RECALIBRATED},
        unit=common_unit(sample["frame"]),
        effort={name: effort(name, transfers, training, settings) for name in transfers},
        surveys={name: len(galaxies) for name, galaxies in surveys.items()},
        oracle=oracle,
        by_size=recall_by_size(transfers, levels, sample["half_light_radius"].to_numpy(dtype=float)),
    )


def common_unit(files: pd.Series[str]) -> str:
    """Return the unit of the pixels of stamps from these files; that of no file in particular where they differ."""
    units = set(files.dropna().astype(str).map(pixel_unit))
    return units.pop() if len(units) == 1 else pixel_unit("")


def declared_levels(
    settings: ResolutionSettings, cutouts: CutoutSettings, sample: pd.DataFrame, surveys: Mapping[str, pd.DataFrame]
) -> tuple[Level, ...]:
    """Return levels, ablations and remedies; what a level leaves as it is are the medians of its galaxies."""

    def seen(name: str, block: LevelSettings) -> Level:
        galaxies = surveys.get(name, sample)
        width, own_scale = (float(galaxies[column].median()) for column in ("psf_fwhm", "pixel_scale"))
        scale = own_scale if block.pixel_scale is None else block.pixel_scale
        rms = correlation = math.nan
        if name not in surveys:
            source = Telescope(width, own_scale, float(galaxies["noise"].median()))
            rms, correlation = network_noise(
                source,
                block,
                kernel=settings.kernel,
                grid=settings.grid,
                size=cutouts.stamp_size,
                common_noise=settings.common_noise,
                count=cutouts.wide_size,
            )
        return Level(
            name,
            # Larger pixels alone widen a point source too.
            rebinned_width(width, own_scale, max(scale, own_scale)) if block.psf_fwhm is None else block.psf_fwhm,
            scale,
            math.nan if block.noise is None else block.noise,
            "ablation" if name in settings.ablations else "survey" if name in surveys else "level",
            network_noise=rms,
            noise_correlation=correlation,
        )

    levels = [seen(name, block) for name, block in settings.seen.items()]
    last = next(level.name for level in reversed(levels) if level.role == "level")
    remedies = [
        Level(name, math.nan, math.nan, math.nan, "remedy", remedy.levels[-1] if remedy.kind == "fine_tuned" else last)
        for name, remedy in settings.remedies.items()
    ]
    return (*levels, *remedies)


def rankings(
    transfers: Mapping[str, ConditionRecords], training: Mapping[str, pd.DataFrame], seen: Sequence[str]
) -> tuple[dict[tuple[str, str], Floats], dict[tuple[str, str, str], Predictions]]:
    """Return how well networks rank galaxies, and what they call them: also at a threshold that needs no label.

    That threshold is that of `galmorph.scores.thresholds.prior_matched`, for the class fractions of the run's own
    training part. MLflow holds no probabilities: they are read from the records that it shows.

    Parameters
    ----------
    training
        By level or remedy, the split that it trains on.
    seen
        The levels tested at.

    Returns
    -------
    auc
        (trained at, tested at) to (runs,).
    answers
        (trained at, tested at, "" or `RECALIBRATED`) to the predictions.
    """
    auc, answers = {}, {}
    for trained, transfer in transfers.items():
        split = training[trained]
        learnt = split[(split["phase"] == "confirmed") & (split["part"] == "train")]
        fractions = (learnt["class"] == EVALUATION_CLASSES[0]).groupby(learnt["run"]).mean()
        for tested in seen:
            records = transfer.phases["confirmed"]
            sets = [restricted(record.sets[tested], record.classes) for record in records]
            odds = [log_odds(one.probabilities) for one in sets]
            auc[trained, tested] = np.array(
                [ranking_area(one.truth == 0, ranked) for one, ranked in zip(sets, odds, strict=True)]
            )
            called = [
                (~prior_matched(ranked, float(fractions[record.run]))).astype(np.int64)
                for record, ranked in zip(records, odds, strict=True)
            ]
            plain = [one.probabilities.argmax(axis=1) for one in sets]
            answers[trained, tested, ""] = gather(EVALUATION_CLASSES, sets, plain)
            answers[trained, tested, RECALIBRATED] = gather(EVALUATION_CLASSES, sets, called)
    return auc, answers


def effort(
    name: str,
    transfers: Mapping[str, ConditionRecords],
    training: Mapping[str, pd.DataFrame],
    settings: ResolutionSettings,
) -> Effort:
    """Return from how many galaxies, and in how many updates, a confirmed run of a level or remedy has learnt."""
    record = transfers[name].phases["confirmed"][0]
    remedy = settings.remedies.get(name)
    if remedy is not None and remedy.kind == "fine_tuned":
        galaxies, before = remedy.galaxies, effort(remedy.levels[0], transfers, training, settings)
    else:
        split = training[name]
        part = (split["phase"] == "confirmed") & (split["run"] == record.run) & (split["part"] == "train")
        galaxies, before = int(part.sum()), None
    return Effort(galaxies, record.epochs * math.ceil(galaxies / record.parameters["training.batch_size"]), before)


def recall_by_size(
    transfers: Mapping[str, ConditionRecords], levels: Sequence[Level], radii: NDArray[np.float64]
) -> pd.DataFrame:
    """Return the recall of each class at each level but the first, by quarters of the sample by size.

    Class by class, because large galaxies and small ones are not of the same mix. MLflow holds no predictions for
    single galaxies: these are read from the records that it shows.

    Parameters
    ----------
    transfers
        By level, its records; the confirmed ones are tested at every level.
    levels
        Of which those of the sample's own galaxies with a FWHM are compared.
    radii
        (n,) half-light radius in arcsec of each galaxy of the resolution sample; a galaxy with NaN is left out.

    Returns
    -------
    pandas.DataFrame
        trained, tested, class, part (1: the largest galaxies), ratio (median of FWHM over half-light radius), galaxies
        (in a run, mean), runs (that have such galaxies); over these runs recall_mean, recall_std (ddof = 1) of networks
        of the first level, matched_mean, matched_std of those trained where they are tested; loss_mean, the second less
        the first, run by run, and loss_half, half of its 95 % interval, corrected for the galaxies that these runs
        share.
    """
    own = [level for level in levels if level.role == "level" and math.isfinite(level.psf_fwhm)]
    if len(own) < 2 or not np.isfinite(radii).any():
        return pd.DataFrame(columns=BY_SIZE)
    first = own[0].name
    edges = np.nanquantile(radii, np.arange(1, PARTS) / PARTS)
    rows: list[tuple[object, ...]] = []
    for level in own[1:]:
        runs = []
        pairs = zip(transfers[first].phases["confirmed"], transfers[level.name].phases["confirmed"], strict=True)
        for here, there in pairs:
            seen, matched = here.sets[level.name], there.sets[level.name]
            size = radii[seen.rows]
            columns = {
                "run": here.run,
                "row": seen.rows,
                "class": np.array(here.classes)[seen.truth],
                "size": size,
                "part": PARTS - np.searchsorted(edges, size, side="right"),
                "seen": _right(seen).astype(float),
                "matched": _right(matched).astype(float),
            }
            runs.append(pd.DataFrame(columns))
        known = pd.concat(runs).dropna(subset="size")
        for (galaxy_class, part), members in known.groupby(["class", "part"]):
            by_run = members.groupby("run")
            recall = by_run[["seen", "matched"]].mean()
            overlap = mean_overlap([tested.to_numpy(np.int64) for _, tested in by_run["row"]])
            lost = corrected_mean(recall["matched"] - recall["seen"], overlap)
            ratio = (level.psf_fwhm / members["size"]).median()
            scores = (*mean_std(recall["seen"].to_numpy()), *mean_std(recall["matched"].to_numpy()))
            counts = (len(members) / len(runs), len(recall))
            rows.append((first, level.name, galaxy_class, part, ratio, *counts, *scores, lost.mean, lost.half_width()))
    return pd.DataFrame(rows, columns=BY_SIZE)


def _right(evaluation: Evaluation) -> NDArray[np.bool_]:
    """Return whether each galaxy of a set was classified right, (n,)."""
    right: NDArray[np.bool_] = np.argmax(evaluation.probabilities, axis=1) == evaluation.truth
    return right
