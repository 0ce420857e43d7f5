"""What a study holds on a galaxy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from ruamel.yaml import YAML

from galmorph.errors import GalmorphError
from galmorph.show.dossier import Dossier, gather
from galmorph.training.records import record_name
from tests.support.frames import objid, table2_row, write_table2
from tests.support.parameters import changed
from tests.support.trained_study import REJECTED, write_yaml


@pytest.fixture(scope="module")
def tested(study: Path) -> pd.DataFrame:
    """Who was tested in which confirmed run, from the split itself."""
    split = pd.read_parquet(study / "data/splits/three_class.parquet")
    return split[(split["phase"] == "confirmed") & (split["part"] == "test")]


def test_the_predictions_are_those_of_the_runs_that_tested_it(
    study: Path, tested: pd.DataFrame, study_images: NDArray[np.float32]
) -> None:
    number = int(tested["objid"].value_counts().index[0])
    dossier = gather(number, study)
    assert dossier.stamp is not None
    np.testing.assert_array_equal(dossier.stamp, study_images[number])
    (found,) = dossier.predictions
    assert list(found.runs) == tested.loc[tested["objid"] == number, "run"].tolist()
    for place, run in enumerate(found.runs):
        # Independent of the project's own reader.
        with np.load(study / "models/three_class/confirmed" / record_name(run)) as record:
            row = np.flatnonzero(record["sets/test/rows"] == number)
            np.testing.assert_array_equal(found.probabilities[place], record["sets/test/probabilities"][row[0]])
            assert found.classes[record["sets/test/truth"][row[0]]] == found.label
    by_hand = sum(found.classes[p.argmax()] == found.label for p in found.probabilities)
    assert found.right == by_hand


def test_over_all_galaxies_the_right_predictions_are_the_accuracy(study: Path, tested: pd.DataFrame) -> None:
    dossiers = [gather(int(number), study) for number in tested["objid"].unique()]
    right = sum(found.right for dossier in dossiers for found in dossier.predictions)
    expected = 0
    for run in (1, 2, 3):
        with np.load(study / "models/three_class/confirmed" / record_name(run)) as record:
            expected += int((record["predicted"][-1] == record["sets/test/truth"]).sum())
    assert right == expected


def test_a_galaxy_that_no_run_tested(study: Path, tested: pd.DataFrame) -> None:
    number = next(number for number in range(150) if number not in set(tested["objid"]))
    assert gather(number, study).predictions == ()


def test_a_rejected_galaxy_says_why_and_what_the_catalogue_knows(own_study: Path) -> None:
    dossier = gather(REJECTED, own_study)
    assert dossier.rejected == "too near the edge"
    assert "nvote" not in dossier.facts
    rows = [table2_row(objid(1), 10.0, 5.0), table2_row(REJECTED, 10.0, 5.0, "elliptical")]
    write_table2(own_study / "data/raw/GalaxyZoo1_DR_table2.csv", rows)
    facts = gather(REJECTED, own_study).facts
    assert (facts["class"], facts["nvote"], facts["frame"]) == ("elliptical", 40, "fpC-001729-r3-0083.fit.gz")


@pytest.mark.parametrize(("number", "nearest"), [(500, "149, 1000"), (2000, "1000 "), (-4, "0 ")])
def test_an_unknown_galaxy_is_told_the_nearest(study: Path, number: int, nearest: str) -> None:
    with pytest.raises(GalmorphError, match=rf"{number}: no galaxy .* among the 151 of the sample; nearest: {nearest}"):
        gather(number, study)


def test_before_any_stamps(own_study: Path) -> None:
    (own_study / "data/cutouts/galaxies.parquet").unlink()
    with pytest.raises(GalmorphError, match="no such file; run dvc repro cutouts, or dvc pull"):
        gather(17, own_study)


def test_records_of_another_split_are_not_read_as_if_of_this_one(own_study: Path, tested: pd.DataFrame) -> None:
    path = own_study / "data/splits/three_class.parquet"
    pd.read_parquet(path).iloc[::-1].to_parquet(path)
    dossier = gather(int(tested["objid"].iloc[0]), own_study)
    assert dossier.predictions == ()
    assert dossier.stale == ("three_class",)


def test_predictions_of_networks_of_other_parameters_are_not_shown(own_study: Path, tested: pd.DataFrame) -> None:
    params = YAML(typ="safe").load((own_study / "params.yaml").read_text())
    write_yaml(own_study / "params.yaml", changed(params, {"training.learning_rate": 0.5}))
    dossier = gather(int(tested["objid"].iloc[0]), own_study)
    assert dossier.predictions == ()
    assert dossier.stale == ("three_class",)


def test_predictions_for_other_stamps_are_not_shown_beside_these(own_study: Path, tested: pd.DataFrame) -> None:
    path = own_study / "data/cutouts/images.npy"
    np.save(path, np.load(path) + 1)
    dossier = gather(int(tested["objid"].iloc[0]), own_study)
    assert dossier.predictions == ()
    assert dossier.stale == ("three_class",)


@pytest.mark.parametrize("column", ["objid", "class", "frame"])
def test_a_table_of_galaxies_that_lacks_something(own_study: Path, column: str) -> None:
    path = own_study / "data/cutouts/galaxies.parquet"
    pd.read_parquet(path).drop(columns=column).to_parquet(path)
    with pytest.raises(GalmorphError, match=rf"galaxies\.parquet: no column {column}"):
        gather(17, own_study)


def test_votes_that_are_unknown_are_left_out() -> None:
    facts: dict[str, object] = {"nvote": 4, "p_el": 0.25, "p_dk": float("nan")}
    assert Dossier(1, facts, None).votes == {"elliptical": 0.25}
    assert Dossier(1, facts | {"nvote": 0}, None).votes == {}
