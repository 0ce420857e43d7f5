"""Every reader, given damaged files and other people's text.

A reader either returns what was written or raises a GalmorphError that names the file.
"""

import gzip
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from galmorph.classify.targets import stamp_targets
from galmorph.errors import GalmorphError, NotRegularFileError
from galmorph.files.datafiles import open_stamps, read_table
from galmorph.files.reading import file_md5, regular_file
from galmorph.report.page import Book, Section, render
from galmorph.report.table import Table
from galmorph.sdss.frames import read_frame, read_psf_width
from galmorph.sdss.galaxyzoo import read_table2
from galmorph.sdss.redshifts import read_redshifts
from galmorph.settings.reading import load_settings
from galmorph.sources.pictures import UnusableStampError, read_picture
from galmorph.sources.stamps import read_labels
from galmorph.training.declared import read_epoch
from galmorph.training.records import load_record
from tests.support.frames import TABLE2_HEADER, header_cards, objid, table2_row, write_table2
from tests.support.parameters import settings_with

pytestmark = pytest.mark.fault

READERS: dict[str, Callable[[Path], Any]] = {
    "fpC-001729-r3-0083.fit.gz": read_frame,
    "frame-r-001729-3-0083.fits.bz2": read_frame,
    "tsField-001729-3-40-0083.fit": lambda path: read_psf_width(path, "r"),
    "table2.csv": read_table2,
    "table2.csv.gz": read_table2,
    "redshifts.csv": read_redshifts,
    "labels.csv": read_labels,
    "params.yaml": load_settings,
    "run-001.npz": load_record,
    "images.npy": open_stamps,
    "galaxies.parquet": read_table,
}
OTHERS: dict[str, Callable[[Path], Any]] = {
    "epoch.json": lambda path: read_epoch(path.parent, 3),
    "run-001.weights.h5": file_md5,
}


def assert_refused(read, path):
    with pytest.raises(GalmorphError, match=path.name):
        read(path)


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=15)
@given(content=st.binary(max_size=400))
def test_random_bytes(tmp_path_factory, name, content):
    path = tmp_path_factory.mktemp("random") / name
    path.write_bytes(content)
    assert_refused(READERS[name], path)


@settings(max_examples=15)
@given(rows=st.lists(st.lists(st.text(max_size=12), min_size=16, max_size=16), min_size=1, max_size=4))
def test_random_cells_in_table2(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("random") / "table2.csv"
    pd.DataFrame(rows, columns=TABLE2_HEADER.split(",")).to_csv(path, index=False, encoding="utf-8")
    assert_refused(read_table2, path)


@pytest.mark.parametrize("name", READERS | OTHERS)
def test_a_folder_in_place_of_a_file(tmp_path, name):
    (tmp_path / name).mkdir()
    assert_refused((READERS | OTHERS)[name], tmp_path / name)


def test_a_pipe_in_place_of_a_file(tmp_path):
    # To open one that nobody writes to would wait without end.
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(NotRegularFileError, match="not a regular file"):
        regular_file(tmp_path / "pipe")


def fits_header(**cards):
    """Return the header of a frame with some cards changed; there are no pixels behind it."""
    header = fits.Header()
    claimed = {"SIMPLE": True, "BITPIX": 16, "NAXIS": 2, "NAXIS1": 2048, "NAXIS2": 1489} | cards
    for name, value in (claimed | header_cards(1729, 3, 83, "r") | cards).items():
        header[name] = value
    return header.tostring().encode()


# What a flipped bit makes of a header. Over a negative side astropy reads the file in an endless loop.
DAMAGED_HEADERS = {
    "a terabyte of pixels": fits_header(NAXIS1=2**31 - 1, NAXIS2=2**31 - 1),
    "a negative side": fits_header(NAXIS1=-5),
    "an infinite side": fits_header().replace(b"NAXIS1  =                 2048", b"NAXIS1  =                1E400"),
    "an unknown pixel type": fits_header(BITPIX=12345),
}


@pytest.mark.parametrize("header", DAMAGED_HEADERS.values(), ids=DAMAGED_HEADERS)
def test_a_damaged_fits_header(tmp_path, header):
    frame, stamp = tmp_path / "fpC-001729-r3-0083.fit.gz", tmp_path / "stamp.fits"
    frame.write_bytes(gzip.compress(header + bytes(2880)))
    assert_refused(read_frame, frame)
    stamp.write_bytes(header + bytes(2880))
    with pytest.raises(UnusableStampError):
        read_picture(stamp, "green")


def test_a_damaged_header_of_a_numpy_array(tmp_path):
    path = tmp_path / "images.npy"
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<f4", "fortran_order": False, "shape": (10**9, 4096, 4096)}
        )
    assert_refused(open_stamps, path)
    with pytest.raises(UnusableStampError):
        read_picture(path, "green")


def test_a_file_name_that_is_not_utf8(tmp_path):
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.npy")).touch()
    except OSError:
        pytest.skip("this file system takes no such name")
    chosen = settings_with({})
    with pytest.raises(GalmorphError, match=r"the name b'\\xff\.npy' is not UTF-8; rename"):
        stamp_targets(tmp_path, None, chosen.stamps, chosen.cutouts)


@pytest.mark.parametrize("name", ["../up.fits", "/etc/passwd.png", "a/../../b.npy", "..\\up.png"])
def test_stamps_outside_their_folder(tmp_path, name):
    path = tmp_path / "labels.csv"
    pd.DataFrame({"stamp": [name], "class": ["spiral"]}).to_csv(path, index=False)
    with pytest.raises(GalmorphError, match=r"labels\.csv: line 2: stamp .*is not a file name"):
        read_labels(path)


def test_a_formula_as_objid(tmp_path):
    rows = [table2_row(objid(1), 150.0, 20.0), "=cmd|'/C calc'!A0" + table2_row(objid(2), 150.0, 20.0)[18:]]
    assert_refused(read_table2, write_table2(tmp_path / "table2.csv", rows))


def test_markup_in_names_is_text_on_the_page(tmp_path):
    script = "<script>alert('galaxy')</script>"
    chosen = settings_with({})
    # The settings refuse such a name; the page must not rely on it.
    chosen = chosen.model_copy(update={"survey": chosen.survey.model_copy(update={"name": script})})
    cells = pd.DataFrame({"Galaxy": [script]})
    tables = Book(chosen, tmp_path).tables(Table("hostile", f"Of {script}", cells, cells))
    html = render(
        settings=chosen,
        galaxies=1,
        found=[],
        sections=[Section("hostile", f"About {script}", (f"A paragraph of {script}",), tables)],
        provenance={script: script},
        figures=tmp_path / "figures",
    )
    assert script not in html
    assert html.count("&lt;script&gt;") >= 7
