"""Read spectroscopic redshifts and join them to Table 2, which has none."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd
from astropy.coordinates import SkyCoord

from galmorph.files.texttable import find_columns, object_ids, read_text_table, real_numbers, refuse_rows

log = logging.getLogger(__name__)

MATCH_RADIUS_ARCSEC = 2.0
OTHER_OBJECT_ARCSEC = 30.0  # an id and a position so far apart are not of one galaxy


def read_redshifts(path: Path, *, announce: bool = True) -> pd.DataFrame:
    r"""Read redshifts from a CSV with a column redshift (or z), and objid (or objid_dr7), or ra and dec, or both.

    With `announce`, which columns are used is logged.

    Returns
    -------
    pandas.DataFrame
        objid (int64; 0 if the cell is empty), ra, dec (float64, degrees; NaN if empty), redshift (float64). It may
        have no rows.

    Raises
    ------
    GalmorphError
        If a column is missing, a number is invalid, the objids are rounded or one is there twice, or a row has neither
        objid nor position.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "redshifts.csv"
    >>> _ = path.write_text("objid,redshift\n587722981736906801,0.05")
    >>> read_redshifts(path)
                    objid  ra  dec  redshift
    0  587722981736906801 NaN  NaN      0.05
    """
    text = read_text_table(path, may_be_empty=True)
    table = find_columns(text, path, ("redshift",), ("objid", "ra", "dec"), announce=announce)
    for column in ("objid", "ra", "dec"):
        if column not in table.columns:
            table[column] = ""
    named = (table["objid"].str.strip() != "").to_numpy(dtype=bool)
    objid = object_ids(table.assign(objid=table["objid"].where(named, "0")), "objid", path)
    refuse_rows((objid != 0) & pd.Series(objid).duplicated(), table, "objid", "is in the table twice", path)
    ra = real_numbers(table, "ra", path, 0, 360, blank=True)
    dec = real_numbers(table, "dec", path, -90, 90, blank=True)
    refuse_rows(~named & ~(np.isfinite(ra) & np.isfinite(dec)), table, "objid", "and no position: one is needed", path)
    redshift = real_numbers(table, "redshift", path, -0.1, 10)
    return pd.DataFrame({"objid": objid, "ra": ra, "dec": dec, "redshift": redshift})


def empty_redshifts() -> pd.DataFrame:
    """Return an empty table with the columns of `read_redshifts`."""
    kinds = {"objid": np.int64, "ra": np.float64, "dec": np.float64, "redshift": np.float64}
    return pd.DataFrame({column: np.empty(0, dtype=kind) for column, kind in kinds.items()})


def write_redshifts(galaxies: pd.DataFrame, path: Path) -> None:
    """Write objid, ra, dec and redshift of the galaxies that have one, as `read_redshifts` reads them."""
    known = galaxies.loc[galaxies["redshift"].notna(), ["objid", "ra", "dec", "redshift"]]
    known.to_csv(path, index=False, lineterminator="\n")


def join_redshifts(catalogue: pd.DataFrame, redshifts: pd.DataFrame) -> pd.DataFrame:
    """Add redshifts to a catalogue, and log how many: by objid, otherwise the nearest position within 2 arcsec.

    Parameters
    ----------
    catalogue
        As `read_table2` returns it.
    redshifts
        As `read_redshifts` returns them.

    Returns
    -------
    pandas.DataFrame
        A copy of the catalogue with a column redshift (float64, NaN where unknown).
    """
    known = redshifts[redshifts["objid"] != 0].set_index("objid")["redshift"]
    redshift = known.reindex(catalogue["objid"]).to_numpy(dtype=np.float64, copy=True)
    by_objid = int(np.isfinite(redshift).sum())
    _warn_of_other_places(catalogue, redshifts)
    left = np.flatnonzero(np.isnan(redshift))
    placed = redshifts[redshifts["ra"].notna() & redshifts["dec"].notna()]
    if left.size and len(placed):
        rows = catalogue.iloc[left]
        known_sky, sky = (
            SkyCoord(part["ra"].to_numpy(), part["dec"].to_numpy(), unit="deg") for part in (placed, rows)
        )
        index, separation, _ = sky.match_to_catalog_sky(known_sky)
        near = separation.arcsec <= MATCH_RADIUS_ARCSEC
        redshift[left[near]] = placed["redshift"].to_numpy()[index[near]]
    unmatched = int(np.isnan(redshift).sum())
    by_position = len(catalogue) - by_objid - unmatched
    log.info("redshifts: %d by objid, %d by position, %d unknown", by_objid, by_position, unmatched)
    return catalogue.assign(redshift=redshift)


def _warn_of_other_places(catalogue: pd.DataFrame, redshifts: pd.DataFrame) -> None:
    """Log how many galaxies have another position in the table of redshifts than in the catalogue."""
    placed = redshifts[(redshifts["objid"] != 0) & redshifts["ra"].notna() & redshifts["dec"].notna()]
    both = catalogue[["objid", "ra", "dec"]].merge(placed, on="objid", suffixes=("", "_here"))
    if both.empty:
        return
    ours, theirs = (
        SkyCoord(both[f"ra{end}"].to_numpy(), both[f"dec{end}"].to_numpy(), unit="deg") for end in ("", "_here")
    )
    if far := int((ours.separation(theirs).arcsec > OTHER_OBJECT_ARCSEC).sum()):
        log.warning(
            "redshifts: %d of %d galaxies that have a position there lie more than %.0f arcsec from that of their "
            "objid in the catalogue: are the object ids of one of the tables wrong?",
            far,
            len(both),
            OTHER_OBJECT_ARCSEC,
        )
