"""Messages about damaged files, in our own words to the last one.

Those of numpy, pyarrow, h5py, gzip, Dask and MLflow change with their versions, hold addresses in memory, and advise
what is wrong here (allow_pickle).
"""

import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from galmorph.errors import GalmorphError
from galmorph.files.datafiles import open_stamps, read_table
from galmorph.files.texttable import read_text_table
from galmorph.tracking.store import Store
from galmorph.training.declared import read_epoch
from galmorph.training.engine import prepare_device
from galmorph.training.network import load_weights, save_weights
from galmorph.training.records import load_record, save_record
from tests.support.parameters import SMALL_NETWORK, settings_with
from tests.support.records import made_record

pytestmark = pytest.mark.fault

RESTORED = "dvc checkout restores it, dvc repro makes it anew"
AGAIN = "correct the table, or fetch the file again"
LONG = b"a" * 300_000

MESSAGES: dict[str, tuple[str, bytes, Callable[[Path], Any], str]] = {
    "stamps": ("images.npy", b"no array", open_stamps, f"not a whole .npy file; {RESTORED}"),
    "table": ("galaxies.parquet", b"PAR1 no table PAR1", read_table, f"not a whole parquet table; {RESTORED}"),
    "record": (
        "run-001.npz",
        b"PK\x03\x04 no record",
        load_record,
        "not a whole record; remove it and run dvc repro, or restore it with dvc checkout",
    ),
    "epoch, no JSON": (
        "epoch.json",
        b"{",
        lambda path: read_epoch(path.parent, 3),
        "cannot read the selected epoch; restore it with dvc checkout",
    ),
    "epoch, too large": (
        "epoch.json",
        b'{"epoch": 4}',
        lambda path: read_epoch(path.parent, 3),
        "cannot read the selected epoch (4 is not an epoch from 1 to 3); restore it with dvc checkout",
    ),
    "cut gzip": (
        "t.csv",
        gzip.compress(b"a,b\n1,2\n")[:-8],
        read_text_table,
        "damaged or cut short; fetch the file again",
    ),
    "damaged gzip": (
        "t.csv",
        gzip.compress(b"a,b\n1,2\n")[:10] + b"\xff" * 20,
        read_text_table,
        "damaged or cut short; fetch the file again",
    ),
    "empty": ("t.csv", b"", read_text_table, f"not a CSV table: it is empty; {AGAIN}"),
    "cells": (
        "t.csv",
        b"# made today\na,b\n\n1,2,3\n",
        read_text_table,
        f"not a CSV table: line 4: 3 cells, the header has 2 columns; {AGAIN}",
    ),
    "quotes": (
        "t.csv",
        b'# made today\n"a,b\n1,2\n',
        read_text_table,
        f"not a CSV table: line 2, the header, has a quote that is not closed, or text behind it; {AGAIN}",
    ),
    "numbers": (
        "t.csv",
        b"1,2\n3,4\n",
        read_text_table,
        f"not a CSV table: no header: '1,2' are numbers, not the names of columns; {AGAIN}",
    ),
    "long line": (
        "t.csv",
        b"a\n" + LONG,
        read_text_table,
        "not a CSV table: a row of more than 131,072 bytes; correct the table",
    ),
    "half of UTF-16": (
        "t.csv",
        "a,b\n".encode("utf-16") + b"\x00",
        read_text_table,
        "begins as UTF-16 and goes on as something else; save the table as UTF-8 (spreadsheets call it CSV UTF-8)",
    ),
}


@pytest.mark.parametrize(("name", "content", "read", "message"), MESSAGES.values(), ids=MESSAGES)
def test_a_damaged_file(tmp_path, name, content, read, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(GalmorphError) as caught:
        read(path)
    assert str(caught.value) == f"{path}: {message}"


@pytest.mark.parametrize("case", ["stamps", "table", "record", "epoch, no JSON", "empty"])
def test_a_folder_where_a_file_should_be(tmp_path, case):
    name, _, read, _ = MESSAGES[case]
    (tmp_path / name).mkdir()
    with pytest.raises(GalmorphError, match=rf"{name}: .* \(not a regular file\); "):
        read(tmp_path / name)


def test_stamps_that_are_no_longer_whole(tmp_path):
    """An array of Python objects: numpy would advise to allow it."""
    np.save(tmp_path / "images.npy", np.array([{"a": 1}]), allow_pickle=True)
    with pytest.raises(GalmorphError) as caught:
        open_stamps(tmp_path / "images.npy")
    assert str(caught.value) == f"{tmp_path}/images.npy: not a whole .npy file; {RESTORED}"


def test_a_record_that_was_altered(tmp_path):
    path = tmp_path / "run-001.npz"
    save_record(path, made_record())
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    head = json.loads(str(arrays["head"])) | {"run": 7}
    np.savez(path, **arrays | {"head": np.array(json.dumps(head))})
    with pytest.raises(
        GalmorphError, match=r"not a whole record \(its contents are not those that were written\); rem"
    ):
        load_record(path)


def test_weights_of_another_network(tmp_path):
    prepare_device()  # before anything else of TensorFlow's, or it can no longer be chosen
    network = settings_with({"network": SMALL_NETWORK}).network
    path = tmp_path / "run.weights.h5"
    shapes = [(3, 3, 1, 4), (4,), (3, 3, 4, 4), (4,), (16, 8), (8,), (8, 2), (2,)]
    sha256 = save_weights(path, network, 16, 2, [np.ones(shape, np.float32) for shape in shapes])
    remedy = "restore them with dvc checkout, or run dvc repro"
    for digest, classes, words in ((sha256, 3, ""), ("0", 2, " (they are not those of its record)")):
        with pytest.raises(GalmorphError) as caught:
            load_weights(path, digest, network, 16, classes)
        assert str(caught.value) == f"{path}: not the weights of this network{words}; {remedy}"


@pytest.mark.parametrize(
    ("address", "message"),
    [
        (
            "sqlite:///{}/no.db",
            "cannot be used: it is damaged, no database of MLflow, or one of another version; if it",
        ),
        ("http://127.0.0.1:9", "does not answer as an MLflow server does; start the server"),
        ("ftp://127.0.0.1", "cannot be used; set MLFLOW_TRACKING_URI to the address of a server"),
    ],
    ids=["file", "server", "neither"],
)
def test_a_store_that_is_none(tmp_path, monkeypatch, address, message):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    (tmp_path / "no.db").write_bytes(b"no database" * 99)
    address = address.format(tmp_path)
    with pytest.raises(GalmorphError) as caught:
        Store(address, "survey", tmp_path / "mlartifacts")
    assert str(caught.value).startswith(f"the MLflow store {address} {message}")
    assert not re.search("Exception|sqlalche|Errno|API|databricks", str(caught.value))
