"""The results of the resolution study, read from MLflow, the records and the data files."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from galmorph.report.resolution.results import BY_SIZE, Level, ResolutionResults
from galmorph.report.study import phase_runs, stored_curves
from galmorph.resolution.kernels import rebinned_width
from galmorph.scores.evaluation import ConditionRecords
from galmorph.scores.statistics import mean_overlap
from galmorph.settings.resolution import LevelSettings, ResolutionSettings
from galmorph.tracking.content import confusion_name
from galmorph.tracking.store import Store
from galmorph.training.plan import ORACLE
from galmorph.training.records import Evaluation

PARTS = 4  # of the sample by size


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
    levels = declared_levels(settings, sample, surveys)
    return ResolutionResults(
        levels=levels,
        classes=classes,
        epochs={name: transfer.epoch for name, transfer in transfers.items()},
        runs=settings.runs,
        galaxies=len(sample),
        left_out={str(reason): count for reason, count in left_out["reason"].value_counts().items()},
        confusion=confusion,
        overlap={name: mean_overlap([record.sets[name].rows for record in first]) for name in settings.seen},
        surveys={name: len(galaxies) for name, galaxies in surveys.items()},
        oracle=oracle,
        by_size=loss_by_size(transfers, levels, sample["half_light_radius"].to_numpy(dtype=float)),
    )


def declared_levels(
    settings: ResolutionSettings, sample: pd.DataFrame, surveys: Mapping[str, pd.DataFrame]
) -> tuple[Level, ...]:
    """Return levels, ablations and remedies; what a level leaves as it is are the medians of its galaxies."""

    def seen(name: str, block: LevelSettings) -> Level:
        galaxies = surveys.get(name, sample)
        width, own_scale = (float(galaxies[column].median()) for column in ("psf_fwhm", "pixel_scale"))
        scale = own_scale if block.pixel_scale is None else block.pixel_scale
        return Level(
            name,
            # Larger pixels alone widen a point source too.
            rebinned_width(width, own_scale, max(scale, own_scale)) if block.psf_fwhm is None else block.psf_fwhm,
            scale,
            math.nan if block.noise is None else block.noise,
            "ablation" if name in settings.ablations else "survey" if name in surveys else "level",
        )

    levels = [seen(name, block) for name, block in settings.seen.items()]
    last = next(level.name for level in reversed(levels) if level.role == "level")
    remedies = [
        Level(name, math.nan, math.nan, math.nan, "remedy", remedy.levels[-1] if remedy.kind == "fine_tuned" else last)
        for name, remedy in settings.remedies.items()
    ]
    return (*levels, *remedies)


def loss_by_size(
    transfers: Mapping[str, ConditionRecords], levels: Sequence[Level], radii: NDArray[np.float64]
) -> pd.DataFrame:
    """Return what networks of the first level lose at each other one, by quarters of the sample by size.

    MLflow holds no predictions for single galaxies: these are read from the records that it shows.

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
        trained, tested, part (1: the largest galaxies), ratio (median of FWHM over half-light radius), galaxies (in a
        run, mean), loss_mean, loss_std: accuracy on that quarter of networks trained where they are tested less that
        of networks of the first level, run by run (ddof = 1).
    """
    own = [level for level in levels if level.role == "level" and math.isfinite(level.psf_fwhm)]
    if len(own) < 2 or not np.isfinite(radii).any():
        return pd.DataFrame(columns=BY_SIZE)
    first = own[0].name
    edges = np.nanquantile(radii, np.arange(1, PARTS) / PARTS)
    rows = []
    for level in own[1:]:
        runs = []
        pairs = zip(transfers[first].phases["confirmed"], transfers[level.name].phases["confirmed"], strict=True)
        for run, (here, there) in enumerate(pairs, start=1):
            seen, matched = here.sets[level.name], there.sets[level.name]
            size = radii[seen.rows]
            part = PARTS - np.searchsorted(edges, size, side="right")
            loss = _right(matched).astype(float) - _right(seen)
            runs.append(pd.DataFrame({"run": run, "size": size, "part": part, "loss": loss}))
        for quarter, members in pd.concat(runs).dropna(subset="size").groupby("part"):
            by_run = members.groupby("run")["loss"].mean()
            ratio = (level.psf_fwhm / members["size"]).median()
            rows.append(
                (first, level.name, quarter, ratio, len(members) / len(runs), by_run.mean(), by_run.std(ddof=1))
            )
    return pd.DataFrame(rows, columns=BY_SIZE)


def _right(evaluation: Evaluation) -> NDArray[np.bool_]:
    """Return whether each galaxy of a set was classified right, (n,)."""
    right: NDArray[np.bool_] = np.argmax(evaluation.probabilities, axis=1) == evaluation.truth
    return right
