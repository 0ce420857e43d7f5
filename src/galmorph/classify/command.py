"""galmorph classify: new galaxies -> classes, and a sheet to look at them."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from galmorph.classify.ensemble import Ensemble
from galmorph.classify.many import classify_targets, counted
from galmorph.classify.sheet import chosen_lines, contact_sheet
from galmorph.classify.targets import Targets, frame_targets, stamp_targets
from galmorph.classify.trained import load_ensemble
from galmorph.errors import GalmorphError
from galmorph.files.atomic import atomic_folder
from galmorph.report.figures.style import save_png
from galmorph.stamps.stampset import Stamp

log = logging.getLogger(__name__)

CLASSIFIED = Path("classified")
CSV, PARQUET, REJECTED, SHEET = "galaxies.csv", "galaxies.parquet", "rejected.csv", "sheet.png"
FILES = (CSV, PARQUET, REJECTED, SHEET)


@dataclass(frozen=True)
class Asked:
    """What the command line says: a condition, then stamps (and labels), or a frame and positions."""

    condition: str
    stamps: Path | None
    labels: Path | None
    sky_subtracted: bool
    frame: Path | None
    positions: Path | None
    output: Path | None


def classify(asked: Asked, project: Path = Path(".")) -> str:
    """Classify galaxies, leave the files in the folder asked for, and return a summary.

    The folder holds galaxies.csv and galaxies.parquet (the table of `classify_targets`), rejected.csv and sheet.png;
    it appears whole or not at all.

    Raises
    ------
    GalmorphError
        If the condition is not trained or cannot be used, the galaxies cannot be read, none can be classified, or the
        output is a folder that holds something else.
    """
    folder = asked.output or CLASSIFIED / asked.condition
    refuse_foreign(folder)
    ensemble = load_ensemble(asked.condition, project)
    targets = _targets(asked, ensemble)
    galaxies, rejected, doubts = classify_targets(targets, ensemble, project)
    for doubt in doubts:
        log.warning("%s", doubt)
    if ensemble.pixel_scale and (unknown := int(galaxies["pixel_scale"].isna().sum())):
        log.warning(
            "stamps of unknown pixel scale: %d; it must be that of the training, %s arcsec, which a column pixel_scale "
            "in the labels lets galmorph check",
            unknown,
            ensemble.known_scale,
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with atomic_folder(folder) as made:
        write(galaxies, rejected, targets, ensemble, made)
    return said(galaxies, rejected, ensemble, folder)


def _targets(asked: Asked, ensemble: Ensemble) -> Targets:
    if asked.frame is not None and asked.positions is not None:
        return frame_targets(asked.frame, asked.positions, ensemble.cutouts)
    if asked.stamps is None:
        raise GalmorphError("give --stamps FOLDER, or --frame FILE and --positions CSV")
    return stamp_targets(asked.stamps, asked.labels, ensemble.stamps, ensemble.cutouts, asked.sky_subtracted)


def refuse_foreign(folder: Path) -> None:
    """Stop before a folder is replaced that this command did not make, or where none can be made."""
    nearest = next(path for path in folder.absolute().parents if path.exists())
    if not nearest.is_dir():
        raise GalmorphError(f"{nearest}: a file, in which there can be no folder; name another with --output")
    if not folder.exists():
        return
    if not folder.is_dir() or {path.name for path in folder.iterdir()} - set(FILES):
        raise GalmorphError(
            f"{folder}: holds something else than an earlier answer, and would be replaced; name another folder with "
            "--output"
        )


def write(galaxies: pd.DataFrame, rejected: pd.DataFrame, targets: Targets, ensemble: Ensemble, folder: Path) -> None:
    """Write the four files of an answer into a folder."""
    # The shortest decimals that are still the same float32: its seventh digit is rounding.
    galaxies.to_csv(folder / CSV, index=False, float_format="%.9g", lineterminator="\n")
    galaxies.to_parquet(folder / PARQUET, index=False)
    rejected.to_csv(folder / REJECTED, index=False, lineterminator="\n")
    lines = chosen_lines(galaxies, ensemble.classes)
    shown = sorted(row for line in lines for row in line.rows)
    # Read again: fewer than a hundred, where keeping all would take 16 kB each.
    images = {stamp.row: stamp.image for stamp in targets.read(targets.table.loc[shown]) if isinstance(stamp, Stamp)}
    if gone := [row for row in shown if row not in images]:
        raise GalmorphError(
            f"{targets.table['name'].loc[gone[0]]}: was there when it was classified, and can no longer be read; leave "
            "the galaxies alone, and repeat the command"
        )
    networks = f"{len(ensemble.members)} network" + "s" * (len(ensemble.members) > 1)
    save_png(
        contact_sheet(lines, galaxies, images, f"{len(galaxies):,} {targets.source}, by {ensemble.name} ({networks})"),
        folder / SHEET,
    )


def said(galaxies: pd.DataFrame, rejected: pd.DataFrame, ensemble: Ensemble, folder: Path) -> str:
    """Return a few lines on an answer."""
    counts = galaxies["predicted"].value_counts()
    classes = ", ".join(f"{int(counts.get(name, 0))} {name}" for name in ensemble.classes)
    lines = [f"classified  {len(galaxies)}: {classes}"]
    lines.append(f"rejected    {len(rejected)}" + (f": {counted(rejected)}" if len(rejected) else ""))
    if len(known := galaxies[galaxies["class"].isin(ensemble.classes)]):
        right = int((known["class"] == known["predicted"]).sum())
        share = f"{right / len(known):.3f}"
        lines.append(f"labelled    {len(known)} as one of these classes; {right} ({share}) are classified so")
    runs = len(ensemble.members)
    lines.append(
        f"networks    {runs} of {ensemble.name}" + ("" if runs > 1 else "; with a single one there is no spread")
    )
    lines.append(f"files       {', '.join(str(folder / name) for name in FILES)}")
    return "\n".join(lines) + "\n"
