"""Read the records of everything that params.yaml declares, and check that they belong together."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pandas as pd

from galmorph.baselines import BASELINES, baseline_campaign
from galmorph.errors import GalmorphError
from galmorph.files.reading import file_md5
from galmorph.files.texttable import find_columns, read_text_table
from galmorph.scores.evaluation import ConditionRecords
from galmorph.settings.layout import (
    EPOCH,
    IMAGES,
    REPORTED,
    REPORTS,
    SUMMARY,
    baseline_folder,
    level_path,
    level_split,
    mixture_path,
    records_folder,
    split_path,
    transfer_folder,
)
from galmorph.settings.lock import REPORT, declared_stages, require_current
from galmorph.settings.resolution import TRANSFER, recorded_name
from galmorph.settings.study import Settings
from galmorph.training.declared import campaign_of, levels_to_test, read_epoch, require_declared, stage_of
from galmorph.training.plan import ORACLE, level_files
from galmorph.training.protocol import PHASES, selected_epoch
from galmorph.training.records import Record, load_phase, load_run, record_name, weights_name

REPEAT = f"dvc repro --force --single-item {REPORT}"
RESTORE = "restore models with dvc checkout, or run dvc repro"


def read_declared(settings: Settings) -> tuple[list[ConditionRecords], dict[str, ConditionRecords]]:
    """Read the records of the declared conditions, and those of the resolution study by level or remedy.

    Raises
    ------
    GalmorphError
        If they, or what they were made from, are not what params.yaml, data and code make of it now, or if their epoch
        is not the one that the records select and were confirmed at.
    """
    compared = require_current(declared_stages(settings))
    return declared_records(settings, compared), declared_transfers(settings, compared)


def require_report(settings: Settings) -> None:
    """Refuse a report of other parameters, data, code or records than are there now; of each phase one record is read.

    Raises
    ------
    GalmorphError
        With the stage to run.
    """
    compared = require_current([*declared_stages(settings), REPORT])
    if not SUMMARY.exists():
        return  # for the reader of the summary to say
    reported = _reported()
    transfers = (*settings.resolution.levels, *settings.resolution.remedies)
    for trained in (*settings.conditions, *(f"{TRANSFER}/{name}" for name in transfers)):
        for phase, folder in _folders(settings, trained).items():
            if (folder / record_name(1)).exists():
                record = load_run(folder, 1, recorded_name(trained), phase)
                _require_declared(settings, trained, record, folder, compared)
                _require_reported(reported, recorded_name(trained), phase, record)
    for condition in settings.conditions:
        for baseline in BASELINES:
            if (baseline_folder(condition) / baseline / record_name(1)).exists():
                record, *_ = read_baseline(settings, condition, baseline, compared, runs=1)
                _require_reported(reported, condition, baseline, record)


def reported_records(declared: Iterable[ConditionRecords]) -> pd.DataFrame:
    """Return what a report is made from: condition, phase (or baseline), runs and fingerprint of the records."""
    rows = [
        (condition.name, phase, len(records), records[0].fingerprint)
        for condition in declared
        for phase, records in {**condition.phases, **condition.baselines}.items()
    ]
    return pd.DataFrame(rows, columns=["condition", "phase", "runs", "fingerprint"])


def _reported() -> dict[tuple[str, str], str]:
    """Return the fingerprint of the records that the report was made from, by condition and phase."""
    if not REPORTED.exists():
        raise GalmorphError(f"{REPORTED}: no such file, so nothing says what the report was made from; run {REPEAT}")
    table = find_columns(read_text_table(REPORTED), REPORTED, ("condition", "phase", "fingerprint"))
    return dict(zip(zip(table["condition"], table["phase"], strict=True), table["fingerprint"], strict=True))


def _require_reported(reported: Mapping[tuple[str, str], str], name: str, phase: str, record: Record) -> None:
    if reported.get((name, phase)) != record.fingerprint:
        raise GalmorphError(f"{REPORTS}: made from other records of {name}, {phase}, than are there now; run {REPEAT}")


def declared_records(settings: Settings, compared: Collection[str] = ()) -> list[ConditionRecords]:
    """Read the records of every declared condition, in the order of params.yaml."""
    return [
        replace(
            _read(
                settings,
                name,
                read_epoch(records_folder(name, "selected"), settings.training_of(name).epochs),
                {"images": IMAGES, "split": split_path(name)},
                compared,
                _kept_weights(settings, name),
            ),
            baselines={baseline: read_baseline(settings, name, baseline, compared) for baseline in BASELINES},
        )
        for name in settings.conditions
    ]


def read_baseline(
    settings: Settings, condition: str, baseline: str, compared: Collection[str], runs: int | None = None
) -> list[Record]:
    """Read the records of a baseline, and check that they are what params.yaml, data and code make of it."""
    folder = baseline_folder(condition) / baseline
    records = load_phase(folder, runs or settings.protocol.runs, condition, "confirmed")
    campaign = baseline_campaign(settings, condition, baseline)
    require_declared(records[0], campaign, folder, f"baseline@{condition}", compared)
    return records


def declared_transfers(settings: Settings, compared: Collection[str] = ()) -> dict[str, ConditionRecords]:
    """Read the records of the resolution study, by level or remedy; of the confirmed phase those with all tests.

    All their networks are kept for testing: too many, at 23 MB each, to be copied into MLflow.
    """
    resolution = settings.resolution
    found = {}
    for name in (*resolution.levels, *resolution.remedies):
        remedy = resolution.remedies.get(name)
        tuned = remedy is not None and remedy.epochs
        data = {
            "images": level_path(name) if remedy is None else mixture_path(name),
            "split": level_split(name if remedy is None else remedy.levels[-1]),
        }
        found[name] = _read(
            settings,
            f"{TRANSFER}/{name}",
            read_epoch(transfer_folder(name, "selected"), tuned or settings.training.epochs),
            data | {f"tested_{level}": level_path(level) for level in resolution.seen},
            compared,
        )
    _check_tested_levels(found, settings)
    return found


def _kept_weights(settings: Settings, condition: str) -> dict[int, Path]:
    """Return the paths of a condition's kept weights, by run, as far as they and the stamps are there."""
    runs = range(1, min(settings.training_of(condition).keep_weights, settings.protocol.runs) + 1)
    paths = {run: records_folder(condition, "confirmed") / weights_name(run) for run in runs}
    return {run: path for run, path in paths.items() if path.exists() and IMAGES.exists()}


