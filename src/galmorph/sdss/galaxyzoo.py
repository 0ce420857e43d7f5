"""Galaxy Zoo 1: the votes and classes of Table 2 of Lintott et al. (2011, MNRAS 410, 166), objects with spectra."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from galmorph.files.texttable import (
    read_blocks,
    real_numbers,
    refuse_repeats,
    refuse_rows,
    require_columns,
    whole_numbers,
)
from galmorph.settings.fields import CLASS_NAMES

VOTES = ("P_EL", "P_CW", "P_ACW", "P_EDGE", "P_DK", "P_MG", "P_CS", "P_EL_DEBIASED", "P_CS_DEBIASED")
FLAGS = tuple(name.upper() for name in CLASS_NAMES)
COLUMNS = ("OBJID", "RA", "DEC", "NVOTE", *VOTES, *FLAGS)
ROWS = 667_944  # of the whole Table 2

_SEXAGESIMAL = r"^(?P<sign>[+-]?)(?P<whole>\d{1,2}):(?P<minutes>[0-5]?\d):(?P<seconds>[0-5]?\d(?:\.\d*)?|60(?:\.0*)?)$"


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
    table = pd.concat(list(read_table2_blocks(path)))
    refuse_repeats(table["objid"].to_numpy(), "OBJID", path)
    return table


def read_table2_blocks(path: Path) -> Iterator[pd.DataFrame]:
    """Read Table 2 some rows at a time, as `read_table2` does but for objects that stand there twice."""
    for block in read_blocks(path):
        yield _block(block, path).set_index(block.index)


def _block(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Convert some rows."""
    require_columns(table, COLUMNS, path)
    result = pd.DataFrame({"objid": whole_numbers(table, "OBJID", path)})
    result["ra"] = _degrees(table, "RA", path, 24.0, "hours:minutes:seconds") * 15.0 % 360.0
    result["dec"] = _degrees(table, "DEC", path, 90.0, "degrees:minutes:seconds")
    votes = real_numbers(table, "NVOTE", path, 0, 1e6)
    refuse_rows(votes % 1 != 0, table, "NVOTE", "is not a whole number", path)
    result["nvote"] = votes.astype(np.int32)
    for column in VOTES:
        result[column.lower()] = real_numbers(table, column, path, 0, 1)
    flags = np.column_stack([real_numbers(table, column, path, 0, 1) for column in FLAGS])
    shown = table.assign(flags=table[FLAGS[0]] + "," + table[FLAGS[1]] + "," + table[FLAGS[2]])
    wrong = ~(np.isin(flags, (0, 1)).all(axis=1) & (flags.sum(axis=1) == 1))
    refuse_rows(wrong, shown, "flags", f"({', '.join(FLAGS)}) do not name exactly one class", path)
    result["class"] = pd.Series(np.asarray(CLASS_NAMES)[flags.argmax(axis=1)], dtype="str")
    return result
