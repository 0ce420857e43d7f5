"""The runs of the resolution study, asked of MLflow as those of the conditions are."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from galmorph.content import ConditionRecords, confusion_name
from galmorph.kernels import rebinned_width
from galmorph.levels import LevelSettings, ResolutionSettings
from galmorph.plan import ORACLE
from galmorph.report.queries import phase_runs
from galmorph.report.resolution.results import ABLATION, LEVEL, REMEDY, SURVEY, Level, ResolutionResults
from galmorph.report.resolution.sizes import loss_by_size
from galmorph.statistics import mean_overlap
from galmorph.tracking import Store


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
                curves = [store.history(run, f"{tested}/test_accuracy") for run in watched]
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
