"""The runs of the resolution study, asked of MLflow as those of the conditions are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from galmorph.content import ConditionRecords, confusion_name
from galmorph.levels import LevelSettings, ResolutionSettings
from galmorph.report.queries import phase_runs
from galmorph.report.resolution.results import ABLATION, LEVEL, REMEDY, Level, ResolutionResults
from galmorph.statistics import mean_overlap
from galmorph.tracking import Store


def load_resolution(
    store: Store,
    transfers: Mapping[str, ConditionRecords],
    settings: ResolutionSettings,
    sample: pd.DataFrame,
    left_out: pd.DataFrame,
) -> ResolutionResults:
    """Collect what the chapter is computed from.

    Parameters
    ----------
    transfers
        By level or remedy, its records, of which the confirmed ones are tested at every level.
    sample, left_out
        As `galmorph.eligible.resolution_sample` gives them.

    Raises
    ------
    GalmorphError
        If the store holds anything but exactly one finished run for each record.
    """
    classes = next(iter(transfers.values())).phases["confirmed"][0].classes
    confusion = {}
    for trained, transfer in transfers.items():
        runs = phase_runs(store, transfer, "confirmed")
        for tested in settings.seen:
            cells = [
                [[run.data.metrics[confusion_name(true, guess, tested)] for guess in classes] for true in classes]
                for run in runs
            ]
            confusion[trained, tested] = np.array(cells).astype(np.int64)
    tests = [record.sets["test"].rows for record in next(iter(transfers.values())).phases["confirmed"]]
    return ResolutionResults(
        levels=_levels(settings, sample),
        classes=classes,
        epochs={name: transfer.epoch for name, transfer in transfers.items()},
        runs=settings.runs,
        galaxies=len(sample),
        left_out={str(reason): int(count) for reason, count in left_out["reason"].value_counts().items()},
        confusion=confusion,
        overlap=mean_overlap(tests),
    )


def _levels(settings: ResolutionSettings, sample: pd.DataFrame) -> tuple[Level, ...]:
    own = {name: float(sample[name].median()) for name in ("psf_fwhm", "pixel_scale", "noise")}

    def level(name: str, block: LevelSettings, role: str) -> Level:
        return Level(
            name,
            own["psf_fwhm"] if block.psf_fwhm is None else block.psf_fwhm,
            own["pixel_scale"] if block.pixel_scale is None else block.pixel_scale,
            float("nan") if block.noise is None else block.noise,
            role,
        )

    seen: Sequence[Level] = [level(name, block, LEVEL) for name, block in settings.levels.items()]
    parts = [level(name, block, ABLATION) for name, block in settings.ablations.items()]
    nan = float("nan")
    return (*seen, *parts, *(Level(name, nan, nan, nan, REMEDY) for name in settings.remedies))
