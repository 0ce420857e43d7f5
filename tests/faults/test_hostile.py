"""Hostile input: absurd sizes, paths that climb, markup in names, pickles, and anything at all for the readers.

What must be kept: nothing but a GalmorphError, no hang, no memory beyond a bound; nothing is run or written elsewhere.
"""

from __future__ import annotations

import ast
import bz2
import gzip
import os
import pickle
import time
import tracemalloc
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
from galmorph.errors import GalmorphError
from galmorph.files import reading
from galmorph.files.datafiles import open_stamps, read_table
from galmorph.files.reading import file_md5
from galmorph.report.page import Book, Section, render
from galmorph.report.table import Table
from galmorph.sdss import frames
from galmorph.sdss.frames import read_frame, read_tsfield
from galmorph.sdss.galaxyzoo import read_table2
from galmorph.sdss.redshifts import read_redshifts
from galmorph.settings.reading import load_settings, parse_settings
from galmorph.sources import pictures
from galmorph.sources.manifest import read_manifest
from galmorph.sources.pictures import UnusableStampError, read_picture
from galmorph.sources.stamps import acquire, read_labels
from galmorph.stages.campaign import read_epoch
from galmorph.training.records import load_record
from tests.support.frames import TABLE2_HEADER, header_cards, objid, table2_row, write_table2
from tests.support.parameters import ROOT, changed, committed, settings_with

SECONDS, BYTES = 20.0, 200e6

READERS: dict[str, Callable[[Path], Any]] = {
    "fpC-001729-r3-0083.fit.gz": read_frame,
    "frame-r-001729-3-0083.fits.bz2": read_frame,
    "tsField-001729-3-40-0083.fit": lambda path: read_tsfield(path, "r"),
    "table2.csv": read_table2,
    "table2.csv.gz": read_table2,
    "redshifts.csv": read_redshifts,
    "labels.csv": read_labels,
    "params.yaml": load_settings,
    "run-001.npz": load_record,
    "images.npy": open_stamps,
    "galaxies.parquet": read_table,
}


def refused(read: Callable[[Path], Any], path: Path) -> None:
    """Read, and see that it is refused in bounded time and memory."""
    tracemalloc.start()
    started = time.monotonic()
    try:
        with pytest.raises(GalmorphError, match=path.name):
            read(path)
        assert time.monotonic() - started < SECONDS
        assert tracemalloc.get_traced_memory()[1] < BYTES
    finally:
        tracemalloc.stop()


@pytest.mark.fault
@pytest.mark.parametrize("name", READERS)
@settings(max_examples=25)
@given(content=st.binary(max_size=400))
def test_anything_at_all_is_refused(tmp_path_factory: pytest.TempPathFactory, name: str, content: bytes) -> None:
    path = tmp_path_factory.mktemp("hostile") / name
    path.write_bytes(content)
    refused(READERS[name], path)


@pytest.mark.fault
@pytest.mark.parametrize("name", [*READERS, "epoch.json", "run-001.weights.h5"])
@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_what_has_no_end_is_refused_by_every_reader(tmp_path: Path, name: str, kind: str) -> None:
    path = tmp_path / name
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()
    others = {"epoch.json": lambda path: read_epoch(path.parent, 3), "run-001.weights.h5": file_md5}
    refused(READERS.get(name) or others[name], path)


@pytest.mark.fault
@settings(max_examples=60)
@given(rows=st.lists(st.lists(st.text(max_size=12), min_size=16, max_size=16), min_size=1, max_size=4))
def test_any_cells_in_table2(tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]) -> None:
    path = tmp_path_factory.mktemp("hostile") / "table2.csv"
    pd.DataFrame(rows, columns=TABLE2_HEADER.split(",")).to_csv(path, index=False, encoding="utf-8")
    refused(read_table2, path)


def fits_claiming(**cards: Any) -> bytes:
    """A header that claims what the file does not hold."""
    header = fits.Header()
    claimed = {"SIMPLE": True, "BITPIX": 16, "NAXIS": 2, "NAXIS1": 2048, "NAXIS2": 1489} | cards
    for name, value in (claimed | header_cards(1729, 3, 83, "r") | cards).items():
        header[name] = value
    return header.tostring().encode()


