"""The survey source sdss: a sample of Galaxy Zoo 1, and the frames of its galaxies from the SDSS archive."""

from __future__ import annotations

import functools
import hashlib
import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pandas as pd

from galmorph.errors import GalmorphError, counted
from galmorph.files.texttable import copy_rows, refuse_rows
from galmorph.sdss.frame_index import (
    REDSHIFTS_NAME,
    TABLE2_NAME,
    count_misplaced,
    count_scattered,
    find_frames,
    write_missing,
)
from galmorph.sdss.frames import read_frame, read_psf_width
from galmorph.sdss.galaxyzoo import ROWS, read_table2
from galmorph.sdss.names import BEST_SKY, FrameName, ObjectId, Release, tsfield_path
from galmorph.sdss.redshifts import empty_redshifts, join_redshifts, read_redshifts, write_redshifts
from galmorph.settings.fields import CLASS_NAMES
from galmorph.settings.survey import SampleSettings, SdssSettings
from galmorph.sources.fetch import Download, Mirror, require_answer
from galmorph.sources.sample import choose_sample

log = logging.getLogger(__name__)

SERVERS = {"dr7": "https://das.sdss.org", "dr17": "https://data.sdss.org/sas/dr17/eboss/photoObj"}
OTHER_RELEASE = {"dr7": "dr17", "dr17": "dr7"}

# Bytes, for planning: the mean of ten DR7 frames in band r, one whole DR12 frame, a tsField, the whole Table 2.
TYPICAL_FRAME = {"dr7": 2_400_000, "dr17": 3_220_000}
TYPICAL_TSFIELD = 28_000
TYPICAL_TABLE = 30_000_000


@dataclass(frozen=True)
class Request:
    """A sample and the files that it needs.

    Attributes
    ----------
    catalogue, rows
        The file of Table 2, and its number of rows.
    galaxies
        The sample, with columns redshift (NaN where unknown) and frame (the path below the archive's root).
    downloads
        The frames and, for DR7, their tsField files.
    """

    catalogue: Path
    rows: int
    galaxies: pd.DataFrame
    downloads: tuple[Download, ...]


def make_request(settings: SdssSettings, sample: SampleSettings, mirror: Mirror) -> Request:
    """Choose the sample and list the files that it needs; only tables are downloaded, if they are not at hand.

    Raises
    ------
    GalmorphError
        If a table cannot be downloaded or read, the sample is empty, an object id is not of DR7, or ids and positions
        do not belong together.
    """
    path = _table("sdss.catalogue", settings.catalogue, mirror, read_table2)
    catalogue = read_table2(path)
    if len(catalogue) < ROWS:
        log.warning("%s: %d rows; the whole Table 2 has %d", path, len(catalogue), ROWS)
    redshifts = empty_redshifts()
    if settings.redshifts is not None:
        check_redshifts = functools.partial(read_redshifts, announce=False)  # what the download checks has another name
        redshifts = read_redshifts(_table("sdss.redshifts", settings.redshifts, mirror, check_redshifts))
    if sample.limits.redshift is not None:
        catalogue = join_redshifts(catalogue, redshifts)
    galaxies = choose_sample(catalogue, sample)
    if "redshift" not in galaxies:
        galaxies = join_redshifts(galaxies, redshifts)
    release: Release = "dr7" if settings.release == "dr7" else "dr8"
    names = _names(galaxies, path)
    scattered, shared = count_scattered(galaxies)
    if scattered > settings.max_missing_fraction * shared:
        raise GalmorphError(
            f"{path}: of {shared:,} frames that the object ids of several galaxies name, {scattered:,} have galaxies "
            f"farther apart than a frame reaches, more than sdss.max_missing_fraction {settings.max_missing_fraction:g}"
            " allows: ids and positions do not belong together; fetch the table again"
        )
    frames = [FrameName(release, *name.place, settings.band).path(name.rerun) for name in names]
    distinct = dict(sorted(zip(frames, names, strict=True), key=lambda item: item[0]))
    downloads = [_download(settings, frame, read_frame, TYPICAL_FRAME[settings.release]) for frame in distinct]
    if release == "dr7":
        check = functools.partial(read_psf_width, band=settings.band)
        fields = [tsfield_path(name.run, name.rerun, name.camcol, name.field) for name in distinct.values()]
        downloads += [_download(settings, field, check, TYPICAL_TSFIELD) for field in fields]
    return Request(path, len(catalogue), galaxies.assign(frame=frames), tuple(downloads))


