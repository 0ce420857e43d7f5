"""One galaxy of a study: its stamp and measurements, its votes, and the predictions of the confirmed runs."""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from galmorph.classify.trained import known_models, level_of
from galmorph.errors import GalmorphError
from galmorph.files.datafiles import open_stamps, read_table, table_columns
from galmorph.files.reading import file_md5
from galmorph.files.texttable import find_columns, read_text_table, whole_numbers
from galmorph.sdss.frame_index import TABLE2_NAME
from galmorph.sdss.galaxyzoo import read_table2_blocks
from galmorph.settings.layout import (
    GALAXIES,
    IMAGES,
    MODELS,
    PARAMS,
    RAW,
    REJECTED,
    level_galaxies,
    level_split,
    records_folder,
    split_path,
)
from galmorph.settings.reading import load_settings
from galmorph.settings.resolution import recorded_name
from galmorph.training.declared import campaign_of, changed_since, is_declared
from galmorph.training.records import load_run

VOTES = {
    "p_el": "elliptical",
    "p_cw": "clockwise",
    "p_acw": "anticlockwise",
    "p_edge": "edge-on",
    "p_mg": "merger",
    "p_dk": "don't know",
}


@dataclass(frozen=True)
class ConditionPredictions:
    """The predictions of a condition's confirmed runs that had a galaxy in their test part.

    Attributes
    ----------
    name
        A condition, or transfer/LEVEL.
    classes
        K names.
    runs
        The runs that tested it.
    probabilities
        (runs, K) float32.
    label
        Its class in the split.
    """

    name: str
    classes: tuple[str, ...]
    runs: tuple[int, ...]
    probabilities: NDArray[np.float32]
    label: str

    @property
    def right(self) -> int:
        """How many runs predicted the label."""
        return int((self.probabilities.argmax(axis=1) == self.classes.index(self.label)).sum())

    @property
    def means(self) -> dict[str, float]:
        """The mean probability of each class over the runs."""
        return dict(zip(self.classes, self.probabilities.mean(axis=0, dtype=float).tolist(), strict=True))


@dataclass(frozen=True)
class Dossier:
    """A galaxy.

    Attributes
    ----------
    objid
        Its number.
    facts
        Its row of galaxies.parquet; for a rejected galaxy its row of Table 2, and frame and reason.
    stamp
        (size, size) float32, DN, (y, x); None if it was rejected.
    predictions
        Those of each condition and level that has tested it.
    stale
        What was trained with other parameters, splits or stamps than the present ones: its predictions are of other
        networks or galaxies, or of other pictures of this one.
    """

    objid: int
    facts: dict[Any, Any]
    stamp: NDArray[np.float32] | None
    predictions: tuple[ConditionPredictions, ...] = ()
    stale: tuple[str, ...] = ()

    @property
    def rejected(self) -> str | None:
        """Why it has no stamp; None if it has one."""
        return None if self.stamp is not None else str(self.facts["reason"])

    @property
    def votes(self) -> dict[str, float]:
        """The known shares of its votes, by what was voted for; empty if nobody voted."""
        shares = {words: float(self.facts.get(name, math.nan)) for name, words in VOTES.items()}
        return {words: share for words, share in shares.items() if math.isfinite(share) and self.facts.get("nvote")}


