"""Tables and parameters with mistakes or damage: each is refused with the file and the line, column or key."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from galmorph.classify.targets import stamp_targets
from galmorph.classify.trained import preprocessing_of
from galmorph.errors import GalmorphError
from galmorph.files import textlines
from galmorph.files.texttable import read_text_table
from galmorph.report.table import read_summary
from galmorph.sdss.frame_index import read_missing
from galmorph.sdss.galaxyzoo import read_table2
from galmorph.sdss.redshifts import read_redshifts
from galmorph.settings.reading import load_settings, parse_settings
from galmorph.show.dossier import gather
from galmorph.sources.manifest import read_manifest
from galmorph.sources.stamps import read_labels
from galmorph.training.records import load_record
from tests.support.frames import table2_row, write_table2
from tests.support.parameters import changed, committed, settings_with

pytestmark = pytest.mark.fault

LABELS = "stamp,class,redshift\na.png,spiral,0.1\nb.png,elliptical,0.2\n"


def labels(path, text):
    path.write_text(text)
    return read_labels(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            LABELS.replace("a.png,spiral,0.1", "a.png,spiral,elliptical,0.1"),
            "line 2: 4 cells, the header has 3 columns",
        ),
        (LABELS.replace("b.png,elliptical,0.2", "b.png,elliptical"), "line 3: 2 cells, the header has 3 columns"),
        (LABELS + '"c.png,spiral,0.3\n', "the header has 3 columns"),
        (LABELS.replace("0.1", '"0.1'), "line 2: redshift holds a line break, or begins with a quote"),
    ],
    ids=["one too many", "one too few", "a quote that never ends", "a quote that swallows the rest"],
)
def test_rows_that_are_not_as_wide_as_their_header(tmp_path, text, message):
    assert labels(tmp_path / "labels.csv", LABELS)["class"].tolist() == ["spiral", "elliptical"]
    with pytest.raises(GalmorphError, match=rf"labels\.csv: .*{message}"):
        labels(tmp_path / "labels.csv", text)


def test_blank_lines_are_no_rows(tmp_path):
    found = labels(tmp_path / "labels.csv", "\n\n" + LABELS.replace("\na.png", "\n\na.png"))
    assert found["stamp"].tolist() == ["a.png", "b.png"]


def test_columns_that_repeat_once_their_names_are_understood(tmp_path):
    path = tmp_path / "redshifts.csv"
    path.write_text("objid,objid_dr7,redshift\n1,2,0.1\n")
    with pytest.raises(GalmorphError, match="two columns objid"):
        read_redshifts(path)
    np.save(tmp_path / "a.npy", np.zeros((4, 4)))
    path.write_text("stamp,Name,name\na.npy,one,two\n")
    chosen = settings_with({})
    with pytest.raises(GalmorphError, match="two columns name"):
        stamp_targets(tmp_path, path, chosen.stamps, chosen.cutouts)


ID = 587727178986356823


@pytest.mark.parametrize("rounding", [lambda number: number // 1000 * 1000, lambda number: int(float(number))])
def test_object_ids_that_have_been_rounded(tmp_path, rounding):
    """By a spreadsheet, or by way of float64: they are the ids of other objects."""
    ids = [ID, ID + 7_000_017, ID + 65_536_333]
    chosen = settings_with({})
    for number in range(3):
        np.save(tmp_path / f"{number}.npy", np.zeros((4, 4)))
    tables: dict[str, Callable[[Path], Any]] = {
        "labels": read_labels,
        "redshifts": read_redshifts,
        "table2": read_table2,
        "classify": lambda path: stamp_targets(tmp_path, path, chosen.stamps, chosen.cutouts).table,
    }
    for name, read in tables.items():
        path = tmp_path / f"{name}.csv"
        for used in (ids, [rounding(number) for number in ids]):
            if name == "table2":
                write_table2(path, [table2_row(number, 10.0, 5.0) for number in used])
            else:
                rows = (f"{row}.npy,spiral,0.1,{number}\n" for row, number in enumerate(used))
                path.write_text("stamp,class,redshift,objid\n" + "".join(rows))
            if used is ids:
                assert len(read(path)) == 3
        with pytest.raises(
            GalmorphError, match=rf"{name}\.csv: 3 of 3 numbers in (objid|OBJID) are multiples of (1,000|64): "
        ):
            read(path)


def test_optional_columns_are_found_or_named(tmp_path, caplog):
    """No column is lost without a word."""
    chosen = settings_with({})
    np.save(tmp_path / "a.npy", np.zeros((4, 4)))
    path = tmp_path / "labels.csv"
    path.write_text("Stamp, CLASS,RA, redshift,PixelScale ,redshft\na.npy,spiral,10.5,0.05,0.4,1\n")
    with caplog.at_level("INFO"):
        found = read_labels(path)
    assert found[["ra", "redshift", "pixel_scale"]].to_numpy().tolist() == [[10.5, 0.05, 0.4]]
    assert "; not used: redshft; absent: objid, dec, psf_fwhm" in caplog.text
    targets = stamp_targets(tmp_path, path, chosen.stamps, chosen.cutouts).table
    assert targets[["ra", "pixel_scale"]].to_numpy().tolist() == [[10.5, 0.4]]
    path.write_text("OBJID, z\n1,0.05\n")
    assert read_redshifts(path)["redshift"].tolist() == [0.05]


def test_object_ids_that_are_none(tmp_path):
    for cell, why in (("-5", "is negative"), ("5" * 20, "has too many digits"), ("5.9e17", "may have rounded")):
        with pytest.raises(GalmorphError, match=f"line 2 .*objid '.*' .*{why}"):
            labels(tmp_path / "labels.csv", f"stamp,class,objid\na.png,spiral,{cell}\n")


def test_tables_of_other_forms(tmp_path):
    """What is unambiguous is read; tests/files/test_textlines.py has the kinds that are refused by name."""
    path = tmp_path / "labels.csv"
    text = LABELS.replace(",", ";").replace("\n", "\r")
    path.write_bytes(f"# from a spreadsheet\r\r{text}".encode("utf-16"))
    assert read_labels(path)["redshift"].tolist() == [0.1, 0.2]
    with pytest.raises(GalmorphError, match=r"line 5 .*redshift 'x' is not a number"):
        labels(path, "\n# one\n" + LABELS.replace("0.2", "x"))
    with pytest.raises(GalmorphError, match="the separator seems to be"):
        labels(path, LABELS.replace(",", "|"))


@pytest.mark.parametrize("packed", [False, True])
def test_a_table_without_line_breaks(tmp_path, packed):
    path = tmp_path / ("t.csv.gz" if packed else "t.csv")
    for before, message in (("n\n", "a row of more than 131,072 bytes"), ("", "a header of more than")):
        text = (before + "1" * (3 * textlines.BLOCK)).encode()
        path.write_bytes(gzip.compress(text) if packed else text)
        with pytest.raises(GalmorphError, match=message):
            read_text_table(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"conditions": {True: committed()["conditions"]["two_class"]}},
            "conditions.True: YAML reads this name as bool",
        ),
        (
            {"conditions": {None: committed()["conditions"]["two_class"]}},
            "conditions.None: YAML reads this name as None",
        ),
        ({"comparisons": {12: {"conditions": ["a", "b"], "metrics": ["tss"]}}}, "comparisons.12: YAML reads this name"),
        ({"sdss.archive": "http://[::1"}, "sdss.archive: no address"),
        ({"sdss.archive": "http://server:port"}, "sdss.archive: no address"),
        ({"sdss.catalogue": "https://[server/table2.csv"}, "sdss.catalogue: no address"),
        ({"local.frames": "frames\0"}, "local.frames: "),
        ({"report.redshift_bin": 1e-300}, "report.redshift_bin: "),
        (
            {
                "resolution.levels": {
                    name: {"psf_fwhm": None, "pixel_scale": None, "noise": None} for name in ("coarse", "coarse_split")
                },
                "resolution.ablations": {},
                "resolution.remedies": {},
                "resolution.oracle": [],
            },
            "coarse_split: with coarse there",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_parameters_that_would_fail_later(change, message):
    with pytest.raises(GalmorphError, match=message):
        parse_settings(changed(committed(), change))


FILES: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "params.yaml": ("params.yaml", lambda study: load_settings(study / "params.yaml")),
    "dvc.lock": (
        "dvc.lock",
        lambda study: preprocessing_of(
            "three_class",
            load_record(study / "models/three_class/confirmed/run-001.npz"),
            load_settings(study / "params.yaml"),
            study,
        ),
    ),
    "images": ("data/cutouts/images.npy", lambda study: gather(0, study)),
    "galaxies": ("data/cutouts/galaxies.parquet", lambda study: gather(0, study)),
    "rejected": ("data/cutouts/rejected.csv", lambda study: gather(1000, study)),
    "record": ("models/three_class/confirmed/run-001.npz", lambda study: gather(0, study)),
    "manifest": ("data/raw/manifest.csv", lambda study: read_manifest(study / "data/raw")),
    "missing": ("data/raw/missing.csv", lambda study: read_missing(study / "data/raw")),
    "summary": ("summary.csv", lambda study: read_summary(study / "summary.csv")),
}


@pytest.mark.parametrize("which", FILES)
def test_what_show_summary_and_classify_read(own_study, which):
    name, read = FILES[which]
    path = own_study / name
    for content in (b"\x00\xff{[", b"objid,fra\n12", b"<html>\n,<p>\n"):
        path.write_bytes(content)
        with pytest.raises(GalmorphError, match=path.name):
            read(own_study)


@pytest.mark.parametrize(
    "text", ["stages: {cutouts: 3}", "stages: {cutouts: {params: 3}}", "stages: {cutouts: {outs: [3]}}", "stages: [1]"]
)
def test_a_lock_file_of_another_shape(own_study, text):
    (own_study / "dvc.lock").write_text(text + "\n")
    with pytest.raises(GalmorphError, match=r"dvc\.lock: not a lock file"):
        FILES["dvc.lock"][1](own_study)


def test_fewer_stamps_than_galaxies(own_study):
    path = own_study / "data/cutouts/images.npy"
    np.save(path, np.load(path)[:3])
    with pytest.raises(GalmorphError, match=r"images\.npy: 3 stamps, galaxies\.parquet has 150 galaxies"):
        gather(100, own_study)


def test_a_summary_that_lacks_something(tmp_path):
    path = tmp_path / "summary.csv"
    head = "condition,metric,phase,epoch,runs,mean,std,binomial\n"
    path.write_text(head + "two_class,accuracy,selected,3,3,0.9,0.1,0.1\n")
    with pytest.raises(GalmorphError, match=r"summary\.csv: no confirmed accuracy of two_class"):
        read_summary(path)
    path.write_text(head + "two_class,accuracy,selected,3,3,much,0.1,0.1\n")
    with pytest.raises(GalmorphError, match=r"line 2 .*mean 'much' is not a number"):
        read_summary(path)
