"""Cutouts that somebody else made: FITS, npy, PNG or JPEG, with a CSV of labels."""

from __future__ import annotations

import functools
import math
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage

from galmorph.atomic import whole_folder
from galmorph.blocks import make_blocks
from galmorph.cutouts import NON_FINITE_PIXELS, clipped_median, cut
from galmorph.errors import GalmorphError
from galmorph.fields import CLASS_NAMES
from galmorph.galaxyzoo import VOTES
from galmorph.sample import choose_sample
from galmorph.settings import CutoutSettings
from galmorph.source_settings import SampleSettings, StampsSettings
from galmorph.sources.pictures import ENDINGS, UnusableStampError, read_picture
from galmorph.stamp import Reject, Stamp
from galmorph.texttable import (
    copy_rows,
    read_text_table,
    real_numbers,
    refuse_formulae,
    refuse_rows,
    require_columns,
    whole_numbers,
)

LABELS_NAME = "labels.csv"
STAMPS_FOLDER = "stamps"
STAMPS_PER_BLOCK = 256

TOO_SMALL = "stamp too small"
NOT_SQUARE = "stamp not square"

# The sky of a stamp is measured on a border of a sixteenth of its side.
_BORDER = 16

# Bounds that catch a unit mistaken for another: arcsec.
_LARGEST_SCALE = 60.0


def read_labels(path: Path) -> pd.DataFrame:
    """Read the labels of a set of stamps.

    Parameters
    ----------
    path
        A CSV with columns stamp (file name) and class; optional objid, ra, dec (degrees), redshift, psf_fwhm and
        pixel_scale (arcsec). Cells of the optional columns, but not of objid, may be empty.

    Returns
    -------
    pandas.DataFrame
        In the order of the file: stamp, objid (int64; 1, 2, ... where there is no such column), ra, dec, class,
        nvote (0: nobody voted), p_el, ... (NaN), redshift, psf_fwhm, pixel_scale (NaN where unknown).

    Raises
    ------
    GalmorphError
        If a column is missing, or a row has an unknown class, a stamp or an objid seen before, or a wrong number.
    """
    table = read_text_table(path)
    require_columns(table, ("stamp", "class"), path)
    stamp, kind = table["stamp"].str.strip(), table["class"].str.strip()
    refuse_rows(~stamp.str.fullmatch(r"[^/\\]*[^/\\.][^/\\]*"), table, "stamp", "is not a file name", path)
    refuse_rows(~stamp.str.lower().str.endswith(ENDINGS), table, "stamp", f"does not end in {', '.join(ENDINGS)}", path)
    refuse_formulae(table, "stamp", path)
    refuse_rows(stamp.duplicated(), table, "stamp", "stands in the table twice", path)
    refuse_rows(~kind.isin(CLASS_NAMES), table, "class", f"is not one of {', '.join(CLASS_NAMES)}", path)
    result = pd.DataFrame({"stamp": stamp})
    if "objid" in table.columns:
        result["objid"] = whole_numbers(table, "objid", path)
        refuse_rows(result["objid"].duplicated(), table, "objid", "stands in the table twice", path)
    else:
        result["objid"] = np.arange(1, len(table) + 1, dtype=np.int64)
    bounds = {"ra": (0.0, 360.0), "dec": (-90.0, 90.0), "redshift": (-0.1, 10.0)}
    for column in ("ra", "dec", "redshift", "psf_fwhm", "pixel_scale"):
        low, high = bounds.get(column, (1e-4, _LARGEST_SCALE))
        known = column in table.columns
        result[column] = real_numbers(table, column, path, low, high, blank=True) if known else math.nan
    result["class"] = kind
    result["nvote"] = np.zeros(len(table), dtype=np.int32)
    for vote in VOTES:
        result[vote.lower()] = math.nan
    return result


def acquire(settings: StampsSettings, sample: SampleSettings, folder: Path) -> None:
    """Copy the stamps of a sample and their labels.

    Parameters
    ----------
    settings
        Where the stamps and the labels are.
    sample
        first or random rows of the labels.
    folder
        Is made, and replaced where it exists: labels.csv (the sample's rows, as they were written) and stamps/.

    Raises
    ------
    GalmorphError
        If the labels are wrong, or name a stamp that is not there.
    """
    labels, source = Path(settings.labels), Path(settings.folder)
    table = read_labels(labels)
    if not source.is_dir():
        raise GalmorphError(f"{source}: no such folder; put the stamps there, or correct stamps.folder")
    chosen = choose_sample(table, sample)
    present = {path.name for path in source.iterdir() if path.is_file()}
    refuse_rows(
        ~table["stamp"].isin(present) & table.index.isin(chosen.index), table, "stamp", f"is not in {source}", labels
    )
    with whole_folder(folder) as partial:
        (partial / STAMPS_FOLDER).mkdir()
        for name in chosen["stamp"]:
            shutil.copyfile(source / name, partial / STAMPS_FOLDER / name)
        copy_rows(labels, chosen.index.tolist(), len(table), partial / LABELS_NAME)