ABSURD: dict[str, dict[str, Any]] = {
    "a terabyte": {"NAXIS1": 2**31 - 1, "NAXIS2": 2**31 - 1},
    "999 axes": {"NAXIS": 999},
    "a negative side": {"NAXIS1": -5},
    "no such type": {"BITPIX": 12345},
}


@pytest.mark.fault
@pytest.mark.parametrize("cards", ABSURD.values(), ids=ABSURD)
def test_a_fits_header_of_absurd_size(tmp_path: Path, cards: dict[str, Any]) -> None:
    path = tmp_path / "fpC-001729-r3-0083.fit.gz"
    path.write_bytes(gzip.compress(fits_claiming(**cards) + bytes(2880)))
    refused(read_frame, path)


@pytest.mark.fault
def test_a_fits_header_of_infinitely_many_pixels(tmp_path: Path) -> None:
    header = fits_claiming().replace(b"NAXIS1  =                 2048", b"NAXIS1  =                1E400")
    assert b"1E400" in header
    path = tmp_path / "fpC-001729-r3-0083.fit.gz"
    path.write_bytes(gzip.compress(header + bytes(2880)))
    refused(read_frame, path)


@pytest.mark.fault
def test_an_array_of_absurd_size(tmp_path: Path) -> None:
    path = tmp_path / "images.npy"
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<f4", "fortran_order": False, "shape": (10**9, 4096, 4096)}
        )
    refused(open_stamps, path)


@pytest.mark.fault
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("simulated.galaxies", 10**30),
        ("protocol.runs", 10**9),
        ("cutouts.stamp_size", 10**6),
        ("training.epochs", -1),
        ("training.learning_rate", float("inf")),
        ("network.filters", [10**9] * 3),
        ("survey.name", "../../elsewhere"),
        ("conditions", {"../up": committed()["conditions"]["two_class"]}),
        ("resolution.levels", {"../up": {"psf_fwhm": 3.0, "pixel_scale": 0.5, "noise": None}}),
    ],
)
def test_absurd_parameters(name: str, value: Any) -> None:
    with pytest.raises(GalmorphError, match=r"params\.yaml"):
        parse_settings(changed(committed(), {name: value}))


