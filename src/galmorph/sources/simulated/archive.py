"""A frame and a catalogue as the DR7 archive and Galaxy Zoo hold them: headers, columns, formats, names.

Every writer returns or writes bytes that depend on its arguments alone.
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
from astropy.wcs import WCS
from numpy.typing import NDArray

from galmorph.sdss.galaxyzoo import COLUMNS, VOTES
from galmorph.sdss.names import PIXEL_SCALE, FrameName, tsfield_path
from galmorph.sources.simulated.exposure import EXPOSURE_SECONDS, Exposure
from galmorph.sources.simulated.pointing import FIELD_ROWS, FIRST_FIELD, FIRST_RUN, RERUN, Pointing

SOFT_BIAS: Final = 1000
BAND: Final = "r"
R: Final = 2  # its place in u g r i z
ROW_CLOCK: Final = 26322  # microseconds
GZIP_LEVEL: Final = 1  # noise does not compress: a higher level takes ten times as long for 5 %

# Of the other bands, which have no frames: typical values of real tsField files, u g r i z.
GAIN: Final = (1.6, 3.995, 4.76, 4.885, 4.775)
DARK_VARIANCE: Final = (12.6025, 1.96, 1.3225, 6.25, 9.61)
ZERO_POINT: Final = (-23.72, -24.44, -24.01, -23.72, -21.79)
EXTINCTION: Final = (0.47, 0.16, 0.08, 0.05, 0.03)
RELATIVE_WIDTH: Final = (1.14, 1.08, 1.0, 0.96, 1.0)
SKY: Final = (1.6e-9, 2.2e-9, 4.7e-9, 7.9e-9, 2.3e-8)  # of a flux of magnitude 0, per square arcsec


def _start(pointing: Pointing) -> float:
    """Return the TAI of the frame's first row, seconds since 1858-11-17: runs on successive nights."""
    night = (pointing.run - FIRST_RUN) * 86400.0
    return 4_476_600_000.0 + night + (pointing.field - FIRST_FIELD) * FIELD_ROWS * ROW_CLOCK * 1e-6


def _header(pointing: Pointing, exposure: Exposure, calibrated: bool) -> fits.Header:
    tai = _start(pointing)
    moment = datetime(1858, 11, 17) + timedelta(seconds=round(tai, 2))
    stripe = 82 + (pointing.run - FIRST_RUN) % 7
    header = fits.Header()

    def card(keyword: str, value: str | int | float, comment: str = "") -> None:
        header.append((keyword, value, comment), end=True)

    card("TAI", round(tai, 2), "1st row - Number of seconds since Nov 17 1858")
    card("RA", round(pointing.ra, 5), "1st row - Right ascension of telescope boresigh")
    card("DEC", round(pointing.dec, 6), "1st row - Declination of telescope boresight (d")
    card("SPA", 90.0, "1st row - Camera col position angle wrt north (")
    card("DATE-OBS", f"{moment:%Y-%m-%d}", "1st row - TAI date")
    card("TAIHMS", f"{moment:%H:%M:%S}.{moment.microsecond // 10000:02d}", "1st row - TAI time (HH:MM:SS.SS)")
    card("BUNITS", "ADUs")
    card("ORIGIN", "SIMULATED")
    card("TELESCOP", "2.5m")
    card("TIMESYS", "TAI")
    card("RUN", pointing.run, "Run number")
    card("FRAME", pointing.field, "Frame sequence number within the run")
    card("CCDLOC", 10 + pointing.camcol, "Survey location of CCD (e.g., rowCol)")
    card("STRIPE", stripe, "Stripe index number (23 <--> eta=0)")
    card("STRIP", "S", "Strip in the stripe being tracked.")
    card("FLAVOR", "science", "Flavor of this run")
    card("OBJECT", f"{stripe} S", "e.g., 'stripe 50.6 degrees, north strip'")
    card("EXPTIME", f"{EXPOSURE_SECONDS:.6f}", "Exposure time (seconds)")
    card("SYSTEM", "FK5", "System of the TCC coordinates (e.g., mean)")
    card("CCDMODE", "DRIFT", "'STARING' or 'DRIFT'")
    card("C_OBS", ROW_CLOCK, "CCD row clock rate (usec/row)")
    card("COLBIN", 1, "Binning factor perpendicular to the columns")
    card("ROWBIN", 1, "Binning factor perpendicular to the rows")
    card("CAMROW", 1, "Row in the imaging camera")
    card("BADLINES", 0, "Number of bad lines in frame")
    card("EQUINOX", 2000.0)
    card("SOFTBIAS", SOFT_BIAS, 'software "bias" added to all DN')
    if calibrated:
        card("FLUX20", round(exposure.flux20, 2), "Number of DN in 20th mag object")
        card("FLUX0", -9999.0, "Number of DN in 0th mag object")
        card("SKY", round(exposure.sky, 2), "Approx. sky level (DN)")
    card("BUNIT", "DNs")
    card("FILTER", BAND, "filter used")
    card("CAMCOL", pointing.camcol, "column in the imaging camera")
    card("RADECSYS", "ICRS", "International Celestial Ref. System")
    _coordinates(header, pointing.wcs())
    return header


