"""Galaxy Zoo 1: the votes and classes of Table 2, redshifts from elsewhere, and the sample.

Table 2 is that of Lintott et al. (2011, MNRAS 410, 166): objects with SDSS spectra.
"""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path

import astropy.units as u
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from astropy.coordinates import SkyCoord
from numpy.typing import NDArray

from galmorph.errors import GalmorphError
from galmorph.settings import CLASS_NAMES, SampleSettings

VOTES = ("P_EL", "P_CW", "P_ACW", "P_EDGE", "P_DK", "P_MG", "P_CS", "P_EL_DEBIASED", "P_CS_DEBIASED")
FLAGS = tuple(name.upper() for name in CLASS_NAMES)
COLUMNS = ("OBJID", "RA", "DEC", "NVOTE", *VOTES, *FLAGS)

MATCH_RADIUS_ARCSEC = 2.0

# A row of a table is named by its line in the file; the header is line 1.
_FIRST_LINE = 2

_SEXAGESIMAL = r"^(?P<sign>[+-]?)(?P<whole>\d{1,2}):(?P<minutes>[0-5]?\d):(?P<seconds>[0-5]?\d(?:\.\d*)?|60(?:\.0*)?)$"


def read_text_table(path: Path, *, may_be_empty: bool = False) -> pd.DataFrame:
    """Read a CSV, or a gzipped one, with every cell as text; row i of the result is the i-th row below the header.

    Raises
    ------
    GalmorphError
        If the file is missing, damaged, not a CSV, or (unless it `may_be_empty`) has a header and no rows.
    """
    try:
        # Only at the end of a gzip stream is its checksum compared, and pandas may stop before.
        with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as stream:
            table = pd.read_csv(stream, dtype=str, keep_default_na=False, encoding="utf-8-sig", index_col=False)
            stream.read()
    except FileNotFoundError:
        raise GalmorphError(f"{path}: no such file; put the table there or correct its name in params.yaml") from None
    except pd.errors.EmptyDataError:
        raise GalmorphError(f"{path}: empty; put the table in its place") from None
    except (OSError, EOFError, zlib.error) as error:
        raise GalmorphError(f"{path}: damaged or cut short ({error}); fetch the file again") from None
    except (pd.errors.ParserError, UnicodeDecodeError) as error:
        raise GalmorphError(f"{path}: not a CSV table ({str(error).strip()}); fetch the file again") from None
    if table.empty and not may_be_empty:
        raise GalmorphError(f"{path}: a header and no rows; put the table in its place")
    return table


def require_columns(table: pd.DataFrame, columns: tuple[str, ...], path: Path) -> None:
    """Stop with the name of the first column that a table lacks."""
    for column in columns:
        if column not in table.columns:
            raise GalmorphError(f"{path}: no column {column}; the columns needed are {', '.join(columns)}")


def refuse_rows(wrong: pd.Series | NDArray[np.bool_], table: pd.DataFrame, column: str, why: str, path: Path) -> None:
    """Stop with the first row that is wrong: its line, its cell, why, and how many more there are."""
    rows = np.flatnonzero(np.asarray(wrong, dtype=bool))
    if rows.size:
        row, more = int(rows[0]), f" ({rows.size - 1} more such rows)" if rows.size > 1 else ""
        first = table.columns[0]
        shown = "" if column == first else f" ({first} {table[first].iloc[row]})"
        cell = table[column].iloc[row]
        place = f"line {row + _FIRST_LINE}{shown}"
        raise GalmorphError(f"{path}: {place}: {column} {cell!r} {why}{more}; correct the table")


def whole_numbers(table: pd.DataFrame, column: str, path: Path) -> NDArray[np.int64]:
    """Convert a column of text to int64 without passing through float, which has too few digits for object ids."""
    text = table[column].str.strip()
    refuse_rows(~text.str.fullmatch(r"\d{1,18}|[1-8]\d{18}"), table, column, "is not a whole number", path)
    return np.asarray(text.astype(np.int64), dtype=np.int64)


