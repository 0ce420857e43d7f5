"""One galaxy of a study: its stamp and measurements, its votes, and the answers of the confirmed runs."""

from __future__ import annotations

import bisect
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from galmorph.classify.trained import known_models, level_of
from galmorph.errors import GalmorphError
from galmorph.files.datafiles import open_stamps, read_table, table_columns
from galmorph.files.reading import file_md5
from galmorph.files.texttable import read_blocks, require_columns, whole_numbers
from galmorph.sdss.frame_index import TABLE2_NAME
from galmorph.sdss.galaxyzoo import read_table2_blocks
from galmorph.settings.layout import (
    GALAXIES,
    IMAGES,
    MODELS,
    RAW,
    REJECTED,
    level_path,
    level_split,
    records_folder,
    split_path,
)
from galmorph.settings.resolution import recorded_name
from galmorph.training.records import load_run


@dataclass(frozen=True)
class ConditionAnswers:
    """The answers of a condition's confirmed runs that had a galaxy in their test part.

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
        The class that it counts as there.
    """

    name: str
    classes: tuple[str, ...]
    runs: tuple[int, ...]
    probabilities: NDArray[np.float32]
    label: str

    @property
    def right(self) -> int:
        """How many runs answered the label."""
        return int((self.probabilities.argmax(axis=1) == self.classes.index(self.label)).sum())


@dataclass(frozen=True)
class Dossier:
    """A galaxy.

    Attributes
    ----------
    objid
        Its number.
    facts
        Its row of galaxies.parquet; of a rejected galaxy what the catalogue says, and frame and reason.
    stamp
        (size, size) float32, DN, (y, x); None where it was rejected.
    answers
        Of each condition and level that has tested it, or could have.
    stale
        What was trained on other splits or stamps than the present ones: its answers are of other galaxies, or of
        other pictures of this one.
    """

    objid: int
    facts: dict[str, object]
    stamp: NDArray[np.float32] | None
    answers: tuple[ConditionAnswers, ...]
    stale: tuple[str, ...]

    @property
    def rejected(self) -> str | None:
        """Why it has no stamp; None where it has one."""
        return None if self.stamp is not None else str(self.facts["reason"])


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
        If there are no stamps yet, no galaxy of this number, or a record is torn.
    """
    for needed in (GALAXIES, IMAGES, REJECTED):
        if not (project / needed).exists():
            raise GalmorphError(f"{project / needed}: no such file; run dvc repro cutouts, or dvc pull")
    columns = dict.fromkeys(["objid", "class", "frame", *table_columns(project / GALAXIES)])
    galaxies = read_table(project / GALAXIES, list(columns))
    known = galaxies["objid"]
    rows = np.flatnonzero((known == objid).to_numpy())
    if not rows.size:
        rejected = _rejected(project / REJECTED)
        found = rejected[rejected["objid"] == objid]
        if found.empty:
            raise GalmorphError(_unknown(objid, [*known.tolist(), *rejected["objid"].tolist()]))
        facts = _catalogued(objid, project / RAW / TABLE2_NAME) | _plain(found.iloc[0])
        return Dossier(objid, facts, None, (), ())
    row, images = int(rows[0]), open_stamps(project / IMAGES)
    if len(images) != len(galaxies):
        raise GalmorphError(
            f"{project / IMAGES}: {len(images):,} stamps, {GALAXIES.name} has {len(galaxies):,} galaxies; dvc checkout "
            "restores both, dvc repro cutouts makes them anew"
        )
    stamp = np.array(images[row])
    answers, stale = [], []
    md5 = functools.cache(file_md5)  # conditions share their stamps
    for name in known_models(project / MODELS):
        folder = project / records_folder(name, "confirmed")
        level = level_of(name, load_run(folder, 1, recorded_name(name), "confirmed"))
        if level is not None and (project / level_path(level)).with_name(GALAXIES.name).exists():
            continue  # another survey, of other galaxies
        split = project / (split_path(name) if level is None else level_split(level))
        data = {"split": split} | ({"images": project / IMAGES} if level is None else {})
        found_here = answers_of(objid, name, data, folder, md5)
        if found_here is None:
            stale.append(name)
        elif found_here.runs:
            answers.append(found_here)
    return Dossier(objid, _plain(galaxies.iloc[row]), stamp, tuple(answers), tuple(stale))


def answers_of(
    objid: int, name: str, data: Mapping[str, Path], folder: Path, md5: Callable[[Path], str]
) -> ConditionAnswers | None:
    """Return what the confirmed runs in a folder said of a galaxy; None where their data were not the present ones.

    The split says which runs tested the galaxy, and in which row of the images; only their records are read.
    """
    split = data["split"]
    # The split of a study without levels has no columns of its own.
    if not split.exists() or "part" not in table_columns(split):
        return None
    members = read_table(split, filters=[("objid", "==", objid), ("phase", "==", "confirmed"), ("part", "==", "test")])
    label = str(members["class"].iloc[0]) if len(members) else ""
    runs, probabilities = [], []
    classes: tuple[str, ...] = ()
    for run, row in zip(members["run"].tolist(), members["row"].tolist(), strict=True):
        record = load_run(folder, run, recorded_name(name), "confirmed")
        if any(record.data.get(kind) != md5(path) for kind, path in data.items()):
            return None
        test = record.sets["test"]
        runs.append(run)
        probabilities.append(test.probabilities[test.rows == row][0])
        classes = record.classes
    return ConditionAnswers(name, classes, tuple(runs), np.array(probabilities, np.float32), label)


def _rejected(path: Path) -> pd.DataFrame:
    """Read objid, frame and reason of the galaxies without a stamp."""
    columns: dict[str, list[object]] = {"objid": [], "frame": [], "reason": []}
    for block in read_blocks(path, may_be_empty=True):
        require_columns(block, tuple(columns), path)
        columns["objid"] += whole_numbers(block, "objid", path).tolist()
        columns["frame"] += block["frame"].tolist()
        columns["reason"] += block["reason"].tolist()
    return pd.DataFrame(columns)


def _unknown(objid: int, known: Sequence[int]) -> str:
    ordered = sorted(known)
    place = bisect.bisect(ordered, objid)
    nearest = ordered[max(place - 1, 0) : place + 1]
    return (
        f"{objid}: no galaxy of this number among the {len(known):,} of the sample; nearest: "
        f"{', '.join(map(str, nearest))} (all of them: objid in {GALAXIES} and {REJECTED})"
    )


def _catalogued(objid: int, table2: Path) -> dict[str, object]:
    """Return what Table 2 says of a galaxy; nothing where the survey has no such table."""
    if not table2.exists():
        return {}
    for block in read_table2_blocks(table2):
        if len(found := block[block["objid"] == objid]):
            return _plain(found.iloc[0])
    return {}


def _plain(row: pd.Series) -> dict[str, object]:
    return {str(name): value for name, value in row.items()}


def votes_of(facts: dict[str, object]) -> dict[str, float]:
    """Return the shares of the votes of a galaxy that are known, by what was voted for."""
    names = {
        "p_el": "elliptical",
        "p_cw": "clockwise",
        "p_acw": "anticlockwise",
        "p_edge": "edge-on",
        "p_mg": "merger",
        "p_dk": "don't know",
    }
    shares = {words: float(str(facts.get(name, math.nan))) for name, words in names.items()}
    return {words: share for words, share in shares.items() if math.isfinite(share)}
