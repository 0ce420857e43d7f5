"""Cutting out stamps compared with the plain way and with decompressing the frames only, and its memory."""

from __future__ import annotations

import gzip
import math
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.work import ROOT
from galmorph.parallel.cluster import worker_count
from galmorph.sdss.frame_index import REDSHIFTS_NAME, TABLE2_NAME, find_frames
from galmorph.sdss.frames import FRAME_SHAPE, read_frame_wcs
from galmorph.sdss.galaxyzoo import COLUMNS, read_table2
from galmorph.sdss.names import ObjectId
from galmorph.settings.survey import SimulatedSettings
from galmorph.sources import simulated
from galmorph.sources.simulated.survey import write_redshifts, write_table2

A_FRAME = 3  # galaxies; the archive has about 2
FRAMES = (200, 600)  # the difference of two times excludes the start of processes
PLAIN = 60  # galaxies cut out the plain way
SAMPLES = (1_000, 10_000, 100_000)  # galaxies over the first REUSED frames, whose memory is compared
REUSED = 100

CUT = """
import sys
from pathlib import Path
from benchmarks.work import settings
from galmorph.stamps.cutouts import cut_survey

if __name__ == "__main__":
    raw, made = Path(sys.argv[1]), Path(sys.argv[2])
    lenient = settings().cutouts.model_copy(update={"max_rejected_fraction": 0.5})
    cut_survey(raw, made / "set", lenient, made / "partial")
"""


def rows() -> list[tuple[str, float, float]]:
    """Return rows of (what, value, its upper limit)."""
    with tempfile.TemporaryDirectory(prefix="galmorph-") as name:
        folder = Path(name)
        survey = SimulatedSettings(
            seed=5, galaxies=A_FRAME * FRAMES[1], galaxies_per_frame=A_FRAME, band="r", seeing=1.43, types=None
        )
        (folder / "whole").mkdir()
        simulated.acquire(survey, folder / "whole")
        return [*_speed(folder), *_memory(folder)]


def _speed(folder: Path) -> list[tuple[str, float, float]]:
    seconds = []
    for count in FRAMES:
        part = _part(folder / "whole", folder / f"{count}", count)
        started = time.perf_counter()
        _cut(part, folder / f"made {count}")
        seconds.append(time.perf_counter() - started)
    paths = [frame.path for frame in find_frames(folder / f"{FRAMES[1]}")]
    a_frame = (seconds[1] - seconds[0]) / (FRAMES[1] - FRAMES[0])
    plain = _plain(folder / f"{FRAMES[1]}") * A_FRAME
    floor = _floor(paths)
    workers = worker_count()
    print(
        f"  a frame of {A_FRAME} galaxies: {1e3 * a_frame:.1f} ms on {workers} cores; the plain way "
        f"{1e3 * plain:.1f} ms on one; only decompressing {1e3 * floor:.1f} ms on one; "
        f"{A_FRAME / a_frame:.0f} galaxies a second; "
        f"start of the processes {seconds[0] - FRAMES[0] * a_frame:.1f} s",
        flush=True,
    )
    return [
        ("cutouts: share of the plain way's time", a_frame / plain, 1 / 5),
        ("cutouts: core seconds over those of decompressing alone", workers * a_frame / floor, 2),
    ]


def _part(whole: Path, folder: Path, count: int) -> Path:
    """Make a folder with the first frames of a survey and their galaxies; return it."""
    frames = find_frames(whole)[:count]
    places = {frame.name.place for frame in frames}
    for path in [frame.path for frame in frames] + list(whole.rglob("tsField-*")):
        link = folder / path.relative_to(whole)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.hardlink_to(path)
    header, *lines = (whole / TABLE2_NAME).read_text().splitlines()
    kept = [line for line in lines if ObjectId.decode(int(line.partition(",")[0])).place in places]
    (folder / TABLE2_NAME).write_text("\n".join([header, *kept]) + "\n")
    (folder / REDSHIFTS_NAME).write_text("objid,ra,dec,redshift\n")
    return folder


def _plain(folder: Path) -> float:
    """Return the seconds per galaxy of a simple script."""
    from astropy.coordinates import SkyCoord
    from astropy.io import fits
    from astropy.nddata import Cutout2D
    from astropy.wcs import WCS

    galaxies = read_table2(folder / TABLE2_NAME).iloc[:PLAIN]
    paths = {frame.name.place: frame.path for frame in find_frames(folder)}
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for objid, ra, dec in zip(galaxies["objid"].tolist(), galaxies["ra"], galaxies["dec"], strict=True):
            with fits.open(paths[ObjectId.decode(objid).place]) as hdus:
                image = hdus[0].data.astype(np.float32) - 1000
                # Cutout2D goes wrong with a SkyCoord in frames whose first axis is declination.
                pixel = WCS(hdus[0].header).world_to_pixel(SkyCoord(ra, dec, unit="deg"))
                Cutout2D(image, pixel, 64, mode="partial", fill_value=np.nan)
    return (time.perf_counter() - started) / len(galaxies)


