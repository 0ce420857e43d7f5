"""Stage report: the records, through MLflow -> reports."""

from __future__ import annotations

import csv
import logging

import numpy as np
import pandas as pd

from galmorph import __version__
from galmorph.files.datafiles import open_stamps, read_table
from galmorph.files.reading import file_md5
from galmorph.report.build import build
from galmorph.report.figures.network import Kind, LayerDrawing
from galmorph.report.figures.stamps import Schematic, example_rows
from galmorph.report.resolution.chapter import Examples
from galmorph.report.resolution.loading import load_resolution
from galmorph.report.study import load_study
from galmorph.sdss.frame_index import TABLE2_NAME, find_frames
from galmorph.sdss.frames import read_frame
from galmorph.settings.layout import (
    GALAXIES,
    IMAGES,
    RAW,
    REPORTED,
    REPORTS,
    RESOLUTION_LEFT_OUT,
    RESOLUTION_SAMPLE,
    level_galaxies,
    level_path,
    level_split,
    split_path,
)
from galmorph.settings.study import Settings
from galmorph.stages.campaign import open_store
from galmorph.stages.launch import launch
from galmorph.stages.records import read_declared, reported_records
from galmorph.stages.work import Work, stage_work
from galmorph.training.protocol import EVALUATION_CLASSES

EXAMPLES_OF_A_CLASS = 2

log = logging.getLogger("galmorph.report")


def frame_schematic(settings: Settings, galaxies: pd.DataFrame) -> Schematic | None:
    """Return the frame of the most voted-for spiral, with that galaxy; None for a survey without frames."""
    if settings.survey.source == "stamps":
        return None
    spirals = galaxies[galaxies["class"] == "spiral"]
    best = spirals.sort_values(["p_cs", "nvote"], ascending=False, kind="stable").index[0]
    galaxy = galaxies.loc[best]
    (path,) = (frame.path for frame in find_frames(RAW) if frame.path.name == galaxy["frame"])
    stamp = open_stamps(IMAGES)[best]
    return Schematic(read_frame(path).image, galaxy["x"], galaxy["y"], np.asarray(stamp), galaxy["frame"])


def first_table2_row() -> dict[str, object] | None:
    """Return the first row of Table 2 as it stands in the file; None for a survey without one."""
    path = RAW / TABLE2_NAME
    if not path.exists():
        return None
    with path.open(newline="", encoding="utf-8") as table:
        return dict(next(csv.DictReader(table)))


def layer_drawings(settings: Settings) -> list[LayerDrawing]:
    """Describe the built network of the first condition, layer by layer, for its figure."""
    from galmorph.training.backend import keras
    from galmorph.training.network import build_network

    name, first = next(iter(settings.conditions.items()))
    network = settings.network_of(name)
    drawings = []
    for layer in build_network(network, settings.cutouts.stamp_size, len(first.classes)).layers:
        kernel = " × ".join(map(str, getattr(layer, "kernel_size", getattr(layer, "pool_size", ()))))
        last = layer.name == "classes"
        kind: Kind
        match layer:
            case keras.layers.InputLayer():
                kind, detail = "input", "scaled pixels"
            case keras.layers.Conv2D():
                kind, detail = "convolution", f"{kernel}, {network.padding}, ReLU"
            case keras.layers.MaxPooling2D():
                kind, detail = "pooling", f"max {kernel}"
            case keras.layers.Flatten():
                kind, detail = "flatten", ""
            case keras.layers.Dropout():
                kind, detail = "dropout", f"{layer.rate:g}"
            case _:
                kind, detail = ("output", "softmax") if last else ("dense", "ReLU")
        drawings.append(LayerDrawing(kind, tuple(layer.output.shape[1:]), detail))
    return drawings


def level_examples(settings: Settings) -> Examples:
    """Return two galaxies of each class, evenly spaced through the resolution sample, as every level shows them."""
    sample = read_table(RESOLUTION_SAMPLE, ["class", "frame"])
    by_class = example_rows(sample, EXAMPLES_OF_A_CLASS)
    rows = np.concatenate([by_class[name] for name in EVALUATION_CLASSES if name in by_class])
    images = {level: open_stamps(level_path(level))[rows] for level in settings.resolution.own}
    return images, sample["class"].iloc[rows].tolist(), sample["frame"].iloc[rows].tolist()


def report(work: Work) -> None:
    """Make the report of a study."""
    settings = work.settings
    declared, transfers = read_declared(settings)
    store = open_store(settings)
    log.info("MLflow: %s", store.sync([*declared, *transfers.values()]))
    resolution = (
        load_resolution(
            store,
            transfers,
            settings.resolution,
            settings.cutouts,
            read_table(RESOLUTION_SAMPLE),
            pd.read_csv(RESOLUTION_LEFT_OUT),
            {
                name: read_table(level_galaxies(name))
                for name, level in settings.resolution.levels.items()
                if level.stamps is not None
            },
            {
                name: read_table(level_split(name), ["phase", "run", "class", "part"])
                for name in settings.resolution.levels
            },
        )
        if transfers
        else None
    )
    study = load_study(settings, declared, store, resolution)
    galaxies = read_table(GALAXIES)
    provenance = {
        "galmorph": __version__,
        "stamps (images.npy, md5)": file_md5(IMAGES),
        "galaxies (galaxies.parquet, md5)": file_md5(GALAXIES),
    } | {f"split of {name} (md5)": file_md5(split_path(name)) for name in settings.conditions}
    made = work.folder / "reports"
    build(
        study,
        galaxies,
        open_stamps(IMAGES),
        schematic=frame_schematic(settings, galaxies),
        table2_row=first_table2_row(),
        layers=layer_drawings(settings),
        resolution_examples=level_examples(settings) if transfers else None,
        provenance=provenance,
        folder=made,
    )
    records = reported_records([*declared, *transfers.values()])
    records.to_csv(made / REPORTED.relative_to(REPORTS), index=False, lineterminator="\n")
    work.put((made, REPORTS))


def main() -> None:
    """Run the stage."""
    with stage_work("report") as work:
        report(work)


if __name__ == "__main__":
    launch(main)
