import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from galmorph.errors import GalmorphError
from galmorph.training.records import (
    Record,
    Unlabelled,
    load_phase,
    load_record,
    record_name,
    results_sha256,
    save_record,
)
from tests.support.records import made_record


def same(one: Any, two: Any) -> bool:
    if dataclasses.is_dataclass(one):
        return all(same(getattr(one, f.name), getattr(two, f.name)) for f in dataclasses.fields(one))
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(same(one[key], two[key]) for key in one)
    if isinstance(one, np.ndarray):
        return one.dtype == two.dtype and np.array_equal(one, two)
    return bool(one == two)


@pytest.mark.parametrize("phase", ["selected", "confirmed"])
def test_round_trip(tmp_path, phase):
    record = made_record(phase=phase)
    save_record(tmp_path / "r.npz", record)
    assert same(load_record(tmp_path / "r.npz"), record)
    assert [path.name for path in tmp_path.iterdir()] == ["r.npz"]


def test_uncertain_galaxies_come_back_beside_the_sets(tmp_path):
    shown = Unlabelled(np.array([9, 4]), np.array([[0.2, 0.8], [0.5, 0.5]], np.float32))
    record = dataclasses.replace(made_record(phase="confirmed"), uncertain=shown)
    save_record(tmp_path / "r.npz", record)
    assert same(load_record(tmp_path / "r.npz"), record)


def test_same_record_same_bytes(tmp_path):
    for name in ("a", "b"):
        save_record(tmp_path / name, made_record())
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_hash_of_the_results_is_theirs_alone():
    record = made_record(phase="confirmed")
    elsewhere = dataclasses.replace(record, fingerprint="of other code", parameters={}, data={}, weights="0" * 64)
    assert results_sha256(elsewhere) == results_sha256(record)
    shown = Unlabelled(np.array([9, 4]), np.array([[0.2, 0.8], [0.5, 0.5]], np.float32))
    curves = record.history | {"test_loss": np.nextafter(record.history["test_loss"], 1)}
    for other in (
        dataclasses.replace(record, uncertain=shown),
        dataclasses.replace(record, history=curves),
        dataclasses.replace(record, predicted=1 - record.predicted),
        made_record(phase="confirmed", run=2),
    ):
        assert results_sha256(other) != results_sha256(record)


@settings(max_examples=40)
@given(st.data())
def test_a_damaged_record_is_refused_or_unharmed(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("records") / "r.npz"
    record = made_record()
    save_record(path, record)
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    else:
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    try:
        loaded: Record = load_record(path)
    except GalmorphError as error:
        assert "r.npz" in str(error)  # noqa: PT017
    else:
        # A flip in the archive's own dates or attributes changes nothing that is read.
        assert same(loaded, record)


def test_missing_record_says_what_to_do(tmp_path):
    with pytest.raises(
        GalmorphError, match=r"run-004\.npz: not a whole record \(No such file or directory\); .* run dvc repro"
    ):
        load_record(tmp_path / record_name(4))


def test_a_phase_of_two_campaigns_is_refused(tmp_path):
    save_record(tmp_path / record_name(1), made_record(run=1))
    save_record(tmp_path / record_name(2), made_record(run=2, fingerprint="another"))
    with pytest.raises(GalmorphError, match="run 2 is of another campaign"):
        load_phase(tmp_path, 2, "two_class", "selected")


def test_a_record_that_was_edited_is_refused_though_its_fingerprint_is_right(tmp_path):
    save_record(tmp_path / "r.npz", made_record())
    with np.load(tmp_path / "r.npz") as file:
        arrays = {name: file[name] for name in file.files}
    arrays["history/test_accuracy"] = arrays["history/test_accuracy"] + 0.1
    np.savez_compressed(tmp_path / "r.npz", **arrays)
    with pytest.raises(GalmorphError, match="its contents are not those that were written"):
        load_record(tmp_path / "r.npz")
