"""Stage report: the records, through MLflow -> reports."""

from __future__ import annotations

import csv
import logging

import numpy as np
import pandas as pd

from galmorph import __version__
from galmorph.archive import TABLE2_NAME, find_frames
from galmorph.frames import read_frame
from galmorph.plan import file_md5
from galmorph.quiet import import_tensorflow
from galmorph.report.build import build
from galmorph.report.figures.cutout import Schematic
from galmorph.report.figures.network import LayerDrawing
from galmorph.report.queries import load_results
from galmorph.settings import Settings
from galmorph.stages.declared import declared_records
from galmorph.stages.launch import launch
from galmorph.stages.layout import GALAXIES, IMAGES, RAW, REPORTS, fresh_folder, replace, settings, split_path
from galmorph.stages.store import open_store

log = logging.getLogger("galmorph.report")


def frame_schematic(chosen: Settings, galaxies: pd.DataFrame) -> Schematic | None:
    """Return the frame of the most voted-for spiral, with that galaxy; None for a survey without frames."""
    if chosen.survey.source == "stamps":
        return None
    spirals = galaxies[galaxies["class"] == "spiral"]
    best = spirals.sort_values(["p_cs", "nvote"], ascending=False, kind="stable").index[0]
    galaxy = galaxies.loc[best]
    (path,) = (frame.path for frame in find_frames(RAW) if frame.path.name == galaxy["frame"])
    stamp = np.load(IMAGES, mmap_mode="r")[best]
    return Schematic(read_frame(path).image, galaxy["x"], galaxy["y"], np.asarray(stamp), galaxy["frame"])


def first_table2_row() -> dict[str, object] | None:
    """Return the first row of Table 2 as it stands in the file; None for a survey without one."""
    path = RAW / TABLE2_NAME
    if not path.exists():
        return None
    with path.open(newline="", encoding="utf-8") as table:
        return dict(next(csv.DictReader(table)))


def layer_drawings(chosen: Settings) -> list[LayerDrawing]:
    """Describe the built network of the first condition, layer by layer, for its figure."""
    import_tensorflow()
    from galmorph.network import describe

    first = next(iter(chosen.conditions.values()))
    layers = describe(chosen.network, chosen.cutouts.stamp_size, len(first.classes))
    return [LayerDrawing(*layer) for layer in layers]


def main() -> None:
    """Run the stage."""
    chosen = settings()
    declared = declared_records(chosen)
    store = open_store(chosen)
    log.info("MLflow: %s", store.sync(declared))
    results = load_results(store, declared)
    galaxies = pd.read_parquet(GALAXIES)
    provenance = {
        "galmorph": __version__,
        "stamps (images.npy, md5)": file_md5(IMAGES),
        "galaxies (galaxies.parquet, md5)": file_md5(GALAXIES),
    } | {f"split of {name} (md5)": file_md5(split_path(name)) for name in chosen.conditions}
    with fresh_folder("report") as folder:
        made = folder / "reports"
        build(
            results,
            chosen,
            galaxies,
            np.load(IMAGES, mmap_mode="r"),
            schematic=frame_schematic(chosen, galaxies),
            table2_row=first_table2_row(),
            layers=layer_drawings(chosen),
            provenance=provenance,
            folder=made,
        )
        replace(made, REPORTS)


if __name__ == "__main__":
    launch(main)
