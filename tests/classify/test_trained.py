"""What a project has trained, and what of it can be used."""

from __future__ import annotations

import dataclasses
import logging
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from galmorph.classify import Ensemble, load_ensemble
from galmorph.classify.trained import known_models
from galmorph.errors import GalmorphError
from galmorph.training.network import load_weights, save_weights
from galmorph.training.records import load_record, record_name, save_record, weights_name
from tests.support.parameters import SMALL_NETWORK, changed, committed, settings_with
from tests.support.trained_study import CUTOUTS, write_yaml

CONFIRMED = Path("models/three_class/confirmed")


def change_params(folder: Path, **changes: object) -> None:
    params = YAML(typ="safe").load((folder / "params.yaml").read_text())
    named = {name.replace("__", "."): value for name, value in changes.items()}
    write_yaml(folder / "params.yaml", changed(params, named))


def as_level(folder: Path, *, classes: tuple[str, ...], **parameters: object) -> None:
    """Let the networks of the study be those of a level, which params.yaml no longer declares."""
    native = {"psf_fwhm": None, "pixel_scale": None, "noise": None}
    change_params(folder, resolution__levels={"native": native})
    level = folder / "models/transfer/coarse/confirmed"
    shutil.copytree(folder / CONFIRMED, level)
    for run in (1, 2, 3):
        record = load_record(level / record_name(run))
        more = {name.replace("__", "."): value for name, value in parameters.items()}
        known = dataclasses.replace(
            record, condition="transfer_coarse", classes=classes, parameters=record.parameters | more
        )
        save_record(level / record_name(run), known)


def test_conditions_and_levels_are_known(own_study: Path) -> None:
    shutil.copytree(own_study / CONFIRMED, own_study / "models/transfer/confirmed/confirmed")
    shutil.copytree(own_study / CONFIRMED, own_study / "models/a/confirmed")
    (own_study / "models/half/selected").mkdir(parents=True)
    assert known_models(own_study / "models") == ["a", "three_class", "transfer/confirmed"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("three_clas", r"three_clas: nothing of this name is trained \(did you mean three_class\?\); trained are: "),
        ("quite_another", "quite_another: nothing of this name is trained; trained are: three_class$"),
        ("../models/three_class", "nothing of this name is trained"),
    ],
)
def test_an_unknown_condition_is_told_the_known_ones(study: Path, name: str, message: str) -> None:
    with pytest.raises(GalmorphError, match=message):
        load_ensemble(name, study)


def test_nothing_trained_yet(own_study: Path) -> None:
    shutil.rmtree(own_study / "models")
    with pytest.raises(GalmorphError, match="nothing is trained here; run dvc repro"):
        load_ensemble("three_class", own_study)


def test_no_weights_kept(own_study: Path) -> None:
    for path in (own_study / CONFIRMED).glob("*.h5"):
        path.unlink()
    for path in (own_study / CONFIRMED).glob("*.npz"):
        save_record(path, dataclasses.replace(load_record(path), weights=""))
    with pytest.raises(GalmorphError, match=r"no weights were kept; set training\.keep_weights to 1 or more"):
        load_ensemble("three_class", own_study)


def test_other_classes_than_params_now_says(own_study: Path) -> None:
    change_params(own_study, conditions__three_class__classes=["spiral", "elliptical"])
    said = (
        r'condition.classes = \["spiral", "elliptical", "uncertain"\], params.yaml now has \["spiral", "elliptical"\]'
    )
    with pytest.raises(GalmorphError, match=said):
        load_ensemble("three_class", own_study)


def test_a_condition_that_is_no_longer_declared_can_still_be_used(own_study: Path) -> None:
    former = own_study / "models/former/confirmed"
    shutil.copytree(own_study / CONFIRMED, former)
    with pytest.raises(GalmorphError, match="the record of three_class, confirmed, run 1, in the place of former"):
        load_ensemble("former", own_study)
    shutil.rmtree(former)
    no_longer_declared(own_study)
    assert load_ensemble("former", own_study).classes == ("spiral", "elliptical", "uncertain")


def test_torn_weights(own_study: Path) -> None:
    path = own_study / CONFIRMED / weights_name(2)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(GalmorphError, match=r"run-002\.weights\.h5: not the weights of this network"):
        load_ensemble("three_class", own_study)