def _coordinates(header: fits.Header, wcs: WCS) -> None:
    for axis in (1, 2):
        header[f"CTYPE{axis}"] = wcs.wcs.ctype[axis - 1]
        header[f"CUNIT{axis}"] = "deg"
    for axis in (1, 2):
        header[f"CRPIX{axis}"] = float(wcs.wcs.crpix[axis - 1])
        header[f"CRVAL{axis}"] = float(wcs.wcs.crval[axis - 1])
    for row in (1, 2):
        for column in (1, 2):
            header[f"CD{row}_{column}"] = float(wcs.wcs.cd[row - 1, column - 1])


def frame_bytes(pixels: NDArray[np.float32], pointing: Pointing, exposure: Exposure, *, calibrated: bool) -> bytes:
    """Return a corrected frame as a gzipped FITS file.

    Parameters
    ----------
    pixels
        (y, x) float32, DN, sky included.
    pointing, exposure
        Where, and under which circumstances.
    calibrated
        Whether the header tells SKY and FLUX20, as in half of the archive.
    """
    counts = np.clip(np.rint(pixels) + np.float32(SOFT_BIAS), 0, 65535).astype(np.uint16)
    plain, packed = io.BytesIO(), io.BytesIO()
    fits.PrimaryHDU(counts, _header(pointing, exposure, calibrated)).writeto(plain)
    with gzip.GzipFile(filename="", mode="wb", compresslevel=GZIP_LEVEL, fileobj=packed, mtime=0) as stream:
        stream.write(plain.getbuffer())
    return packed.getvalue()


