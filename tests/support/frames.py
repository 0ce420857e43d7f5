"""Frames, calibrations and catalogues as the archive has them, made quickly."""

from __future__ import annotations

import bz2
import gzip
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from numpy.typing import NDArray

from galmorph.sdss.frames import FRAME_SHAPE
from galmorph.sdss.names import FrameName, ObjectId, tsfield_path
from galmorph.settings.study import CutoutSettings
from galmorph.stamps.cutouts import cut_survey

SKY = 150.0
NOISE = 5.5
SCALE_DEG = 0.396 / 3600
RA, DEC = 150.0, 20.0
TABLE2_HEADER = (
    "OBJID,RA,DEC,NVOTE,P_EL,P_CW,P_ACW,P_EDGE,P_DK,P_MG,P_CS,P_EL_DEBIASED,P_CS_DEBIASED,SPIRAL,ELLIPTICAL,UNCERTAIN"
)


KINDS = {"S": "spiral", "E": "elliptical", "U": "uncertain"}


def sky_image(seed: int = 0, shape: tuple[int, int] = FRAME_SHAPE) -> NDArray[np.float64]:
    """Sky and noise, repeated every 128 pixels so that it is made and compressed quickly."""
    tile = np.random.default_rng(seed).normal(SKY, NOISE, (128, 128))
    repeats = (-(-shape[0] // 128), -(-shape[1] // 128))
    return np.tile(tile, repeats)[: shape[0], : shape[1]]


def add_galaxy(image: NDArray[np.float64], x: float, y: float, peak: float = 2000.0, sigma: float = 6.0) -> None:
    ny, nx = image.shape
    rows = slice(max(int(y) - 60, 0), min(int(y) + 61, ny))
    columns = slice(max(int(x) - 60, 0), min(int(x) + 61, nx))
    yy, xx = np.mgrid[rows, columns]
    image[rows, columns] += peak * np.exp(-((xx - x) ** 2 + (yy - y) ** 2) / (2 * sigma**2))


def header_cards(run: int, camcol: int, field: int, band: str, *, swapped: bool = False) -> dict[str, Any]:
    """The cards of a corrected frame that matter; +x runs north and +y east, as in the survey."""
    celestial: dict[str, Any] = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": RA, "CRVAL2": DEC}
    matrix = {"CD1_1": 0.0, "CD1_2": SCALE_DEG, "CD2_1": SCALE_DEG, "CD2_2": 0.0}
    if swapped:
        celestial = {"CTYPE1": "DEC--TAN", "CTYPE2": "RA---TAN", "CRVAL1": DEC, "CRVAL2": RA}
        matrix = {"CD1_1": SCALE_DEG, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": SCALE_DEG}
    return {
        "RUN": run,
        "FRAME": field + {"r": 0, "i": 2, "u": 4, "z": 6, "g": 8}[band],
        "CAMCOL": camcol,
        "FILTER": band,
        "DATE-OBS": "2000-09-26",
        "EXPTIME": "53.907456",
        "EQUINOX": "2000.0" if swapped else 2000.0,
        "SOFTBIAS": 1000,
        "RADECSYS": "ICRS",
        "CUNIT1": "deg",
        "CUNIT2": "deg",
        "CRPIX1": 1024.5,
        "CRPIX2": 744.5,
        **celestial,
        **matrix,
    }


def frame_wcs(*, swapped: bool = False) -> WCS:
    cards = header_cards(1, 1, 1, "r", swapped=swapped)
    wanted = ("CTYPE", "CRVAL", "CRPIX", "CUNIT", "CD")
    return WCS(fits.Header({key: value for key, value in cards.items() if key.startswith(wanted)}))


def sky_position(x: float, y: float) -> tuple[float, float]:
    """RA and Dec, degrees, of a 0-based pixel."""
    position: SkyCoord = frame_wcs().pixel_to_world(x, y)
    return float(position.ra.deg), float(position.dec.deg)


def dr7_bytes(image: NDArray[np.float64], cards: Mapping[str, Any]) -> bytes:
    """A corrected frame, not yet compressed: uint16 through BZERO, the soft bias added."""
    hdu = fits.PrimaryHDU(np.round(image + 1000).astype(np.uint16))
    hdu.header.update(cards)
    stream = io.BytesIO()
    hdu.writeto(stream)
    return stream.getvalue()


def write_dr7(
    folder: Path,
    *,
    run: int = 1729,
    rerun: int = 40,
    camcol: int = 3,
    field: int = 83,
    band: str = "r",
    image: NDArray[np.float64] | None = None,
    swapped: bool = False,
    flat: bool = False,
    cards: Mapping[str, Any] | None = None,
) -> Path:
    name = FrameName("dr7", run, camcol, field, band)
    path = folder / (name.file if flat else name.path(rerun))
    path.parent.mkdir(parents=True, exist_ok=True)
    header = header_cards(run, camcol, field, band, swapped=swapped) | dict(cards or {})
    content = dr7_bytes(sky_image() if image is None else image, header)
    path.write_bytes(gzip.compress(content, compresslevel=1, mtime=0))
    return path


def write_dr8(
    folder: Path,
    counts: NDArray[np.float64],
    *,
    run: int = 94,
    camcol: int = 1,
    field: int = 131,
    band: str = "g",
    calibration: NDArray[np.float32] | None = None,
    table_field: int | None = None,
    cards: Mapping[str, Any] | None = None,
) -> Path:
    """Write a frame; `cards` are added to the header, those that are None are removed."""
    path = folder / FrameName("dr8", run, camcol, field, band).path()
    path.parent.mkdir(parents=True, exist_ok=True)
    if calibration is None:
        calibration = np.linspace(0.003, 0.005, counts.shape[1]).astype(np.float32)
    primary = fits.PrimaryHDU((counts * calibration).astype(np.float32))
    header = header_cards(run, camcol, field, band) | dict(cards or {})
    primary.header.update({name: value for name, value in header.items() if value is not None})
    sky = fits.BinTableHDU.from_columns([fits.Column("ALLSKY", "4E", array=np.full((1, 4), SKY, np.float32))])
    astrometry = fits.BinTableHDU.from_columns([fits.Column("FIELD", "J", array=[table_field or field])])
    stream = io.BytesIO()
    fits.HDUList([primary, fits.ImageHDU(calibration), sky, astrometry]).writeto(stream)
    path.write_bytes(bz2.compress(stream.getvalue(), compresslevel=1))
    return path


def write_tsfield(
    folder: Path,
    *,
    run: int = 1729,
    rerun: int = 40,
    camcol: int = 3,
    field: int = 83,
    psf_width: Iterable[float] = (1.5, 1.4, 1.3, 1.2, 1.25),
) -> Path:
    path = folder / tsfield_path(run, rerun, camcol, field)
    path.parent.mkdir(parents=True, exist_ok=True)
    five = {"psf_width": list(psf_width)} | {
        name: [value] * 5
        for name, value in {"gain": 4.7, "dark_variance": 1.3, "aa": -24.0, "kk": 0.08, "airmass": 1.2}.items()
    }
    columns = [fits.Column("field", "J", array=[field])]
    columns += [fits.Column(name, "5E", array=np.array([values], np.float32)) for name, values in five.items()]
    primary = fits.PrimaryHDU()
    primary.header.update({"RUN": run, "CAMCOL": camcol, "RERUN": rerun})
    fits.HDUList([primary, fits.BinTableHDU.from_columns(columns)]).writeto(path)
    return path


def objid(number: int, *, run: int = 1729, rerun: int = 40, camcol: int = 3, field: int = 83) -> int:
    return ObjectId(1, rerun, run, camcol, 0, field, number).encode()


def table2_row(number: int, ra: float, dec: float, kind: str = "spiral") -> str:
    position = SkyCoord(ra, dec, unit="deg")
    hours = position.ra.to_string(unit="hour", sep=":", precision=4, pad=True)
    degrees = position.dec.to_string(unit="deg", sep=":", precision=3, pad=True, alwayssign=True)
    flags = ",".join(str(int(kind == name)) for name in ("spiral", "elliptical", "uncertain"))
    return f"{number},{hours},{degrees},40,0.5,0.2,0.1,0.1,0.05,0.05,0.4,0.45,0.45,{flags}"


def write_table2(path: Path, rows: Iterable[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([TABLE2_HEADER, *rows]) + "\n")
    return path


def catalogue_of(galaxies: pd.DataFrame, path: Path) -> Path:
    rows = [
        table2_row(number, ra, dec, KINDS[label])
        for number, ra, dec, label in zip(
            galaxies["objid_dr7"], galaxies["ra"], galaxies["dec"], galaxies["label"], strict=True
        )
    ]
    assert TABLE2_HEADER.count(",") == rows[0].count(",")
    return write_table2(path, rows)


CUTOUTS = CutoutSettings(stamp_size=64, wide_size=128, sky_inner=80, sky_outer=160, max_rejected_fraction=0.5)


def cut(raw: Path) -> tuple[int, int]:
    """Cut the stamps of a survey into the folder `set` beside it; return the numbers of accepted and rejected ones."""
    return cut_survey(raw, raw.parent / "set", CUTOUTS, raw.parent / "partial")


def files(folder: Path) -> list[str]:
    """Return the relative paths of the files below a folder."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