def _read(
    settings: Settings,
    trained: str,
    epoch: int,
    data: Mapping[str, Path],
    compared: Collection[str],
    weights: Mapping[int, Path] = MappingProxyType({}),
) -> ConditionRecords:
    """Read the records of a condition, or of transfer/NAME, from the folders of its phases, and check them."""
    name = recorded_name(trained)
    runs = settings.resolution.runs if trained != name else settings.protocol.runs
    folders, phases = _folders(settings, trained), {}
    for phase, folder in folders.items():
        phases[phase] = load_phase(folder, runs, name, phase)
        _require_declared(settings, trained, phases[phase][0], folder, compared)
    best = selected_epoch([run.deciding_accuracy for run in phases["selected"]]) if "selected" in phases else epoch
    confirmed = {run.epochs for run in phases["confirmed"]}
    if {best} | confirmed != {epoch}:
        raise GalmorphError(
            f"{name}: {EPOCH} says epoch {epoch}, the selected records say {best}, and the confirmed ones have "
            f"{', '.join(map(str, sorted(confirmed)))}; {RESTORE}"
        )
    files = {phase: [folder / record_name(run) for run in range(1, runs + 1)] for phase, folder in folders.items()}
    return ConditionRecords(name, epoch, phases, files, data, weights)


def _folders(settings: Settings, trained: str) -> dict[str, Path]:
    """Return where the records of each phase lie, of a condition or of transfer/NAME."""
    if trained in settings.conditions:
        return {phase: records_folder(trained, phase) for phase in PHASES}
    name = trained.removeprefix(f"{TRANSFER}/")
    remedy = settings.resolution.remedies.get(name)
    # The epochs of fine-tuning are a parameter: no runs select them.
    phases = ["confirmed"] if remedy is not None and remedy.kind == "fine_tuned" else [*PHASES]
    phases += [ORACLE] if name in settings.resolution.oracle else []
    return {phase: transfer_folder(name, "tested" if phase == "confirmed" else phase) for phase in phases}


def _require_declared(
    settings: Settings, trained: str, record: Record, folder: Path, compared: Collection[str]
) -> None:
    # The epoch of the confirmed runs is compared with that of the selected ones instead.
    campaign = campaign_of(settings, trained, record.phase, epochs=record.epochs)
    require_declared(record, campaign, folder, stage_of(settings, trained, record.phase), compared)


def _check_tested_levels(transfers: Mapping[str, ConditionRecords], settings: Settings) -> None:
    """Raise GalmorphError unless all networks were tested at the same stamps of every level: those that lie there."""
    levels = level_files(levels_to_test(settings))
    at_hand = {name: file_md5(path) for name, path in levels.items() if path.exists()}
    first: dict[str, str] = {}
    for name, records in transfers.items():
        data = records.phases["confirmed"][0].data
        tested = {key: md5 for key, md5 in data.items() if key.startswith("tested_")}
        first = first or tested
        if not levels.keys() <= tested.keys() or tested != first | at_hand:
            stage = f"{'remedied' if name in settings.resolution.remedies else 'tested'}@{name}"
            raise GalmorphError(
                f"{transfer_folder(name, 'tested')}: not tested at the stamps of every level, or at other stamps than "
                f"the present ones; run dvc repro --force --single-item {stage}, then dvc repro, or restore models and "
                "data with dvc checkout"
            )