def gather(objid: int, project: Path = Path(".")) -> Dossier:
    """Gather what a study holds on a galaxy.

    Parameters
    ----------
    objid
        As in galaxies.parquet.
    project
        The study's folder.

    Raises
    ------
    GalmorphError
        If there are no stamps yet, no galaxy of this number, or a record is damaged.

    Examples
    --------
    >>> gather(17).facts["frame"]
    'fpC-001729-r3-0083.fit.gz'
    """
    for needed in (GALAXIES, IMAGES, REJECTED):
        if not (project / needed).exists():
            raise GalmorphError(f"{project / needed}: no such file; run dvc repro cutouts, or dvc pull")
    columns = dict.fromkeys(["objid", "class", "frame", *table_columns(project / GALAXIES)])
    galaxies = read_table(project / GALAXIES, list(columns))
    rows = np.flatnonzero((galaxies["objid"] == objid).to_numpy())
    if not rows.size:
        rejected = _read_rejected(project / REJECTED)
        found = rejected[rejected["objid"] == objid]
        if found.empty:
            raise GalmorphError(_unknown(objid, [*galaxies["objid"].tolist(), *rejected["objid"].tolist()]))
        return Dossier(objid, _catalogued(objid, project / RAW / TABLE2_NAME) | found.iloc[0].to_dict(), None)
    row, images = int(rows[0]), open_stamps(project / IMAGES)
    if len(images) != len(galaxies):
        raise GalmorphError(
            f"{project / IMAGES}: {len(images):,} stamps, {GALAXIES.name} has {len(galaxies):,} galaxies; dvc checkout "
            "restores both, dvc repro cutouts makes them anew"
        )
    settings = load_settings(project / PARAMS)
    predictions, stale = [], []
    images_md5 = file_md5(project / IMAGES)
    for name in known_models(project / MODELS):
        folder = project / records_folder(name, "confirmed")
        first = load_run(folder, 1, recorded_name(name), "confirmed")
        level = level_of(name, first)
        if level is not None and (project / level_galaxies(level)).exists():
            continue  # another survey, of other galaxies
        if is_declared(settings, name) and changed_since(
            first, campaign_of(settings, name, "confirmed", epochs=first.epochs, project=project)
        ):
            stale.append(name)
            continue
        split = project / (split_path(name) if level is None else level_split(level))
        found_here = _predictions(objid, name, folder, split, images_md5 if level is None else None)
        if found_here is None:
            stale.append(name)
        elif found_here.runs:
            predictions.append(found_here)
    return Dossier(objid, galaxies.iloc[row].to_dict(), np.array(images[row]), tuple(predictions), tuple(stale))


def _predictions(
    objid: int, name: str, folder: Path, split: Path, images_md5: str | None
) -> ConditionPredictions | None:
    """Return what confirmed runs predict for a galaxy; None if they were trained on other data than the present.

    The split says which runs tested the galaxy, and in which row of the images; only their records are read.
    """
    # The split of a study without levels has no columns of its own.
    if not split.exists() or "part" not in table_columns(split):
        return None
    md5s = {"split": file_md5(split)} | ({} if images_md5 is None else {"images": images_md5})
    tested = read_table(split, filters=[("objid", "==", objid), ("phase", "==", "confirmed"), ("part", "==", "test")])
    label = str(tested["class"].iloc[0]) if len(tested) else ""
    runs, probabilities = tested["run"].tolist(), []
    classes: tuple[str, ...] = ()
    for run, row in zip(runs, tested["row"].tolist(), strict=True):
        record = load_run(folder, run, recorded_name(name), "confirmed")
        if not md5s.items() <= record.data.items():
            return None
        test = record.sets["test"]
        probabilities.append(test.probabilities[test.rows == row][0])
        classes = record.classes
    return ConditionPredictions(name, classes, tuple(runs), np.array(probabilities, np.float32), label)


def _read_rejected(path: Path) -> pd.DataFrame:
    """Read objid, frame and reason of the galaxies without a stamp."""
    table = find_columns(read_text_table(path, may_be_empty=True), path, ("objid", "frame", "reason"))
    return table.assign(objid=whole_numbers(table, "objid", path))


def _unknown(objid: int, known: Sequence[int]) -> str:
    ordered = sorted(known)
    place = bisect.bisect(ordered, objid)
    nearest = ordered[max(place - 1, 0) : place + 1]
    return (
        f"{objid}: no galaxy of this number among the {len(known):,} of the sample; nearest: "
        f"{', '.join(map(str, nearest))} (all of them: objid in {GALAXIES} and {REJECTED})"
    )


def _catalogued(objid: int, table2: Path) -> dict[Any, Any]:
    """Return the row of a galaxy in Table 2; empty where the survey has no such table."""
    for block in read_table2_blocks(table2) if table2.exists() else ():
        if len(found := block[block["objid"] == objid]):
            return found.iloc[0].to_dict()
    return {}