@pytest.mark.fault
def test_a_params_file_that_would_run_something(tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    (tmp_path / "params.yaml").write_text(f"survey: !!python/object/apply:os.mkdir ['{witness}']\n")
    refused(load_settings, tmp_path / "params.yaml")
    assert not witness.exists()


@pytest.mark.fault
@pytest.mark.parametrize(
    "text",
    [
        "survey: 2001-99-99",
        f"survey: {'9' * 5000}",
        "survey: !!int abc",
        "survey: !!float abc",
        "survey: !!bool abc",
        'survey: "\\UFFFFFFFF"',
        "[" * 800,
    ],
    ids=["no such date", "5,000 digits", "no int", "no float", "no bool", "no such letter", "nested"],
)
def test_a_params_file_that_no_reader_expects(tmp_path: Path, text: str) -> None:
    (tmp_path / "params.yaml").write_text(text + "\n")
    refused(load_settings, tmp_path / "params.yaml")


@pytest.mark.fault
def test_a_params_file_that_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").mkdir()
    refused(load_settings, tmp_path / "params.yaml")


@pytest.mark.fault
@pytest.mark.parametrize("suffix", [".gz", ".bz2"])
def test_a_frame_that_swells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    monkeypatch.setattr(frames, "MAX_BYTES", 10**6)
    path = tmp_path / f"frame-r-001729-3-0083.fits{suffix}"
    pack = gzip.compress if suffix == ".gz" else bz2.compress
    path.write_bytes(pack(bytes(10**6)))
    assert frames.decompressed(path) == bytes(10**6)
    path.write_bytes(pack(bytes(10**6)) + pack(b"x"))
    with pytest.raises(GalmorphError, match="more than 1,000,000 bytes"):
        frames.decompressed(path)


@pytest.mark.fault
@pytest.mark.parametrize("kind", ["huge", "nested"])
def test_a_stamp_whose_header_is_absurd(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "stamp.npy"
    if kind == "nested":
        text = b"(" * 9000
        path.write_bytes(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text)
    else:
        header = {"descr": "<f4", "fortran_order": False, "shape": (10**7, 10**6)}
        with path.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
    with pytest.raises(UnusableStampError):
        read_picture(path, "green")


@pytest.mark.fault
@pytest.mark.parametrize("cards", ABSURD.values(), ids=ABSURD)
def test_a_fits_stamp_whose_header_is_absurd(tmp_path: Path, cards: dict[str, Any]) -> None:
    path = tmp_path / "stamp.fits"
    path.write_bytes(fits_claiming(**cards) + bytes(2880))
    with pytest.raises(UnusableStampError):
        read_picture(path, "green")


@pytest.mark.fault
def test_a_fits_stamp_behind_a_table_of_less_than_no_rows(tmp_path: Path) -> None:
    # Over it astropy would go back to the start of the file, again and again.
    table = {"XTENSION": "BINTABLE", "BITPIX": 8, "NAXIS": 2, "NAXIS1": 2880, "NAXIS2": -2, "PCOUNT": 0, "GCOUNT": 1}
    headers = (fits.PrimaryHDU().header, fits.Header(table | {"TFIELDS": 0}))
    path = tmp_path / "stamp.fits"
    path.write_bytes(b"".join(header.tostring().encode() for header in headers) + bytes(2880))
    with pytest.raises(UnusableStampError, match="a header with a negative size"):
        read_picture(path, "green")


@pytest.mark.fault
def test_stamps_that_swell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flat = np.zeros((300, 300), np.float32)
    fits.PrimaryHDU(flat).writeto(tmp_path / "packed.fits.gz")
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(flat)]).writeto(tmp_path / "compressed.fits")
    np.save(tmp_path / "large.npy", flat)
    for path in tmp_path.iterdir():
        assert read_picture(path, "green").shape == flat.shape
    for module in (frames, pictures, reading):
        monkeypatch.setattr(module, "MAX_BYTES", 80_000)
    for path in tmp_path.iterdir():
        with pytest.raises(UnusableStampError, match="more than 80,000"):
            read_picture(path, "green")


@pytest.mark.fault
def test_pipes_and_devices_are_no_files(tmp_path: Path) -> None:
    # Reading them would never end.
    os.mkfifo(tmp_path / "stamp.npy")
    (tmp_path / "stamp.fits").symlink_to("/dev/zero")
    for path in tmp_path.iterdir():
        with pytest.raises(UnusableStampError, match="not a regular file"):
            read_picture(path, "green")
    frame = tmp_path / "fpC-001729-r3-0083.fit.gz"
    os.mkfifo(frame)
    with pytest.raises(GalmorphError, match=r"0083\.fit\.gz: cannot be read \(not a regular file\)"):
        read_frame(frame)
    (tmp_path / "labels.csv").write_text("stamp,class\nstamp.npy,spiral\nstamp.fits,spiral\n")
    chosen = settings_with({"stamps.folder": str(tmp_path), "stamps.labels": str(tmp_path / "labels.csv")})
    with pytest.raises(GalmorphError, match="is not in"):
        acquire(chosen.stamps, chosen.survey.sample, tmp_path / "raw")


@pytest.mark.fault
def test_a_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.npy")).touch()
    except OSError:
        pytest.skip("this file system takes no such name")
    chosen = settings_with({})
    with pytest.raises(GalmorphError, match=r"the name b'\\xff\.npy' is not UTF-8; rename"):
        stamp_targets(tmp_path, None, chosen.stamps, chosen.cutouts)