def test_a_record_that_is_missing_or_of_another_campaign(own_study: Path) -> None:
    path = own_study / CONFIRMED / record_name(2)
    save_record(path, dataclasses.replace(load_record(path), fingerprint="another"))
    with pytest.raises(GalmorphError, match="run 2 is of another campaign than run 1"):
        load_ensemble("three_class", own_study)
    path.unlink()
    with pytest.raises(GalmorphError, match=r"run-002\.npz: not a whole record"):
        load_ensemble("three_class", own_study)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"training__learning_rate": 0.5}, r"confirmed: .*training\.learning_rate = 0\.001, params\.yaml now has 0\.5"),
        ({"protocol__seed": 7}, r"protocol\.seed = 2024, params\.yaml now has 7"),
        ({"cutouts__sky_inner": 32}, r"stage cutouts: it ran with cutouts\.sky_inner = 24, params\.yaml now has 32"),
    ],
)
def test_networks_of_other_parameters_than_params_now_says(
    own_study: Path, change: dict[str, object], said: str
) -> None:
    change_params(own_study, **change)
    with pytest.raises(GalmorphError, match=f"{said}; run dvc repro"):
        load_ensemble("three_class", own_study)


def test_networks_of_other_data_than_those_at_hand(own_study: Path) -> None:
    path = own_study / "data/splits/three_class.parquet"
    table = pd.read_parquet(path)
    table.iloc[::-1].to_parquet(path, index=False)
    with pytest.raises(GalmorphError, match="its split is not what it was"):
        load_ensemble("three_class", own_study)
    path.unlink()  # only models were pulled
    assert len(load_ensemble("three_class", own_study).members) == 2


