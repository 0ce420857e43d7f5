"""The survey source stamps: cutouts from elsewhere (FITS, npy, PNG or JPEG), with a CSV of labels."""

from __future__ import annotations

import functools
import math
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd

from galmorph.errors import GalmorphError
from galmorph.files.reading import refuse_disguised
from galmorph.files.texttable import (
    copy_rows,
    find_columns,
    object_ids,
    read_text_table,
    real_numbers,
    refuse_rows,
)
from galmorph.sdss.galaxyzoo import VOTES
from galmorph.settings.fields import ARCSEC_BOUNDS, CLASS_NAMES
from galmorph.settings.study import CutoutSettings
from galmorph.settings.survey import SampleSettings, StampsSettings
from galmorph.sources.pictures import ENDINGS, UnusableStampError, make_stamp, read_picture
from galmorph.sources.sample import choose_sample
from galmorph.stamps.blocks import file_version, make_blocks
from galmorph.stamps.stampset import Reject, Stamp

LABELS_NAME = "labels.csv"
STAMPS_FOLDER = "stamps"
STAMPS_PER_BLOCK = 256
_MEASURES = ("ra", "dec", "redshift", "psf_fwhm", "pixel_scale")


def read_labels(path: Path) -> pd.DataFrame:
    r"""Read the labels of stamps.

    Parameters
    ----------
    path
        A CSV with columns stamp (file name) and class; optional objid, ra, dec (degrees), redshift, psf_fwhm and
        pixel_scale (arcsec). Cells of the optional columns, but not of objid, may be empty. Which columns are used is
        logged.

    Returns
    -------
    pandas.DataFrame
        In the order of the file: stamp, objid (int64; 1, 2, ... if there is no such column), ra, dec, class, nvote
        (0), p_el, ... (NaN), redshift, psf_fwhm, pixel_scale (NaN where unknown).

    Raises
    ------
    GalmorphError
        If a column is missing, the objids are rounded, or a row has an unknown class, the stamp or objid of an earlier
        one, or an invalid number.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "labels.csv"
    >>> _ = path.write_text("stamp,class,redshift\nngc4321.fits,spiral,0.005")
    >>> read_labels(path)[["stamp", "objid", "class", "redshift"]]
              stamp  objid   class  redshift
    0  ngc4321.fits      1  spiral     0.005
    """
    table = find_columns(read_text_table(path), path, ("stamp", "class"), ("objid", *_MEASURES), announce=True)
    stamp, kind = table["stamp"].str.strip(), table["class"].str.strip()
    refuse_rows(~stamp.str.fullmatch(r"[^/\\]*[^/\\.][^/\\]*"), table, "stamp", "is not a file name", path)
    refuse_rows(~stamp.str.lower().str.endswith(ENDINGS), table, "stamp", f"does not end in {', '.join(ENDINGS)}", path)
    refuse_rows(stamp.duplicated(), table, "stamp", "is in the table twice", path)
    refuse_rows(~kind.isin(CLASS_NAMES), table, "class", f"is not one of {', '.join(CLASS_NAMES)}", path)
    result = pd.DataFrame({"stamp": stamp})
    if "objid" in table.columns:
        result["objid"] = object_ids(table, "objid", path)
        refuse_rows(result["objid"].duplicated(), table, "objid", "is in the table twice", path)
    else:
        result["objid"] = np.arange(1, len(table) + 1, dtype=np.int64)
    bounds = {"ra": (0.0, 360.0), "dec": (-90.0, 90.0), "redshift": (-0.1, 10.0)}
    for column in _MEASURES:
        low, high = bounds.get(column, ARCSEC_BOUNDS)
        unit = "" if column in bounds else "arcsec"
        known = column in table.columns
        result[column] = real_numbers(table, column, path, low, high, blank=True, unit=unit) if known else math.nan
    result["class"] = kind
    result["nvote"] = np.zeros(len(table), dtype=np.int32)
    for vote in VOTES:
        result[vote.lower()] = math.nan
    return result