def _root(settings: SdssSettings) -> str:
    return (settings.archive or SERVERS[settings.release]).rstrip("/")


def _download(settings: SdssSettings, path: str, check: Callable[[Path], object], size: int) -> Download:
    return Download(f"{_root(settings)}/{path}", path, check, size)


def _names(galaxies: pd.DataFrame, path: Path) -> list[ObjectId]:
    """Return the object id of each galaxy, which names its frame."""
    names, faults = [], []
    for objid in galaxies["objid"].tolist():
        try:
            name = ObjectId.decode(objid)
            names.append(name)
            best = name.sky_version == BEST_SKY
            faults.append("" if best else f"{objid} is of sky version {name.sky_version}; Galaxy Zoo 1 has {BEST_SKY}")
        except GalmorphError as error:
            faults.append(str(error))
    table = pd.DataFrame({"OBJID": galaxies["objid"].astype(str)})
    first = next(filter(None, faults), "")
    refuse_rows(np.array(faults) != "", table, "OBJID", f"names no frame: {first}", path)
    return names


def _table(parameter: str, place: str, mirror: Mirror, check: Callable[[Path], object]) -> Path:
    """Return the path of a table, which is downloaded if it has an address and is not at hand."""
    if not place.startswith(("http://", "https://")):
        return Path(place)
    name = Path(urlsplit(place).path).name
    if not name:
        raise GalmorphError(f"{parameter}: {place} names no file; give the address of a CSV or csv.gz")
    # Tables of one name at two addresses are different tables.
    address = hashlib.sha256(place.encode()).hexdigest()[:16]
    download = Download(place, f"tables/{address}/{name}", check, TYPICAL_TABLE)
    remedy = f"try later, or put the table on the disk and its path into {parameter}"
    if not mirror.path(download).exists():
        require_answer(place, remedy)
        if failure := mirror.fetch([download], name, remedy).get(download.path):
            raise GalmorphError(f"{place}: {failure}; {remedy}")
    return mirror.path(download)


def describe(request: Request, settings: SdssSettings, sample: SampleSettings, mirror: Mirror) -> str:
    """Describe a request: galaxies by class, frames, files and gigabytes to download, free disk space."""
    galaxies = request.galaxies
    classes = galaxies["class"].value_counts()
    frames = galaxies["frame"].nunique()
    missing = _not_at_hand(request, mirror)
    rows = [
        ("galaxies", f"{len(galaxies)} of {request.rows} rows of {request.catalogue.name}, rule {sample.rule}"),
        *((f"  {name}", f"{classes.get(name, 0)}") for name in CLASS_NAMES),
        ("with redshift", f"{galaxies['redshift'].notna().sum()}"),
        ("frames", f"{frames} of band {settings.band}, {settings.release}, from {_root(settings)}"),
        ("ids and positions", _agreement(request, settings, mirror)),
        ("to download", f"{counted(len(missing), 'file')}, about {_bytes_of(missing) / 1e9:.2f} GB"),
        ("at hand", counted(len(request.downloads) - len(missing), "file")),
        ("free on the disk", f"{_free(mirror) / 1e9:.1f} GB"),
    ]
    return "\n".join(f"{name:<18}{value}" for name, value in rows)


