"""Published studies: which runs are chosen, and what is said of the machine."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from galmorph.errors import GalmorphError
from galmorph.published import (
    COLUMNS,
    INSTRUCTIONS,
    _data_stages,
    _trained,
    choose,
    cost,
    machine,
    publish,
    published_runs,
)
from galmorph.settings.reading import load_settings
from tests.support.parameters import ROOT, settings_with


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A published study with six runs."""
    runs = [("two_class", phase, run, 3, 0.75, "0" * 64) for phase in ("selected", "confirmed") for run in (1, 2)] + [
        ("transfer/tuned", "confirmed", run, 3, 0.5, "1" * 64) for run in (1, 2)
    ]
    pd.DataFrame(runs, columns=COLUMNS).to_csv(tmp_path / "records.csv", index=False)
    return tmp_path


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ((None, None, None, None), 6),
        (("two_class", None, None, None), 4),
        (("two_class", "confirmed", None, None), 2),
        (("two_class", "confirmed", 2, None), 1),
        ((None, None, None, 3), 3),
        (("two_class", "selected", None, 9), 2),
    ],
)
def test_runs_are_chosen_by_what_is_given(folder: Path, wanted: tuple[str, str, int, int], found: int) -> None:
    chosen = choose(published_runs(folder), *wanted)
    assert len(chosen) == found
    assert chosen.drop_duplicates().equals(chosen)
    for column, value in zip(("condition", "phase", "run"), wanted, strict=False):
        assert value is None or set(chosen[column]) == {value}


def test_runs_that_are_not_there_are_named(folder: Path) -> None:
    runs = published_runs(folder)
    with pytest.raises(GalmorphError, match=r"condition two_clas: not among .* \(did you mean two_class\?\)"):
        choose(runs, "two_clas", None, None, None)
    with pytest.raises(GalmorphError, match="run 3: not among the published runs"):
        choose(runs, "two_class", "confirmed", 3, None)
    with pytest.raises(GalmorphError, match=r"not a published study, which has a file records\.csv"):
        published_runs(folder / "nowhere")


def test_the_machine_is_described() -> None:
    known = machine()
    assert known["instructions"] in INSTRUCTIONS.values()
    assert re.fullmatch(r"\d+\.\d+\.\d+", known["tensorflow"])


def test_a_run_that_was_trained_twice_costs_what_it_did_the_last_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    line = "selected: run {} finished, test accuracy 0.9 after epoch {}, {} s in process a 1, peak memory {} GB\n"
    logs = tmp_path / ".galmorph/logs"
    logs.mkdir(parents=True)
    trained = [(1, 8, 80, 1.5), (1, 4, 20, 1.0), (2, 4, 30, 1.2)]
    (logs / "two_class.selected.log").write_text("".join(line.format(*numbers) for numbers in trained))
    found = cost(settings_with({}))
    assert (found["run_epochs"], found["seconds_per_run_epoch"], found["peak_memory_gb"]) == (8, 6.25, 1.2)


@pytest.mark.parametrize("name", ["../elsewhere", "a/b", ".."])
def test_a_study_is_published_in_its_own_folder(name: str) -> None:
    with pytest.raises(GalmorphError, match="not a name for a folder"):
        publish(name)


def test_a_published_run_needs_the_stages_of_its_data_alone() -> None:
    settings = load_settings(ROOT / "presets/resolution.yaml")
    assert _data_stages(settings, "two_class") == ["splits@two_class"]
    assert _data_stages(settings, "transfer/fwhm_26") == ["parts@fwhm_26"]
    assert _data_stages(settings, "transfer/mixed") == ["mix@mixed", "parts@fwhm_52"]
    trained = {name for name, *_ in _trained(settings)}
    assert trained == {*settings.conditions, *(f"transfer/{name}" for name in (*settings.resolution.levels, "mixed"))}