def real_numbers(
    table: pd.DataFrame, column: str, path: Path, low: float, high: float, *, blank: bool = False
) -> NDArray[np.float64]:
    """Convert a column of text to float64 within [low, high]; with `blank`, an empty cell becomes NaN."""
    try:
        # Ten times as fast as pandas, but all or nothing.
        values = np.array(pc.cast(pa.array(table[column], type=pa.string()), pa.float64()))
    except pa.ArrowInvalid:
        values = pd.to_numeric(table[column], errors="coerce").to_numpy(dtype=np.float64)
    wrong = ~((values >= low) & (values <= high))
    if blank:
        wrong &= (table[column].str.strip() != "").to_numpy(dtype=bool)
    refuse_rows(wrong, table, column, f"is not a number from {low:g} to {high:g}", path)
    return values


def _degrees(table: pd.DataFrame, column: str, path: Path, limit: float, unit: str) -> NDArray[np.float64]:
    """Convert sexagesimal text to its unit; `limit` bounds its size."""
    parts = pc.extract_regex(pa.array(table[column].str.strip(), type=pa.string()), pattern=_SEXAGESIMAL)
    refuse_rows(pc.is_null(parts).to_numpy(zero_copy_only=False), table, column, f"is not {unit}", path)
    whole, minutes, seconds = (
        pc.cast(pc.struct_field(parts, name), pa.float64()).to_numpy() for name in ("whole", "minutes", "seconds")
    )
    # The sign stands on its own, because -00 is a number like any other to a converter.
    negative = pc.equal(pc.struct_field(parts, "sign"), "-").to_numpy(zero_copy_only=False)
    size = whole + minutes / 60 + seconds / 3600
    refuse_rows((size > limit) | (negative & (unit[0] == "h")), table, column, f"is not {unit}", path)
    degrees: NDArray[np.float64] = np.where(negative, -size, size)
    return degrees


def read_table2(path: Path) -> pd.DataFrame:
    """Read Table 2, or some of its rows, from a CSV or a gzipped CSV.

    Returns
    -------
    pandas.DataFrame
        One row per galaxy in the order of the file, index 0, 1, ...: objid (int64); ra, dec (float64, degrees, ICRS);
        nvote (int32); p_el, p_cw, p_acw, p_edge, p_dk, p_mg, p_cs, p_el_debiased, p_cs_debiased (float64); class
        (str: spiral, elliptical or uncertain), which is the flag column that is set: the flags cannot be rebuilt
        from the printed shares of the votes.

    Raises
    ------
    GalmorphError
        If the file is missing, empty or damaged, lacks a column, or has a row with an OBJID seen before, coordinates
        or numbers that cannot be read, or not exactly one flag.
    """
    table = read_text_table(path)
    require_columns(table, COLUMNS, path)
    result = pd.DataFrame({"objid": whole_numbers(table, "OBJID", path)})
    refuse_rows(result["objid"].duplicated(), table, "OBJID", "stands in the table twice", path)
    result["ra"] = _degrees(table, "RA", path, 24.0, "hours:minutes:seconds") * 15.0 % 360.0
    result["dec"] = _degrees(table, "DEC", path, 90.0, "degrees:minutes:seconds")
    result["nvote"] = real_numbers(table, "NVOTE", path, 0, 1e6).astype(np.int32)
    for column in VOTES:
        result[column.lower()] = real_numbers(table, column, path, 0, 1)
    flags = np.column_stack([real_numbers(table, column, path, 0, 1) for column in FLAGS])
    shown = table.assign(flags=table[FLAGS[0]] + "," + table[FLAGS[1]] + "," + table[FLAGS[2]])
    wrong = ~(np.isin(flags, (0, 1)).all(axis=1) & (flags.sum(axis=1) == 1))
    refuse_rows(wrong, shown, "flags", f"({', '.join(FLAGS)}) do not name exactly one class", path)
    result["class"] = pd.Series(np.asarray(CLASS_NAMES)[flags.argmax(axis=1)], dtype="str")
    return result