@pytest.mark.fault
def test_a_params_file_that_swells(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    (tmp_path / "params.yaml").write_text("\n".join(lines) + "\n")
    refused(load_settings, tmp_path / "params.yaml")


class Witness:
    """What a pickle does when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.mkdir, (self.path,)


@pytest.mark.fault
@pytest.mark.parametrize("name", ["run-001.npz", "images.npy"])
@pytest.mark.parametrize("bare", [True, False], ids=["a pickle", "an array of objects"])
def test_pickles_are_never_loaded(tmp_path: Path, name: str, bare: bool) -> None:
    witness = Witness(tmp_path / "witness")
    path = tmp_path / name
    if bare:
        path.write_bytes(pickle.dumps(witness))
    elif name.endswith("npz"):
        np.savez(path, head=np.array([witness], dtype=object))
    else:
        np.save(path, np.array([witness], dtype=object), allow_pickle=True)
    refused(READERS[name], path)
    assert not witness.path.exists()


@pytest.mark.fault
@pytest.mark.parametrize("name", ["../up.fits", "/etc/passwd.png", "a/../../b.npy", "..\\up.png"])
def test_stamps_that_climb_out_of_their_folder(tmp_path: Path, name: str) -> None:
    path = tmp_path / "labels.csv"
    pd.DataFrame({"stamp": [name], "class": ["spiral"]}).to_csv(path, index=False)
    with pytest.raises(GalmorphError, match=r"labels\.csv: line 2: stamp .*is not a file name"):
        read_labels(path)


@pytest.mark.fault
@pytest.mark.parametrize("name", ["../../up", "/etc/passwd", "a/../../b"])
def test_a_manifest_that_climbs_out_of_its_folder(tmp_path: Path, name: str) -> None:
    row = {"path": [name], "size": [1], "sha256": ["0" * 64], "url": [""]}
    pd.DataFrame(row).to_csv(tmp_path / "manifest.csv", index=False)
    with pytest.raises(GalmorphError, match=r"manifest\.csv: line 2: path .*is no path below"):
        read_manifest(tmp_path)


@pytest.mark.fault
def test_markup_in_names_is_text_on_the_page(tmp_path: Path) -> None:
    for name in ("tables", "figures"):
        (tmp_path / name).mkdir()
    script = "<script>alert('galaxy')</script>"
    chosen = settings_with({})
    cells = pd.DataFrame({"Galaxy": [script]})
    table = Book(chosen, tmp_path).table(Table("hostile", f"Of {script}", cells, cells))
    html = render(
        settings=chosen,
        galaxies=1,
        found=[],
        sections=[Section("hostile", f"About {script}", (f"A paragraph of {script}",), (table,))],
        provenance={script: script},
        figures=tmp_path / "figures",
    )
    assert script not in html
    assert html.count("&lt;script&gt;") >= 5


@pytest.mark.fault
def test_a_formula_or_a_quote_in_an_objid(tmp_path: Path) -> None:
    rows = [table2_row(objid(1), 150.0, 20.0), "=cmd|'/C calc'!A0" + table2_row(objid(2), 150.0, 20.0)[18:]]
    refused(read_table2, write_table2(tmp_path / "table2.csv", rows))


def called(path: Path) -> set[str]:
    """The dotted names of everything that a module calls, and the keywords that are true."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            names.add(ast.unparse(node.func))
            names |= {f"{word.arg}=True" for word in node.keywords if ast.unparse(word.value) == "True"}
    return names


@pytest.mark.fault
def test_no_shell_no_evaluation_no_pickle_in_the_sources() -> None:
    refused_calls = {"os.system", "os.popen", "eval", "exec", "pickle.load", "pickle.loads", "yaml.load"}
    refused_calls |= {"shell=True", "allow_pickle=True"}
    for path in (ROOT / "src").rglob("*.py"):
        assert not called(path) & refused_calls, path


@pytest.mark.fault
def test_the_ui_listens_to_this_machine_alone() -> None:
    (line,) = (line for line in (ROOT / "Makefile").read_text().splitlines() if "mlflow ui" in line)
    assert "--host 127.0.0.1" in line