def cut_stamps(
    folder: Path, destination: Path, settings: StampsSettings, cutouts: CutoutSettings, partial: Path
) -> tuple[int, int]:
    """Make a set of stamps, as a survey's frames would give it, out of cutouts that somebody else made.

    Parameters
    ----------
    folder
        What `acquire` left. An absolute path, for the workers.
    destination
        The folder to make; `galmorph.stampset.write_stamp_set` says what it holds. frame is the stamp's file name,
        x and y its centre. There is a wide stamp where settings.field is centre and the stamp is large enough.
    settings
        How a stamp becomes `cutouts.stamp_size` pixels, and the resolution where the labels do not say it.
    cutouts
        Sizes, and how many stamps may be rejected. The sky is not measured between its squares but on the border of
        each stamp.
    partial
        Where work gathers that a later call goes on with.

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
    requests = (asked[start : start + STAMPS_PER_BLOCK] for start in range(0, len(asked), STAMPS_PER_BLOCK))
    work = functools.partial(read_stamps, folder=folder / STAMPS_FOLDER, settings=settings, cutouts=cutouts)
    return make_blocks(requests, work, [table], destination, cutouts, partial, "stamps")


def read_stamps(
    requests: pd.DataFrame, folder: Path, settings: StampsSettings, cutouts: CutoutSettings
) -> Iterator[Stamp | Reject]:
    """Read the pictures of a block and make stamps of them; in a worker."""
    columns = (requests["row"].tolist(), requests["stamp"], requests["psf_fwhm"], requests["pixel_scale"])
    for row, name, psf_fwhm, pixel_scale in zip(*columns, strict=True):
        try:
            picture = read_picture(folder / name, settings.colour)
            yield make_stamp(picture, row, name, psf_fwhm, pixel_scale, settings, cutouts)
        except UnusableStampError as error:
            yield Reject(row, name, str(error))


def make_stamp(
    picture: NDArray[np.float32],
    row: int,
    name: str,
    psf_fwhm: float,
    pixel_scale: float,
    settings: StampsSettings,
    cutouts: CutoutSettings,
) -> Stamp:
    """Bring one cutout to the size wanted, and subtract its sky.

    The sky and the noise are the clipped median and standard deviation of a border, a sixteenth of the side wide, of
    the cutout (field: centre) or of the resampled cutout (field: whole): at the pixel scale of the stamp either way.

    Raises
    ------
    UnusableStampError
        If it is too small, not square, or not finite.
    """
    ny, nx = picture.shape
    size = cutouts.stamp_size
    wide = None
    if settings.field == "whole":
        if nx != ny:
            raise UnusableStampError(f"{NOT_SQUARE}: {nx} x {ny} pixels, of which stamps.field centre takes the middle")
        resampled = _area(picture, size) if settings.resampling == "area" else _spline(picture, size)
        image, measured = resampled, resampled
        pixel_scale *= nx / size
    else:
        middle = cut(picture, nx // 2, ny // 2, size)
        if middle is None:
            raise UnusableStampError(f"{TOO_SMALL}: {nx} x {ny} pixels, cutouts.stamp_size is {size}")
        image, measured = middle, picture
        wide = cut(picture, nx // 2, ny // 2, cutouts.wide_size)
    if not np.isfinite(measured).all():
        raise UnusableStampError(NON_FINITE_PIXELS)
    sky, noise = clipped_median(_border(measured))
    with np.errstate(over="ignore"):
        image = image - np.float32(sky)
        wide = None if wide is None else wide - np.float32(sky)
    if not (np.isfinite(noise) and np.isfinite(image).all() and (wide is None or np.isfinite(wide).all())):
        raise UnusableStampError(f"{NON_FINITE_PIXELS}: too large for 32 bits without their sky")
    return Stamp(
        row=row,
        image=image,
        wide=wide,
        frame=name,
        x=(nx - 1) / 2,
        y=(ny - 1) / 2,
        psf_fwhm=psf_fwhm,
        pixel_scale=pixel_scale,
        sky=sky,
        noise=noise,
    )


def _border(image: NDArray[np.float32]) -> NDArray[np.float32]:
    width = max(2, min(image.shape) // _BORDER)
    inside = np.zeros(image.shape, dtype=bool)
    inside[width:-width, width:-width] = True
    return image[~inside]


@functools.cache
def _overlaps(count: int, size: int) -> NDArray[np.float64]:
    """Return (size, count): the share of each of `count` old pixels in each of `size` new ones over the same length."""
    edges = np.arange(size + 1) * count / size
    old = np.arange(count)
    shared = np.minimum(edges[1:, None], old + 1) - np.maximum(edges[:-1, None], old)
    weights: NDArray[np.float64] = np.clip(shared, 0, None) * size / count
    return weights


def _area(picture: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Average over the footprint of each new pixel, old pixels at its rim by the share that lies within."""
    weights = _overlaps(picture.shape[0], size)
    return (weights @ picture.astype(np.float64) @ weights.T).astype(np.float32)


def _spline(picture: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Interpolate by cubic splines; pixels are squares, so that the edges of the picture stay where they are."""
    factor = size / picture.shape[0]
    zoomed = ndimage.zoom(picture.astype(np.float64), factor, order=3, mode="nearest", grid_mode=True)
    resampled: NDArray[np.float32] = zoomed.astype(np.float32)
    return resampled
