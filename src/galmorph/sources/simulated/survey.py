"""The simulated survey as files: frames, calibration and tables as the DR7 archive and Galaxy Zoo have them.

The bytes of each file depend on the settings alone.
"""

from __future__ import annotations

import gzip
import io
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from astropy.io import fits

from galmorph.parallel.workers import spread
from galmorph.sdss.frame_index import REDSHIFTS_NAME, TABLE2_NAME
from galmorph.sdss.galaxyzoo import COLUMNS, VOTES
from galmorph.sdss.names import PIXEL_SCALE
from galmorph.settings.survey import SimulatedSettings
from galmorph.sources.simulated import frames, volunteers
from galmorph.sources.simulated.exposure import EXPOSURE_SECONDS, Exposure
from galmorph.sources.simulated.pointing import BAND, RERUN, ROW_CLOCK, STRIP_FIELDS, Pointing, pointing

SOFT_BIAS: Final = 1000
GZIP_LEVEL: Final = 1  # noise does not compress: a higher level takes ten times as long for 5 %


def acquire(settings: SimulatedSettings, folder: Path) -> list[str]:
    """Make the simulated survey.

    Parameters
    ----------
    settings
        Number of galaxies, in all and per frame, their types, the seeing, and the seed.
    folder
        Existing and empty. It receives the frames and tsField files in the archive's layout under imaging/, Table 2,
        redshifts.csv, and truth.parquet: what the galaxies are and what can be seen of them, on which the votes
        depend. The tables are in the order of right ascension, as the original.

    Returns
    -------
    list of str
        The paths of the frames and tsField files.

    Raises
    ------
    GalmorphError
        If more galaxies are requested than the simulated sky, or a frame of it, has room for.
    """
    strips = range(-(-settings.galaxies // (STRIP_FIELDS * settings.galaxies_per_frame)))
    # Fail before any pixel is drawn.
    pointing(strips[-1], STRIP_FIELDS - 1)
    fields = [(strip, part) for strip in strips for part in range(len(frames.compose(settings, strip).exposures))]
    jobs = [(settings, strip, str(folder)) for strip in strips]
    results = dict(spread(make_strip, jobs, label="simulated survey", unit="strip", code=("sdss", "sources")))
    catalogue = pd.concat([results[strip] for strip in strips], ignore_index=True)
    catalogue = catalogue.sort_values(["ra", "objid"], ignore_index=True)
    write_table2(catalogue, folder / TABLE2_NAME)
    write_redshifts(catalogue, folder / REDSHIFTS_NAME)
    catalogue.drop(columns=list(COLUMNS[3:])).to_parquet(folder / "truth.parquet", index=False)
    return [path for field in fields for path in (pointing(*field).frame_path, pointing(*field).tsfield_path)]


def make_strip(settings: SimulatedSettings, strip: int, folder: str) -> pd.DataFrame:
    """Write the frames of one strip and their calibration; return the truth and the votes, one row per galaxy."""
    tables = []
    for part, seen in enumerate(frames.observe(settings, strip)):
        # SKY and FLUX20 are absent from half of the archive's headers.
        frame, calibration = frame_bytes(seen, calibrated=(strip + part) % 2 == 0), tsfield_bytes(seen)
        for name, content in ((seen.pointing.frame_path, frame), (seen.pointing.tsfield_path, calibration)):
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        tables.append(seen.truth)
    truth = pd.concat(tables, ignore_index=True)
    votes = volunteers.poll(truth, frames.stream(settings.seed, strip, frames.VOTES))
    return pd.concat([truth, votes], axis=1)


def frame_bytes(seen: frames.Observation, *, calibrated: bool) -> bytes:
    """Return a corrected frame as a gzipped FITS file, whose header has SKY and FLUX20 if `calibrated`."""
    counts = np.clip(np.rint(seen.pixels) + np.float32(SOFT_BIAS), 0, 65535).astype(np.uint16)
    plain, packed = io.BytesIO(), io.BytesIO()
    fits.PrimaryHDU(counts, _header(seen.pointing, seen.exposure, calibrated)).writeto(plain)
    with gzip.GzipFile(filename="", mode="wb", compresslevel=GZIP_LEVEL, fileobj=packed, mtime=0) as stream:
        stream.write(plain.getbuffer())
    return packed.getvalue()


def _header(pointing: Pointing, exposure: Exposure, calibrated: bool) -> fits.Header:
    """Return the header of a frame, with the comments of real ones."""
    tai = round(pointing.start, 2)
    moment = datetime(1858, 11, 17) + timedelta(seconds=tai)
    stripe = 82 + pointing.night % 7
    calibration = [
        ("FLUX20", round(exposure.flux20, 2), "Number of DN in 20th mag object"),
        ("FLUX0", -9999.0, "Number of DN in 0th mag object"),
        ("SKY", round(exposure.sky, 2), "Approx. sky level (DN)"),
    ]
    cards = [
        ("TAI", tai, "1st row - Number of seconds since Nov 17 1858"),
        ("RA", round(pointing.ra, 5), "1st row - Right ascension of telescope boresigh"),
        ("DEC", round(pointing.dec, 6), "1st row - Declination of telescope boresight (d"),
        ("SPA", 90.0, "1st row - Camera col position angle wrt north ("),
        ("DATE-OBS", f"{moment:%Y-%m-%d}", "1st row - TAI date"),
        ("TAIHMS", f"{moment:%H:%M:%S}.{moment.microsecond // 10000:02d}", "1st row - TAI time (HH:MM:SS.SS)"),
        ("BUNITS", "ADUs"),
        ("ORIGIN", "SIMULATED"),
        ("TELESCOP", "2.5m"),
        ("TIMESYS", "TAI"),
        ("RUN", pointing.run, "Run number"),
        ("FRAME", pointing.field, "Frame sequence number within the run"),
        ("CCDLOC", 10 + pointing.camcol, "Survey location of CCD (e.g., rowCol)"),
        ("STRIPE", stripe, "Stripe index number (23 <--> eta=0)"),
        ("STRIP", "S", "Strip in the stripe being tracked."),
        ("FLAVOR", "science", "Flavor of this run"),
        ("OBJECT", f"{stripe} S", "e.g., 'stripe 50.6 degrees, north strip'"),
        ("EXPTIME", f"{EXPOSURE_SECONDS:.6f}", "Exposure time (seconds)"),
        ("SYSTEM", "FK5", "System of the TCC coordinates (e.g., mean)"),
        ("CCDMODE", "DRIFT", "'STARING' or 'DRIFT'"),
        ("C_OBS", ROW_CLOCK, "CCD row clock rate (usec/row)"),
        ("COLBIN", 1, "Binning factor perpendicular to the columns"),
        ("ROWBIN", 1, "Binning factor perpendicular to the rows"),
        ("CAMROW", 1, "Row in the imaging camera"),
        ("BADLINES", 0, "Number of bad lines in frame"),
        ("EQUINOX", 2000.0),
        ("SOFTBIAS", SOFT_BIAS, 'software "bias" added to all DN'),
        *(calibration if calibrated else []),
        ("BUNIT", "DNs"),
        ("FILTER", BAND, "filter used"),
        ("CAMCOL", pointing.camcol, "column in the imaging camera"),
        ("RADECSYS", "ICRS", "International Celestial Ref. System"),
    ]
    wcs = pointing.wcs().wcs
    for i in (0, 1):
        cards += [(f"CTYPE{i + 1}", wcs.ctype[i]), (f"CUNIT{i + 1}", "deg")]
    for i in (0, 1):
        cards += [(f"CRPIX{i + 1}", float(wcs.crpix[i])), (f"CRVAL{i + 1}", float(wcs.crval[i]))]
    cards += [(f"CD{i + 1}_{j + 1}", float(wcs.cd[i, j])) for i in (0, 1) for j in (0, 1)]
    return fits.Header(cards)


def tsfield_bytes(seen: frames.Observation) -> bytes:
    """Return the calibration of a field as a FITS table of one row, with five bands, u g r i z, in most columns.

    The frame is in r; the other bands have typical values of real files.
    """
    pointing, exposure = seen.pointing, seen.exposure
    # f / f0 = counts / exposure time * 10^(0.4 (aa + kk airmass)), the archive's photometric calibration.
    zero = -(20 + 2.5 * np.log10(exposure.flux20 / EXPOSURE_SECONDS)) - exposure.extinction * exposure.airmass
    sky = exposure.sky / PIXEL_SCALE**2 / exposure.flux20 * 1e-8  # of a flux of magnitude 0, per square arcsec
    bands = {
        "mjd": pointing.start / 86400 + (np.array([2, 4, 0, 1, 3]) * 71.7) / 86400,
        "airmass": np.full(5, exposure.airmass),
        "aa": [-23.72, -24.44, zero, -23.72, -21.79],
        "bb": np.zeros(5),
        "cc": np.zeros(5),
        "kk": [0.47, 0.16, exposure.extinction, 0.05, 0.03],
        "sky": [1.6e-9, 2.2e-9, sky, 7.9e-9, 2.3e-8],
        "psf_width": exposure.psf_width * np.array([1.14, 1.08, 1.0, 0.96, 1.0]),
        "gain": [1.6, 3.995, exposure.gain, 4.885, 4.775],
        "dark_variance": [12.6025, 1.96, exposure.dark_variance, 6.25, 9.61],
    }
    objects, stars = len(seen.sources) + len(seen.truth), int(seen.sources["is_star"].sum())
    single = {"field": pointing.field, "quality": 3, "nObjects": objects, "nStars": stars, "nGals": objects - stars}
    columns = [fits.Column(name=name, format="1J", array=np.array([value])) for name, value in single.items()]
    for name, values in bands.items():
        kind = "5D" if name in ("mjd", "airmass") else "5E"
        columns.append(fits.Column(name=name, format=kind, array=np.array([values])))
    cards = [
        ("RUN", pointing.run, "Imaging run number."),
        ("CAMCOL", pointing.camcol, "Column in imaging camera."),
        ("RERUN", RERUN, "Rerun number."),
        ("NFIELDS", 1, "Number of fields reduced."),
        ("FILTERS", "u g r i z", "Filter order in arrays."),
        ("FIELD0", pointing.field, "First field reduced."),
    ]
    stream = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(header=fits.Header(cards)), fits.BinTableHDU.from_columns(columns)]).writeto(stream)
    return stream.getvalue()


