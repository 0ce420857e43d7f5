"""galmorph classify: new galaxies -> classes, and a sheet to look at them."""

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd

from galmorph.classify.batch import classify_targets, count_reasons
from galmorph.classify.ensemble import Ensemble
from galmorph.classify.likeness import count_doubts
from galmorph.classify.sheet import contact_sheet, select_rows
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


def classify(
    condition: str,
    *,
    stamps: Path | None = None,
    labels: Path | None = None,
    sky_subtracted: bool = False,
    frame: Path | None = None,
    positions: Path | None = None,
    output: Path | None = None,
    project: Path = Path("."),
) -> str:
    """Classify galaxies, write the results into a folder, and return a summary.

    Parameters
    ----------
    condition
        What was trained: a condition, or transfer/LEVEL.
    stamps, labels, sky_subtracted
        A folder of stamps, and what `stamp_targets` needs to know of them.
    frame, positions
        Or a frame and a table of positions on it, see `frame_targets`.
    output
        The folder to write; by default classified/CONDITION. It holds galaxies.csv and galaxies.parquet (the table of
        `classify_targets`), rejected.csv and sheet.png, and appears whole or not at all.
    project
        The folder of the study.

    Raises
    ------
    GalmorphError
        If the condition is not trained or cannot be used, the galaxies cannot be read, none can be classified, or the
        output is a folder that holds anything else.
    """
    folder = output or CLASSIFIED / condition
    _check_output(folder)
    ensemble = load_ensemble(condition, project)
    if frame is not None and positions is not None:
        targets = frame_targets(frame, positions, ensemble.cutouts)
    elif stamps is not None:
        targets = stamp_targets(stamps, labels, ensemble.stamps, ensemble.cutouts, sky_subtracted)
    else:
        raise GalmorphError("give --stamps FOLDER, or --frame FILE and --positions CSV")
    galaxies, rejected, warnings = classify_targets(targets, ensemble, project)
    for warning in warnings:
        log.warning("%s", warning)
    if ensemble.pixel_scale and (unknown := int(galaxies["pixel_scale"].isna().sum())):
        log.warning(
            "stamps of unknown pixel scale: %d; it must be that of the training, %s arcsec, which a column pixel_scale "
            "in the labels lets galmorph check",
            unknown,
            ensemble.known_scale,
        )
    with atomic_folder(folder) as partial:
        _write(galaxies, rejected, targets, ensemble, partial)
    return _summary(galaxies, rejected, ensemble, folder)


def _check_output(folder: Path) -> None:
    """Refuse an output that holds other files, or that no folder can be made of, before any work."""
    nearest = next(path for path in folder.absolute().parents if path.exists())
    if not nearest.is_dir():
        raise GalmorphError(f"{nearest}: not a folder; name another one with --output")
    if folder.exists() and (not folder.is_dir() or {path.name for path in folder.iterdir()} - set(FILES)):
        raise GalmorphError(
            f"{folder}: holds more than the results of galmorph classify, and would be replaced; name another folder "
            "with --output"
        )


def _write(galaxies: pd.DataFrame, rejected: pd.DataFrame, targets: Targets, ensemble: Ensemble, folder: Path) -> None:
    # The shortest decimals that are still the same float32: its seventh digit is rounding.
    galaxies.to_csv(folder / CSV, index=False, float_format="%.9g", lineterminator="\n")
    galaxies.to_parquet(folder / PARQUET, index=False)
    rejected.to_csv(folder / REJECTED, index=False, lineterminator="\n")
    lines = select_rows(galaxies, ensemble.classes)
    shown = sorted(row for line in lines for row in line.rows)
    # Read again: fewer than a hundred, where keeping all would take 16 kB each.
    images = {stamp.row: stamp.image for stamp in targets.read(targets.table.loc[shown]) if isinstance(stamp, Stamp)}
    if gone := [row for row in shown if row not in images]:
        raise GalmorphError(
            f"{targets.table['name'].loc[gone[0]]}: could be read to be classified, but not to be drawn; leave the "
            "files alone meanwhile, and repeat the command"
        )
    networks = f"{len(ensemble.members)} network" + "s" * (len(ensemble.members) > 1)
    dotted = "; dotted: doubtful" if galaxies["doubts"].any() else ""
    title = f"{len(galaxies):,} {targets.source}, by {ensemble.name} ({networks}){dotted}"
    save_png(contact_sheet(lines, galaxies, images, title), folder / SHEET)


def _summary(galaxies: pd.DataFrame, rejected: pd.DataFrame, ensemble: Ensemble, folder: Path) -> str:
    counts = galaxies["predicted"].value_counts()
    classes = ", ".join(f"{int(counts.get(name, 0))} {name}" for name in ensemble.classes)
    lines = [f"classified  {len(galaxies)}: {classes}"]
    lines.append(f"rejected    {len(rejected)}" + (f": {count_reasons(rejected)}" if len(rejected) else ""))
    if doubts := count_doubts(galaxies["doubts"].tolist()):
        lines.append(f"doubtful    {int((galaxies['doubts'] != '').sum())}: {doubts}")
    if len(known := galaxies[galaxies["class"].isin(ensemble.classes)]):
        right = int((known["class"] == known["predicted"]).sum())
        lines.append(
            f"labelled    {len(known)} as one of these classes; {right} ({right / len(known):.3f}) are classified so"
        )
    networks = len(ensemble.members)
    spread = "" if networks > 1 else "; with a single one there is no spread"
    lines.append(f"networks    {networks} of {ensemble.name}{spread}")
    lines.append(f"files       {', '.join(str(folder / name) for name in FILES)}")
    return "\n".join(lines) + "\n"
