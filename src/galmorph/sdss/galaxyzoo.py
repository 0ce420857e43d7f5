"""Read Table 2 of Galaxy Zoo 1 (Lintott et al. 2011, MNRAS 410, 166): votes and classes of galaxies with spectra."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from galmorph.files.texttable import (
    find_columns,
    read_blocks,
    real_numbers,
    refuse_rounded,
    refuse_rows,
    whole_numbers,
)
from galmorph.settings.fields import CLASS_NAMES

VOTES = ("P_EL", "P_CW", "P_ACW", "P_EDGE", "P_DK", "P_MG", "P_CS", "P_EL_DEBIASED", "P_CS_DEBIASED")
FLAGS = tuple(name.upper() for name in CLASS_NAMES)
COLUMNS = ("OBJID", "RA", "DEC", "NVOTE", *VOTES, *FLAGS)
ROWS = 667_944  # of the complete table

_SEXAGESIMAL = r"^(?P<sign>[+-]?)(?P<whole>\d{1,2}):(?P<minutes>[0-5]?\d):(?P<seconds>[0-5]?\d(?:\.\d*)?|60(?:\.0*)?)$"


def sexagesimal(table: pd.DataFrame, column: str, path: Path, limit: float, unit: str) -> NDArray[np.float64]:
    """Convert sexagesimal text to hours or degrees, of at most `limit`; `unit` is as errors name it."""
    parts = pc.extract_regex(pa.array(table[column].str.strip(), type=pa.string()), pattern=_SEXAGESIMAL)
    refuse_rows(pc.is_null(parts).to_numpy(zero_copy_only=False), table, column, f"is not {unit}", path)
    whole, minutes, seconds = (
        pc.cast(pc.struct_field(parts, name), pa.float64()).to_numpy() for name in ("whole", "minutes", "seconds")
    )
    # The sign is read separately, because -00 is 0 as a number.
    negative = pc.equal(pc.struct_field(parts, "sign"), "-").to_numpy(zero_copy_only=False)
    size = whole + minutes / 60 + seconds / 3600
    refuse_rows((size > limit) | (negative & (unit[0] == "h")), table, column, f"is not {unit}", path)
    degrees: NDArray[np.float64] = np.where(negative, -size, size)
    return degrees


def read_table2(path: Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    r"""Read Table 2, or some of its rows, from a CSV or gzipped CSV.

    Parameters
    ----------
    columns
        Those of the result to keep; None: all. The others are verified too.

    Returns
    -------
    pandas.DataFrame
        One row per galaxy in the order of the file, index 0, 1, ...: objid (int64); ra, dec (float64, degrees, ICRS);
        nvote (int32); p_el, p_cw, p_acw, p_edge, p_dk, p_mg, p_cs, p_el_debiased, p_cs_debiased (float64); class
        (str: spiral, elliptical or uncertain), the flag column that is set: the flags cannot be recomputed from the
        printed shares of the votes.

    Raises
    ------
    GalmorphError
        If the file is missing, empty or damaged, lacks a column, has OBJIDs that a spreadsheet has rounded, or has a
        row with the OBJID of an earlier one, invalid coordinates or numbers, or not exactly one flag.

    Examples
    --------
    >>> import tempfile
    >>> row = "587727178986356823,00:00:00.41,-10:22:25.7,59,0.61,0.034,0,0.153,0.153,0.051,0.186,0.61,0.186,0,0,1"
    >>> path = Path(tempfile.mkdtemp()) / "table2.csv"
    >>> _ = path.write_text(",".join(COLUMNS) + "\n" + row)
    >>> table = read_table2(path)
    >>> table[["objid", "ra", "dec", "nvote", "class"]].round(5)
                    objid       ra       dec  nvote      class
    0  587727178986356823  0.00171 -10.37381     59  uncertain
    """
    table = pd.concat([block if columns is None else block[list(columns)] for block in read_table2_blocks(path)])
    refuse_rounded(table["objid"].to_numpy(), "OBJID", path)
    if (repeated := table["objid"].duplicated()).any():
        refuse_rows(
            repeated, pd.DataFrame({"OBJID": table["objid"].astype(str)}), "OBJID", "is in the table twice", path
        )
    return table


def read_table2_blocks(path: Path) -> Iterator[pd.DataFrame]:
    """Read Table 2 some rows at a time, like `read_table2` but without the checks of the object ids together."""
    for block in read_blocks(path):
        yield _block(find_columns(block, path, COLUMNS), path).set_index(block.index)


def _block(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Convert some rows of text."""
    result = pd.DataFrame({"objid": whole_numbers(table, "OBJID", path)})
    result["ra"] = sexagesimal(table, "RA", path, 24.0, "hours:minutes:seconds") * 15.0 % 360.0
    result["dec"] = sexagesimal(table, "DEC", path, 90.0, "degrees:minutes:seconds")
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