def read_redshifts(path: Path) -> pd.DataFrame:
    """Read spectroscopic redshifts from a CSV with a column redshift, and objid (or objid_dr7), or ra and dec, or both.

    Returns
    -------
    pandas.DataFrame
        objid (int64; 0 where the cell is empty), ra, dec (float64, degrees; NaN where empty), redshift (float64).
        It may have no rows.

    Raises
    ------
    GalmorphError
        If a column is missing, a number cannot be read, an objid stands there twice, or a row can be found neither
        by objid nor by position.
    """
    table = read_text_table(path, may_be_empty=True).rename(columns={"objid_dr7": "objid"})
    require_columns(table, ("redshift",), path)
    for column in ("objid", "ra", "dec"):
        if column not in table.columns:
            table[column] = ""
    named = (table["objid"].str.strip() != "").to_numpy(dtype=bool)
    objid = np.zeros(len(table), dtype=np.int64)
    objid[named] = whole_numbers(table.assign(objid=table["objid"].where(named, "0")), "objid", path)[named]
    ra = real_numbers(table, "ra", path, 0, 360, blank=True)
    dec = real_numbers(table, "dec", path, -90, 90, blank=True)
    refuse_rows(pd.Series(objid).duplicated() & named, table, "objid", "stands in the table twice", path)
    refuse_rows(~named & ~(np.isfinite(ra) & np.isfinite(dec)), table, "objid", "and no position: one is needed", path)
    redshift = real_numbers(table, "redshift", path, -0.1, 10)
    return pd.DataFrame({"objid": objid, "ra": ra, "dec": dec, "redshift": redshift})


@dataclass(frozen=True)
class RedshiftCounts:
    """How many galaxies of a catalogue were given a redshift, and how."""

    by_objid: int
    by_position: int
    unmatched: int


def join_redshifts(catalogue: pd.DataFrame, redshifts: pd.DataFrame) -> tuple[pd.DataFrame, RedshiftCounts]:
    """Give each galaxy its redshift: that of its objid, else that of the nearest position within 2 arcsec.

    Parameters
    ----------
    catalogue
        As `read_table2` returns it.
    redshifts
        As `read_redshifts` returns them.

    Returns
    -------
    catalogue, counts
        A copy with a column redshift (float64), NaN where unknown; and what was found how.
    """
    known = redshifts[redshifts["objid"] != 0].set_index("objid")["redshift"]
    redshift = known.reindex(catalogue["objid"]).to_numpy(dtype=np.float64, copy=True)
    by_objid = int(np.isfinite(redshift).sum())
    left = np.flatnonzero(np.isnan(redshift))
    placed = redshifts[redshifts["ra"].notna() & redshifts["dec"].notna()]
    if left.size and len(placed):
        sky = SkyCoord(placed["ra"].to_numpy() * u.deg, placed["dec"].to_numpy() * u.deg)
        rows = catalogue.iloc[left]
        index, separation, _ = SkyCoord(
            rows["ra"].to_numpy() * u.deg, rows["dec"].to_numpy() * u.deg
        ).match_to_catalog_sky(sky)
        near = separation.arcsec <= MATCH_RADIUS_ARCSEC
        redshift[left[near]] = placed["redshift"].to_numpy()[index[near]]
    unmatched = int(np.isnan(redshift).sum())
    counts = RedshiftCounts(by_objid, len(catalogue) - by_objid - unmatched, unmatched)
    return catalogue.assign(redshift=redshift), counts


def choose_sample(catalogue: pd.DataFrame, settings: SampleSettings) -> pd.DataFrame:
    """Choose the galaxies that are requested.

    Parameters
    ----------
    catalogue
        One row per galaxy, in the order of its file. For the rule in_frames, those that the frames at hand hold.
    settings
        The rule: the first rows (also of in_frames), or random ones; how many (None: all); the seed.

    Returns
    -------
    pandas.DataFrame
        The rows chosen, in the order of the file, with the index that they had.

    Raises
    ------
    GalmorphError
        If more are requested than there are, or there are none.
    """
    size = len(catalogue) if settings.galaxies is None else settings.galaxies
    if size > len(catalogue):
        raise GalmorphError(
            f"survey.sample.galaxies: {size} requested, {len(catalogue)} to choose from; lower it, or null for all"
        )
    if size == 0:
        raise GalmorphError("the sample is empty: no galaxy to choose from; look at survey.sample and the catalogue")
    if settings.rule == "random":
        rows = np.random.default_rng(settings.seed).choice(len(catalogue), size, replace=False)
        return catalogue.iloc[np.sort(rows)]
    return catalogue.iloc[:size]