def tsfield_bytes(pointing: Pointing, exposure: Exposure, stars: int, galaxies: int) -> bytes:
    """Return the calibration of a field as a FITS file: one row, five bands a column where the band matters.

    Parameters
    ----------
    pointing, exposure
        Where, and under which circumstances (of r; the other bands get what goes with them).
    stars, galaxies
        How many sources of each kind are in the frame.
    """

    def with_r(values: tuple[float, ...], r: float) -> NDArray[np.float64]:
        return np.array([r if band == R else value for band, value in enumerate(values)])

    # f / f0 = counts / exposure time * 10^(0.4 (aa + kk airmass)), as the archive's photometric calibration has it.
    zero = -(20 + 2.5 * np.log10(exposure.flux20 / EXPOSURE_SECONDS)) - exposure.extinction * exposure.airmass
    sky = with_r(SKY, exposure.sky / PIXEL_SCALE**2 / exposure.flux20 * 1e-8)
    bands: dict[str, tuple[str, NDArray[np.float64]]] = {
        "mjd": ("5D", _start(pointing) / 86400 + (np.array([2, 4, 0, 1, 3]) * 71.7) / 86400),
        "airmass": ("5D", np.full(5, exposure.airmass)),
        "aa": ("5E", with_r(ZERO_POINT, zero)),
        "bb": ("5E", np.zeros(5)),
        "cc": ("5E", np.zeros(5)),
        "kk": ("5E", with_r(EXTINCTION, exposure.extinction)),
        "sky": ("5E", sky),
        "psf_width": ("5E", exposure.psf_width * np.array(RELATIVE_WIDTH)),
        "gain": ("5E", with_r(GAIN, exposure.gain)),
        "dark_variance": ("5E", with_r(DARK_VARIANCE, exposure.dark_variance)),
    }
    single = {"field": pointing.field, "quality": 3, "nObjects": stars + galaxies, "nStars": stars, "nGals": galaxies}
    columns = [fits.Column(name=name, format="1J", array=np.array([value])) for name, value in single.items()]
    columns += [fits.Column(name=name, format=form, array=value[None]) for name, (form, value) in bands.items()]
    primary = fits.PrimaryHDU()
    primary.header["RUN"] = (pointing.run, "Imaging run number.")
    primary.header["CAMCOL"] = (pointing.camcol, "Column in imaging camera.")
    primary.header["RERUN"] = (RERUN, "Rerun number.")
    primary.header["NFIELDS"] = (1, "Number of fields reduced.")
    primary.header["FILTERS"] = ("u g r i z", "Filter order in arrays.")
    primary.header["FIELD0"] = (pointing.field, "First field reduced.")
    stream = io.BytesIO()
    fits.HDUList([primary, fits.BinTableHDU.from_columns(columns)]).writeto(stream)
    return stream.getvalue()


def frame_file(pointing: Pointing) -> str:
    """Return the archive's name of a frame."""
    return FrameName("dr7", pointing.run, pointing.camcol, pointing.field, BAND).path(RERUN)


def tsfield_file(pointing: Pointing) -> str:
    """Return the archive's name of a field's calibration."""
    return tsfield_path(pointing.run, RERUN, pointing.camcol, pointing.field)


def sexagesimal(value: float, decimals: int) -> str:
    """Return hours or degrees as [-]hh:mm:ss with so many decimals of a second; a carry runs through."""
    unit = 10**decimals
    total = round(abs(value) * 3600 * unit)
    seconds, fraction = divmod(total, unit)
    whole, minutes = divmod(seconds // 60, 60)
    return f"{'-' if value < 0 else ''}{whole:02d}:{minutes:02d}:{seconds % 60:02d}.{fraction:0{decimals}d}"


def _share(value: float) -> str:
    """Return a share of the votes as Table 2 prints it: three decimals, none needlessly."""
    return f"{value:.3f}".rstrip("0").rstrip(".")


def write_table2(catalogue: pd.DataFrame, path: Path) -> None:
    """Write Galaxy Zoo 1's Table 2.

    Parameters
    ----------
    catalogue
        With objid, ra and dec in degrees, and Table 2's columns from NVOTE on.
    path
        The CSV.
    """
    table = pd.DataFrame({"OBJID": catalogue["objid"].astype(str)})
    hours = (sexagesimal(ra / 15, 2) for ra in catalogue["ra"])
    # What rounds up to a full turn begins anew.
    table["RA"] = [text if text < "24" else "00:00:00.00" for text in hours]
    degrees = (sexagesimal(dec, 1) for dec in catalogue["dec"])
    table["DEC"] = [text if text.startswith("-") else f"+{text}" for text in degrees]
    for column in COLUMNS[3:]:
        values = catalogue[column]
        table[column] = [_share(value) for value in values] if column in VOTES else values.astype(str)
    table.to_csv(path, index=False, lineterminator="\n")


def write_redshifts(catalogue: pd.DataFrame, path: Path) -> None:
    """Write objid, ra, dec (degrees) and redshift as a CSV."""
    text = {
        "objid": catalogue["objid"].astype(str),
        "ra": [f"{value:.6f}" for value in catalogue["ra"]],
        "dec": [f"{value:.6f}" for value in catalogue["dec"]],
        "redshift": [f"{value:.5f}" for value in catalogue["redshift"]],
    }
    pd.DataFrame(text).to_csv(path, index=False, lineterminator="\n")
