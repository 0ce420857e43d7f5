"""Simulated stamps beside real ones, with the same stretch.

python -m validation.stamps REAL_DATA FIGURE [--cutouts data/cutouts]

REAL_DATA has frames_dr7_r/, galaxies_in_frames.csv, and efigi/: the frames have no ellipticals, so those are EFIGI's
pictures, which were stretched for the eye.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from galmorph.report.figures import style
from galmorph.report.figures.stamps import example_rows, show_stamp
from galmorph.sdss.frames import read_frame
from galmorph.sources.pictures import read_picture
from galmorph.stamps.pixels import cut, local_sky

LETTERS: Final = {"S": "spiral", "U": "uncertain", "E": "elliptical"}
PER_CLASS: Final = 8
SIZE: Final = 64

Stamps = list[NDArray[np.float32]]


def real_stamps(folder: Path) -> dict[str, Stamps]:
    """Return the stamps of the real galaxies that fit their DR7 frame, by class; EFIGI's where a class has none."""
    stamps: dict[str, Stamps] = {name: [] for name in LETTERS.values()}
    listed = pd.read_csv(folder / "galaxies_in_frames.csv")
    listed = listed[listed["frame"].str.startswith("fpC") & listed["cutout64_inside"]]
    for name, here in listed.groupby("frame"):
        path = folder / "frames_dr7_r" / str(name)
        if not path.is_file():
            continue
        image = read_frame(path).image
        for x, y, letter in here[["x0", "y0", "label"]].itertuples(index=False):
            stamp, sky = cut(image, x, y, SIZE), local_sky(image, x, y, 80, 160)
            if stamp is not None and sky is not None:
                stamps[LETTERS[letter]].append(stamp - np.float32(sky[0]))
    types = [line.split()[:2] for line in (folder / "efigi/EFIGI_attributes.txt").read_text().splitlines()]
    early = [name for name, number in (t for t in types if len(t) == 2 and t[0].startswith("PGC")) if int(number) <= -4]
    for name in early[:: max(len(early) // PER_CLASS, 1)][:PER_CLASS]:
        picture = read_picture(folder / "efigi" / f"{name}.jpg", "green")
        stamps["elliptical"].append(picture[-13:11:-1, 12:-12])  # its top is row 0, that of a frame is the last
    return stamps


def simulated_stamps(folder: Path) -> dict[str, Stamps]:
    """Return stamps of a survey, evenly spaced through each class."""
    images = np.load(folder / "images.npy", mmap_mode="r")
    chosen = example_rows(pd.read_parquet(folder / "galaxies.parquet"), PER_CLASS)
    return {name: [np.array(images[row]) for row in rows] for name, rows in chosen.items()}


@style.house()
def draw(real: dict[str, Stamps], simulated: dict[str, Stamps], path: Path) -> None:
    """Draw two rows of stamps for each class: real, simulated."""
    figure = style.new_figure(8.6, 6.4, gap=0.012)
    grid = figure.subplots(2 * len(LETTERS), PER_CLASS)
    lines = [(name, kind) for name in LETTERS.values() for kind in ("real", "simulated")]
    for (name, kind), cells in zip(lines, grid, strict=True):
        for axes in cells:
            axes.set_axis_off()
        for stamp, axes in zip((real if kind == "real" else simulated)[name], cells, strict=False):
            show_stamp(axes, stamp, "frame.fits")
        source = "EFIGI" if (name, kind) == ("elliptical", "real") else kind
        colour = "black" if kind == "real" else "#0072b2"
        place = {"transform": cells[0].transAxes, "ha": "right", "va": "center"}
        cells[0].text(-0.06, 0.5, f"{name}\n{source}", fontsize=8.5, color=colour, **place)
    figure.savefig(path, dpi=90, bbox_inches="tight", pad_inches=0.05)


def main() -> None:
    """Read the command line and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("real", type=Path)
    parser.add_argument("figure", type=Path)
    parser.add_argument("--cutouts", type=Path, default=Path("data/cutouts"))
    arguments = parser.parse_args()
    draw(real_stamps(arguments.real), simulated_stamps(arguments.cutouts), arguments.figure)


if __name__ == "__main__":
    main()