def _agreement(request: Request, settings: SdssSettings, mirror: Mirror) -> str:
    """Say how many object ids and positions of a sample disagree: among themselves, and with the frames at hand."""
    scattered, shared = count_scattered(request.galaxies)
    frames = find_frames(mirror.whole, settings.band) if mirror.whole.is_dir() else []
    misplaced, compared = count_misplaced(request.galaxies, frames)
    off = f"{misplaced} of {compared} galaxies lie off the frame of their id" if compared else "no frame is at hand yet"
    apart = f"{scattered} of {shared} frames with several galaxies have them too far apart for one frame"
    return f"{off}; {apart}"


def _not_at_hand(request: Request, mirror: Mirror) -> list[Download]:
    return [download for download in request.downloads if not mirror.path(download).exists()]


def _bytes_of(downloads: list[Download]) -> int:
    return sum(download.typical_size for download in downloads)


def _free(mirror: Mirror) -> int:
    mirror.whole.mkdir(parents=True, exist_ok=True)
    return shutil.disk_usage(mirror.whole).free


def acquire(settings: SdssSettings, sample: SampleSettings, folder: Path, mirror: Mirror) -> dict[str, str]:
    """Download the frames of a sample.

    Parameters
    ----------
    settings
        The release, its address, the tables and the band.
    sample
        How the galaxies are chosen.
    folder
        An empty folder. It receives the frames in the archive's layout (``imaging/...`` for DR7, ``frames/301/...``
        for DR17), for DR7 their tsField files, GalaxyZoo1_DR_table2.csv (the sample's rows, unchanged), redshifts.csv
        (of the galaxies that have one), and missing.csv: the files that could not be downloaded, and why.
    mirror
        Where downloaded files stay, so that another sample downloads only what is new. The files in `folder` are hard
        links to them, if the file system has those.

    Returns
    -------
    dict
        By path, the address of each downloaded file.

    Raises
    ------
    GalmorphError
        If the archive does not answer, the disk is too small, or more than max_missing_fraction of the galaxies have
        no frame. Finished files stay in the mirror.
    """
    request = make_request(settings, sample, mirror)
    log.info("%s", describe(request, settings, sample, mirror))
    missing = _not_at_hand(request, mirror)
    if _bytes_of(missing) > _free(mirror):
        raise GalmorphError(
            f"{mirror.whole}: {_bytes_of(missing) / 1e9:.1f} GB to download, {_free(mirror) / 1e9:.1f} GB are free; "
            "make room, or lower survey.sample.galaxies"
        )
    other = OTHER_RELEASE[settings.release]
    remedy = f"try later, or set sdss.release to {other} (or sdss.archive to a mirror) in params.yaml"
    if missing:
        require_answer(missing[0].url, remedy)
    failures = mirror.fetch(request.downloads, f"archive {settings.release}", remedy)
    _refuse_too_many(request.galaxies, failures, settings.max_missing_fraction)
    urls = {}
    for download in request.downloads:
        if download.path not in failures:
            mirror.link(download.path, folder / download.path)
            urls[download.path] = download.url
    write_missing(failures, folder)
    copy_rows(request.catalogue, request.galaxies.index.tolist(), request.rows, folder / TABLE2_NAME)
    write_redshifts(request.galaxies, folder / REDSHIFTS_NAME)
    return urls


def _refuse_too_many(galaxies: pd.DataFrame, failures: dict[str, str], limit: float) -> None:
    without = galaxies[galaxies["frame"].isin(list(failures))]
    if without.empty:
        return
    first = "; ".join(f"{frame}: {failures[frame]}" for frame in without["frame"].unique()[:3])
    log.warning("%d of %d galaxies without a frame. First: %s", len(without), len(galaxies), first)
    if len(without) > limit * len(galaxies) or len(without) == len(galaxies):
        raise GalmorphError(
            f"{len(without)} of {len(galaxies)} galaxies without a frame, more than sdss.max_missing_fraction "
            f"{limit:g} allows. First: {first}. Try later, or raise sdss.max_missing_fraction; finished files are kept"
        )