def _floor(paths: list[Path]) -> float:
    """Return the core seconds per frame of decompression, on as many cores as the cutouts have."""
    with ProcessPoolExecutor(worker_count()) as pool:
        list(pool.map(_decompress, paths[: 2 * worker_count()]))
        started = time.perf_counter()
        list(pool.map(_decompress, paths, chunksize=8))
        return worker_count() * (time.perf_counter() - started) / len(paths)


def _decompress(path: Path) -> int:
    return len(gzip.decompress(path.read_bytes()))


def _memory(folder: Path) -> list[tuple[str, float, float]]:
    peaks = []
    for galaxies in SAMPLES:
        reused = _part(folder / "whole", folder / f"reused {galaxies}", REUSED)
        _many(reused, galaxies)
        peaks.append(_cut(reused, folder / f"made {galaxies}"))
        shutil.rmtree(folder / f"made {galaxies}")
    shown = "; ".join(
        f"{galaxies} galaxies {main / 1e6:.0f} and {worker / 1e6:.0f}"
        for galaxies, (main, worker) in zip(SAMPLES, peaks, strict=True)
    )
    print(f"  peak anonymous memory of the main process and of a worker, MB: {shown}", flush=True)
    return [
        (f"cutouts: memory at {SAMPLES[-1]} galaxies over that at {SAMPLES[0]}", peaks[-1][0] / peaks[0][0], 1.1),
        ("the same, of a worker", peaks[-1][1] / peaks[0][1], 1.1),
    ]


def _many(folder: Path, count: int) -> None:
    """Replace the galaxies of a folder by `count` at random positions in its frames."""
    rng = np.random.default_rng(count)
    frames = find_frames(folder)
    each = math.ceil(count / len(frames))
    parts = []
    for frame in frames:
        wcs, _ = read_frame_wcs(frame.path)
        x, y = (rng.uniform(80, side - 80, each) for side in (FRAME_SHAPE[1], FRAME_SHAPE[0]))
        sky = wcs.pixel_to_world(x, y)
        run, camcol, field = frame.name.place
        ids = [ObjectId(1, frame.rerun or 0, run, camcol, 0, field, number + 1).encode() for number in range(each)]
        parts.append(pd.DataFrame({"objid": ids, "ra": sky.icrs.ra.deg, "dec": sky.icrs.dec.deg}))
    table = pd.concat(parts, ignore_index=True).iloc[:count].copy()
    for column in COLUMNS[3:]:
        table[column] = {"NVOTE": 40, "SPIRAL": 1, "ELLIPTICAL": 0, "UNCERTAIN": 0}.get(column, 0.5)
    table["redshift"] = 0.05
    write_table2(table, folder / TABLE2_NAME)
    write_redshifts(table, folder / REDSHIFTS_NAME)


def _cut(raw: Path, made: Path) -> tuple[int, int]:
    """Cut out a survey in a process of its own; return the peak anonymous memory of it and of its workers, bytes."""
    made.mkdir()
    script = made / "cut.py"
    script.write_text(CUT, encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    process = subprocess.Popen([sys.executable, str(script), str(raw), str(made)], cwd=ROOT, env=environment)
    peaks = {"main": 0, "worker": 0}

    def watch() -> None:
        while process.poll() is None:
            peaks["main"] = max(peaks["main"], _anonymous(process.pid))
            peaks["worker"] = max([peaks["worker"], *(_anonymous(child) for child in _children(process.pid))])
            time.sleep(0.05)

    thread = threading.Thread(target=watch)
    thread.start()
    if process.wait() != 0:
        raise RuntimeError("the cutouts failed")
    thread.join()
    return peaks["main"], peaks["worker"]


def _anonymous(process: int) -> int:
    """Return the anonymous memory of a process, without mapped files, in bytes (Linux only)."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("RssAnon")), 0)


def _children(process: int) -> list[int]:
    found = []
    for path in Path(f"/proc/{process}/task").glob("*/children"):
        try:
            found += [int(child) for child in path.read_text().split()]
        except OSError:
            continue
    return found + [grandchild for child in found for grandchild in _children(child)]