def test_networks_of_other_code(own_study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("galmorph.training.plan.code_hash", lambda: "other")
    with pytest.raises(GalmorphError, match=r"the code of galmorph\.training has changed; run dvc repro"):
        load_ensemble("three_class", own_study)


def no_longer_declared(folder: Path) -> None:
    """Let the networks of the study be those of a condition that params.yaml no longer has."""
    former = folder / "models/former/confirmed"
    shutil.copytree(folder / CONFIRMED, former)
    for path in former.glob("*.npz"):
        save_record(path, dataclasses.replace(load_record(path), condition="former"))


def test_what_is_no_longer_declared_has_its_stamps_cut_as_in_the_training(own_study: Path, ensemble: Ensemble) -> None:
    no_longer_declared(own_study)
    change_params(own_study, cutouts__sky_inner=32, cutouts__stamp_size=18, stamps__field="whole")
    loaded = load_ensemble("former", own_study)
    assert loaded.cutouts == ensemble.cutouts
    assert loaded.cutouts.sky_inner == 24
    assert loaded.stamps.field == "centre"


def test_a_training_that_the_lock_does_not_know_is_said_to_be_uncertain(
    own_study: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (own_study / "dvc.lock").unlink()
    change_params(own_study, cutouts__sky_inner=32)
    with caplog.at_level(logging.WARNING, logger="galmorph"):
        loaded = load_ensemble("three_class", own_study)
    assert "dvc.lock does not know the stamps that three_class was trained on" in caplog.text
    assert loaded.cutouts.sky_inner == 32
    assert loaded.pixel_scale is None


@pytest.mark.parametrize("text", ["stages: [", "nothing", "stages: 3"])
def test_a_torn_lock(own_study: Path, text: str) -> None:
    (own_study / "dvc.lock").write_text(text)
    with pytest.raises(GalmorphError, match=r"dvc\.lock: not a lock file of DVC; restore it with git checkout"):
        load_ensemble("three_class", own_study)


def test_trained_by_another_version(own_study: Path) -> None:
    for run in (1, 2):
        path = own_study / CONFIRMED / record_name(run)
        record = load_record(path)
        less = {name: value for name, value in record.parameters.items() if name != "training.scaling"}
        save_record(path, dataclasses.replace(record, parameters=less))
    with pytest.raises(GalmorphError, match="another version of the project, with another kind of scaling"):
        load_ensemble("three_class", own_study)


def test_a_level_of_other_parameters_than_params_now_says(own_study: Path) -> None:
    as_level(own_study, classes=("spiral", "elliptical"))
    change_params(own_study, resolution__levels={"coarse": {"psf_fwhm": 2.6, "pixel_scale": 0.792, "noise": None}})
    with pytest.raises(GalmorphError, match=r"coarse/confirmed: .*condition\.classes = .*; run dvc repro"):
        load_ensemble("transfer/coarse", own_study)


def test_weights_of_another_network(own_study: Path) -> None:
    # They answer three classes.
    as_level(own_study, classes=("spiral", "elliptical"))
    with pytest.raises(GalmorphError, match="not the weights of this network"):
        load_ensemble("transfer/coarse", own_study)


def with_level(folder: Path, grid: str, level: Mapping[str, object], **parameters: object) -> None:
    """Let the networks of the study be those of a level, trained on two classes, and dvc.lock know how it was made."""
    classes = ("spiral", "elliptical")
    as_level(folder, classes=classes, **parameters)
    lock = YAML(typ="safe").load((folder / "dvc.lock").read_text())
    made = {"cutouts": CUTOUTS, "resolution.grid": grid, "resolution.levels.coarse": level}
    out = {"path": "data/resolution/levels/coarse", "md5": "0123.dir"}
    lock["stages"]["degrade@coarse"] = {"params": {"params.yaml": made}, "outs": [out]}
    write_yaml(folder / "dvc.lock", lock)
    settings = settings_with({"network": SMALL_NETWORK}).network
    path = folder / "models/transfer/coarse/confirmed" / weights_name(1)
    record = load_record(path.with_name(record_name(1)))
    shapes = [values.shape for values in load_weights(path, record.weights, settings, 16, 3)]
    other = path.with_name(record_name(2))
    path.with_name(weights_name(2)).unlink()
    save_record(other, dataclasses.replace(load_record(other), weights=""))
    two = [np.zeros((*shape[:-1], 2 if shape[-1] == 3 else shape[-1]), np.float32) for shape in shapes]
    sha256 = save_weights(path, settings, 16, 2, two)
    sets = {
        name: dataclasses.replace(judged, probabilities=judged.probabilities[:, :2])
        for name, judged in record.sets.items()
    }
    save_record(path.with_name(record_name(1)), dataclasses.replace(record, weights=sha256, sets=sets))


@pytest.mark.parametrize(("grid", "expected"), [("field", 0.396), ("pixels", 0.792)])
def test_the_networks_of_a_level_say_what_they_expect(
    own_study: Path, caplog: pytest.LogCaptureFixture, grid: str, expected: float
) -> None:
    level = {"psf_fwhm": 2.6, "pixel_scale": 0.792, "noise": None}
    with_level(own_study, grid, level, level__psf_fwhm=2.6, level__pixel_scale=0.792)
    # What params.yaml says by now is no matter.
    change_params(own_study, resolution__grid="pixels" if grid == "field" else "field")
    with caplog.at_level(logging.WARNING, logger="galmorph"):
        ensemble = load_ensemble("transfer/coarse", own_study)
    assert "a telescope with a PSF of 2.6 arcsec" in caplog.text
    assert "dvc.lock does not know" not in caplog.text
    assert ensemble.pixel_scale == (expected, expected)
    assert ensemble.classes == ("spiral", "elliptical")
    assert ensemble.stamps.field == "centre"


def test_the_networks_of_a_remedy_are_for_its_last_level(own_study: Path, caplog: pytest.LogCaptureFixture) -> None:
    level = {"psf_fwhm": 2.6, "pixel_scale": 0.792, "noise": None}
    with_level(own_study, "field", level, level__levels=["native", "coarse"])
    tuned = own_study / "models/transfer/tuned"
    (own_study / "models/transfer/coarse").rename(tuned)
    for path in tuned.glob("confirmed/*.npz"):
        save_record(path, dataclasses.replace(load_record(path), condition="transfer_tuned"))
    with caplog.at_level(logging.WARNING, logger="galmorph"):
        load_ensemble("transfer/tuned", own_study)
    assert "transfer/tuned was trained for galaxies as a telescope with a PSF of 2.6 arcsec" in caplog.text


def test_the_networks_of_another_survey_see_new_stamps_as_they_saw_its_own(
    own_study: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stamps = {**committed()["stamps"], "field": "whole", "resampling": "spline", "colour": "red"}
    level = {"psf_fwhm": None, "pixel_scale": None, "noise": None, "stamps": stamps}
    with_level(own_study, "field", level)
    folder = own_study / "data/resolution/levels/coarse"
    folder.mkdir(parents=True)
    pd.DataFrame({"pixel_scale": [0.2, 0.3], "frame": ["a.fits", "b.npy"]}).to_parquet(folder / "galaxies.parquet")
    np.save(folder / "images.npy", np.load(own_study / "data/cutouts/images.npy")[:2])
    with caplog.at_level(logging.WARNING, logger="galmorph"):
        ensemble = load_ensemble("transfer/coarse", own_study)
    assert caplog.text == ""
    assert ensemble.stamps.model_dump() == stamps
    assert ensemble.pixel_scale == (0.2, 0.3)
