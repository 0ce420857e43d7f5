from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import pytest

from galmorph.report.resolution.results import ResolutionResults
from galmorph.report.resolution.tables import oracle, resolution_oracle, sentence

MakeResolution = Callable[..., ResolutionResults]


@pytest.fixture
def results(make_resolution: MakeResolution) -> ResolutionResults:
    made = make_resolution(levels=2)
    curves = {
        ("native", "native"): np.array([[0.5, 0.8, 0.9], [0.5, 0.8, 0.8]]),
        ("native", "blurred"): np.array([[0.5, 0.7, 0.4], [0.6, 0.6, 0.6]]),
    }
    return dataclasses.replace(made, oracle=curves, epochs=dict(made.epochs) | {"native": 3})


def test_the_best_epoch_of_each_level_is_by_the_mean_over_runs(results: ResolutionResults) -> None:
    table = oracle(results)
    assert table[["trained", "tested"]].to_numpy().tolist() == [["native", "native"], ["native", "blurred"]]
    assert table["epoch"].tolist() == [3, 3]
    assert table["best_epoch"].tolist() == [3, 2]
    assert table["mean"].tolist() == pytest.approx([0.85, 0.5])
    assert table["best_mean"].tolist() == pytest.approx([0.85, 0.65])
    # Run by run: 0.3 and 0.0.
    assert table["gain_mean"].tolist() == pytest.approx([0.0, 0.15])
    assert table["gain_std"].tolist() == pytest.approx([0.0, 0.3 / math.sqrt(2)])


def test_its_table_reads(results: ResolutionResults) -> None:
    table = resolution_oracle(results)
    assert table is not None
    row = {str(key): str(value) for key, value in table.shown.iloc[1].items()}
    assert (row["Trained at"], row["Tested at"]) == ("native", "blurred")
    assert (row["Selected epoch"], row["Best epoch"]) == ("3", "2")
    assert row["Gain ± std"] == "+0.150 ± 0.212"


def test_the_sentence_names_the_pair_that_gains_most(results: ResolutionResults) -> None:
    assert "trained at native and tested at blurred: 0.650 ± 0.071 after epoch 2, against 0.500 ± 0.141" in sentence(
        results
    )


def test_none_was_looked_for(make_resolution: MakeResolution) -> None:
    assert resolution_oracle(make_resolution()) is None
    assert sentence(make_resolution()) == ""