def write_table2(catalogue: pd.DataFrame, path: Path) -> None:
    """Write Galaxy Zoo 1's Table 2 from objid, ra and dec in degrees, and its columns from NVOTE on."""
    table = pd.DataFrame({"OBJID": catalogue["objid"].astype(str)})
    hours = (sexagesimal(ra / 15, 2) for ra in catalogue["ra"])
    # A full turn is no right ascension.
    table["RA"] = [text if text < "24" else "00:00:00.00" for text in hours]
    degrees = (sexagesimal(dec, 1) for dec in catalogue["dec"])
    table["DEC"] = [text if text.startswith("-") else f"+{text}" for text in degrees]
    for column in COLUMNS[3:]:
        values = catalogue[column]
        # Three decimals, without trailing zeros.
        in_text = (lambda value: f"{value:.3f}".rstrip("0").rstrip(".")) if column in VOTES else str
        table[column] = [in_text(value) for value in values]
    table.to_csv(path, index=False, lineterminator="\n")


def sexagesimal(value: float, decimals: int) -> str:
    """Return hours or degrees as [-]hh:mm:ss.s with a number of decimals, in a fifth of the time of astropy's Angle."""
    unit = 10**decimals
    total = round(abs(value) * 3600 * unit)
    seconds, fraction = divmod(total, unit)
    whole, minutes = divmod(seconds // 60, 60)
    return f"{'-' if value < 0 else ''}{whole:02d}:{minutes:02d}:{seconds % 60:02d}.{fraction:0{decimals}d}"


def write_redshifts(catalogue: pd.DataFrame, path: Path) -> None:
    """Write objid, ra and dec (degrees) and redshift as a CSV."""
    text = {
        "objid": catalogue["objid"].astype(str),
        "ra": [f"{value:.6f}" for value in catalogue["ra"]],
        "dec": [f"{value:.6f}" for value in catalogue["dec"]],
        "redshift": [f"{value:.5f}" for value in catalogue["redshift"]],
    }
    pd.DataFrame(text).to_csv(path, index=False, lineterminator="\n")