def acquire(settings: StampsSettings, sample: SampleSettings, folder: Path) -> list[str]:
    """Copy the stamps of a sample and their labels.

    Parameters
    ----------
    settings
        The paths of the stamps and labels.
    sample
        How rows of the labels are chosen.
    folder
        An empty folder. It receives labels.csv (the sample's rows, unchanged) and stamps/.

    Returns
    -------
    list of str
        The paths of the stamps.

    Raises
    ------
    GalmorphError
        If the labels are wrong, or name a stamp that is not there or a link to a file of another name.
    """
    labels, source = Path(settings.labels), Path(settings.folder)
    table = read_labels(labels)
    if not source.is_dir():
        raise GalmorphError(
            f"{source}: no such folder; put the stamps there, or correct stamps.folder (docs/results.md "
            "says where the pictures of EFIGI and of Galaxy Zoo can be had)"
        )
    chosen = choose_sample(table, sample)
    present = {path.name for path in source.iterdir() if path.is_file()}
    refuse_rows(
        ~table["stamp"].isin(present) & table.index.isin(chosen.index), table, "stamp", f"is not in {source}", labels
    )
    (folder / STAMPS_FOLDER).mkdir()
    for name in chosen["stamp"]:
        refuse_disguised(source / name)
        shutil.copyfile(source / name, folder / STAMPS_FOLDER / name)
    copy_rows(labels, chosen.index.tolist(), len(table), folder / LABELS_NAME)
    return [f"{STAMPS_FOLDER}/{name}" for name in chosen["stamp"]]


def cut_stamps(
    folder: Path,
    destination: Path,
    settings: StampsSettings,
    cutouts: CutoutSettings,
    partial: Path,
    known: Mapping[str, int] = MappingProxyType({}),
) -> tuple[int, int]:
    """Make a set of stamps of cutouts, in the same form as one cut from frames.

    Parameters
    ----------
    folder
        The folder that `acquire` wrote; an absolute path, for the workers.
    destination
        The folder to write, as `galmorph.stamps.stampset.write_stamp_set` does. frame is the file name of the cutout,
        x and y its centre. There is a wide stamp if settings.field is centre and the cutout is large enough.
    settings
        How a cutout is resampled to ``cutouts.stamp_size`` pixels, and the resolution of those whose labels lack it.
    cutouts
        Sizes, and the fraction of stamps that may be rejected. Its sky squares are not used: the sky is measured on
        the border of each cutout.
    partial
        The folder of finished blocks, from which a later call continues.
    known
        As in `galmorph.stamps.stampset.write_stamp_set`.

    Returns
    -------
    accepted, rejected

    Raises
    ------
    GalmorphError
        If the labels are wrong or name a stamp that is not there, or too many stamps are rejected.
    """
    labels = folder / LABELS_NAME
    table = read_labels(labels)
    present = {path.name for path in (folder / STAMPS_FOLDER).iterdir()}
    refuse_rows(~table["stamp"].isin(present), table, "stamp", f"is not in {folder / STAMPS_FOLDER}", labels)
    for column, default in (("psf_fwhm", settings.psf_fwhm), ("pixel_scale", settings.pixel_scale)):
        if default is not None:
            table[column] = table[column].fillna(default)
    asked = table[["stamp", "psf_fwhm", "pixel_scale"]].assign(row=table.index)
    asked["version"] = [file_version(folder / STAMPS_FOLDER / name) for name in table["stamp"]]
    requests = (asked[start : start + STAMPS_PER_BLOCK] for start in range(0, len(asked), STAMPS_PER_BLOCK))
    work = functools.partial(read_stamps, folder=folder / STAMPS_FOLDER, settings=settings, cutouts=cutouts)
    return make_blocks(requests, work, lambda: [table], destination, cutouts, partial, "stamps", known)


def read_stamps(
    requests: pd.DataFrame, folder: Path, settings: StampsSettings, cutouts: CutoutSettings
) -> Iterator[Stamp | Reject]:
    """Make the stamps of one block, in a worker."""
    columns = (requests["row"].tolist(), requests["stamp"], requests["psf_fwhm"], requests["pixel_scale"])
    for row, name, psf_fwhm, pixel_scale in zip(*columns, strict=True):
        try:
            picture = read_picture(folder / name, settings.colour)
            yield make_stamp(picture, row, name, psf_fwhm, pixel_scale, settings, cutouts)
        except UnusableStampError as error:
            yield Reject(row, name, str(error))
