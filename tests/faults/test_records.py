"""Records, their epoch and their weights: swapped, edited, lost, or without finite numbers.

No run is counted in place of another, and no network answers for another.
"""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from galmorph import baselines
from galmorph.baselines import BASELINES, baseline_campaign
from galmorph.classify import load_ensemble
from galmorph.errors import GalmorphError
from galmorph.files.reading import file_md5, file_sha256
from galmorph.scores.evaluation import score_run
from galmorph.settings.layout import IMAGES
from galmorph.settings.resolution import recorded_name
from galmorph.stages.campaign import save_epoch
from galmorph.stages.records import declared_records, declared_transfers, read_baseline
from galmorph.tracking.content import run_content
from galmorph.tracking.pyfunc import StampClassifier
from galmorph.training.declared import campaign_of, read_epoch
from galmorph.training.plan import fingerprint_of
from galmorph.training.protocol import PHASES, selected_epoch
from galmorph.training.records import load_record, record_name, save_record, weights_name
from galmorph.training.run import run_one
from tests.support.campaigns import made_campaign
from tests.support.parameters import settings_with
from tests.support.records import made_record

pytestmark = pytest.mark.fault

CONFIRMED = Path("models/three_class/confirmed")
RUNS = 3


def write_phases(settings, trained, folder):
    """Write records of both phases, of the campaigns that the settings declare; return the confirmed ones."""
    epochs, name = 4, recorded_name(trained)
    for phase in PHASES:
        (folder / phase).mkdir(parents=True)
        campaign = campaign_of(settings, trained, phase, epochs=epochs)
        made = [made_record(name, phase, run, epochs, campaign.condition.classes) for run in range(1, RUNS + 1)]
        fingerprint = fingerprint_of(name, phase, campaign.parameters, made[0].data)
        made = [dataclasses.replace(r, fingerprint=fingerprint, parameters=campaign.parameters) for r in made]
        for record in made:
            save_record(folder / phase / record_name(record.run), record)
        if phase == "selected":
            epochs = selected_epoch([record.deciding_accuracy for record in made])
            save_epoch(folder / phase, epochs)
    for baseline in BASELINES if trained == name else ():
        (folder / "baselines" / baseline).mkdir(parents=True)
        campaign = baseline_campaign(settings, name, baseline)
        # Stamps are not at hand here, but code is.
        data = made[0].data | {part: file_md5(path) for part, path in campaign.files.items() if path.exists()}
        fingerprint = fingerprint_of(name, "confirmed", campaign.parameters, data)
        for run in range(1, RUNS + 1):
            record = made_record(name, "confirmed", run, 1, campaign.condition.classes)
            record = dataclasses.replace(
                record, fingerprint=fingerprint, parameters=campaign.parameters, data=data, history={}
            )
            save_record(folder / "baselines" / baseline / record_name(run), record)
    return made


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """Settings, and records of two conditions where the report looks for them."""
    monkeypatch.chdir(tmp_path)
    settings = settings_with({"protocol.runs": RUNS})
    conditions = {name: settings.conditions[name] for name in ("two_class", "three_class")}
    for name in conditions:
        write_phases(settings, name, Path("models") / name)
    return settings.model_copy(update={"conditions": conditions, "comparisons": {}})


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("two_class/confirmed/run-001.npz", "two_class, confirmed, run 1"),
        ("two_class/selected/run-002.npz", "two_class, selected, run 2"),
        ("three_class/confirmed/run-002.npz", "three_class, confirmed, run 2"),
    ],
    ids=["another run", "another phase", "another condition"],
)
def test_a_record_under_the_name_of_another(recorded, source, found):
    assert [len(each.phases["confirmed"]) for each in declared_records(recorded)] == [RUNS, RUNS]
    shutil.copy(Path("models") / source, "models/two_class/confirmed/run-002.npz")
    with pytest.raises(
        GalmorphError,
        match=rf"run-002\.npz: the record of {found}, in the place of two_class, confirmed, run 2; restore it",
    ):
        declared_records(recorded)


@pytest.mark.parametrize("part", ["history", "probabilities"])
def test_a_record_with_infinite_or_missing_numbers(tmp_path, part):
    record = made_record(phase="confirmed")
    if part == "history":
        record.history["test_loss"][-1] = np.nan
    else:
        record.sets["test"].probabilities[0, 0] = np.inf
    save_record(tmp_path / "r.npz", record)
    with pytest.raises(GalmorphError, match=rf"r\.npz: not a whole record \(.*{part}.* has values that are not finite"):
        load_record(tmp_path / "r.npz")


@pytest.mark.parametrize("text", ["0", "2.9", "true", '"3"', "null", "999"])
def test_an_invalid_epoch(tmp_path, text):
    (tmp_path / "epoch.json").write_text(f'{{"epoch": {text}}}\n')
    with pytest.raises(GalmorphError, match=r"epoch\.json: cannot read the selected epoch"):
        read_epoch(tmp_path, 300)


def test_an_epoch_other_than_the_selected_one(recorded):
    path = Path("models/two_class/selected/epoch.json")
    right = json.loads(path.read_text())["epoch"]
    path.write_text(json.dumps({"epoch": right + 1}))
    with pytest.raises(
        GalmorphError, match=rf"two_class: epoch.json says epoch {right + 1}, the selected records say {right}"
    ):
        declared_records(recorded)


@pytest.mark.parametrize("runs", [2, 4])
def test_fewer_or_more_runs_than_were_trained(recorded, runs):
    for phase in PHASES:
        folder = Path("models/two_class") / phase
        save_record(folder / record_name(4), dataclasses.replace(load_record(folder / record_name(3)), run=4))
    chosen = recorded.model_copy(update={"protocol": recorded.protocol.model_copy(update={"runs": runs})})
    with pytest.raises(GalmorphError, match=rf"selected: .*protocol\.runs = 3, params\.yaml now has {runs}"):
        declared_records(chosen)


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"training": {"learning_rate": 0.05}}, r"training\.learning_rate = 0\.001, params\.yaml now has 0\.05"),
        ({"network": {"dropout": 0.5}}, r"network\.dropout = 0\.0, params\.yaml now has 0\.5"),
        ({"protocol": {"seed": 1}}, r"protocol\.seed = 2024, params\.yaml now has 1"),
    ],
)
def test_records_of_other_parameters_than_params_yaml_has(recorded, phase, changed, said):
    """`dvc repro --single-item report` after an edit printed the new values over the old numbers."""
    ((block, values),) = changed.items()
    new = recorded.model_copy(update={block: getattr(recorded, block).model_copy(update=values)})
    if phase == "confirmed":
        shutil.rmtree("models/two_class/selected")
        write_phases(new, "two_class", Path("new"))
        shutil.move("new/selected", "models/two_class/selected")
    with pytest.raises(GalmorphError, match=rf"models/two_class/{phase}: .*{said}; run dvc repro \(stage .*@two_class"):
        declared_records(new)


def test_records_of_other_data_or_code(recorded, monkeypatch):
    IMAGES.parent.mkdir(parents=True)
    IMAGES.write_bytes(b"other stamps")
    with pytest.raises(GalmorphError, match=r"models/two_class/selected: .*: its images is not what it was; run dvc"):
        declared_records(recorded)
    IMAGES.unlink()
    declared_records(recorded)
    monkeypatch.setattr("galmorph.training.plan.code_hash", lambda: "other")
    with pytest.raises(GalmorphError, match=r"the code of galmorph\.training has changed; run dvc repro"):
        declared_records(recorded)


def test_baselines_of_other_parameters_or_code_or_missing(recorded, monkeypatch):
    folder = Path("models/two_class/baselines/pca")
    path = folder / record_name(1)
    record, content = load_record(path), path.read_bytes()
    save_record(path, dataclasses.replace(record, parameters=record.parameters | {"training.scaling": "linear"}))
    with pytest.raises(GalmorphError, match=r"run 2 is of another campaign"):
        declared_records(recorded)
    path.write_bytes(content)
    said = r"baselines/pca: .*training\.scaling = .*asinh.*, params\.yaml now has .*linear.*\(stage baseline@two_class"
    linear = recorded.training.model_copy(update={"scaling": "linear"})
    with pytest.raises(GalmorphError, match=said):
        read_baseline(recorded.model_copy(update={"training": linear}), "two_class", "pca", set())
    code = baselines.CODE
    monkeypatch.setattr("galmorph.baselines.CODE", ("resolution/sample.py", "resolution/levels.py"))
    with pytest.raises(GalmorphError, match=r"baselines/magnitude_size: .*resolution/levels\.py is not what it was"):
        declared_records(recorded)
    monkeypatch.setattr("galmorph.baselines.CODE", code)
    path.unlink()
    with pytest.raises(GalmorphError, match=r"baselines/pca/run-001\.npz"):
        declared_records(recorded)


def test_where_dvc_finds_nothing_to_do_the_stage_is_forced(recorded):
    new = recorded.model_copy(update={"training": recorded.training.model_copy(update={"batch_size": 8})})
    with pytest.raises(GalmorphError, match=r"run dvc repro --force --single-item train@two_class, then dvc repro"):
        declared_records(new, {"train@two_class"})


@pytest.fixture
def transferred(tmp_path, monkeypatch):
    """Settings, and records of networks of two levels, tested at both."""
    monkeypatch.chdir(tmp_path)
    settings = settings_with({"resolution.runs": RUNS, "resolution.oracle": [], "resolution.remedies": {}})
    seen = settings.resolution.seen
    for level in settings.resolution.levels:
        models = Path("models/transfer") / level
        made = write_phases(settings, f"transfer/{level}", models)
        for folder, md5 in (("tested", "a"), ("tested_before", "b")):
            (models / folder).mkdir()
            for record in made:
                sets = record.sets | dict.fromkeys(seen, record.sets["test"])
                data = record.data | {f"tested_{name}{kind}": 32 * md5 for name in seen for kind in ("", "_split")}
                save_record(
                    models / folder / record_name(record.run), dataclasses.replace(record, sets=sets, data=data)
                )
    return settings


@pytest.mark.parametrize("source", ["confirmed", "tested_before"])
@pytest.mark.parametrize("runs", [(2,), (1, 2, 3)], ids=["one run", "all runs"])
def test_a_network_tested_on_other_stamps(transferred, source, runs):
    assert list(declared_transfers(transferred)) == list(transferred.resolution.levels)
    last = Path("models/transfer") / list(transferred.resolution.levels)[-1]
    for run in runs:
        shutil.copy(last / source / record_name(run), last / "tested" / record_name(run))
    said = "run 2 is of another campaign than run 1, or of other data" if len(runs) == 1 else "not tested at the stamps"
    with pytest.raises(GalmorphError, match=f"{last / 'tested'}: {said}"):
        declared_transfers(transferred)


@pytest.mark.parametrize("how", ["swapped", "altered", "lost", "of a run that kept none"])
def test_weights_of_another_record(own_study, how):
    one, two, three = (own_study / CONFIRMED / weights_name(run) for run in (1, 2, 3))
    assert len(load_ensemble("three_class", own_study).members) == 2
    if how == "swapped":
        one.rename(three)
        two.rename(one)
        three.rename(two)
    elif how == "altered":
        content = bytearray(two.read_bytes())
        content[len(content) // 2] ^= 1
        two.write_bytes(content)
    elif how == "lost":
        two.unlink()
    else:
        shutil.copy(one, three)
        assert [member.run for member in load_ensemble("three_class", own_study).members] == [1, 2]
        return
    with pytest.raises(GalmorphError, match=r"run-00[12]\.weights\.h5: not the weights of this network"):
        load_ensemble("three_class", own_study)


def test_a_model_in_mlflow_with_exchanged_weights(study, tmp_path):
    record = load_record(study / CONFIRMED / record_name(1))
    assert record.weights == file_sha256(study / CONFIRMED / weights_name(1))
    StampClassifier(record, study / CONFIRMED / weights_name(1), 16)
    with pytest.raises(GalmorphError, match="they are not those of its record"):
        StampClassifier(record, study / CONFIRMED / weights_name(2), 16)


def test_stamps_with_infinite_pixels_stop_the_run(tmp_path):
    made = made_campaign(tmp_path)
    images = np.load(made.images)
    images[:, 3, 3] = np.inf
    np.save(made.images, images)
    (tmp_path / "records").mkdir()
    with pytest.raises(GalmorphError, match=r"three_class, phase confirmed, run 1: 28 of 28 stamps hold pixels"):
        run_one(made, 1, tmp_path / "records")
    assert not list((tmp_path / "records").iterdir())


def test_an_undefined_score_is_not_logged():
    record = made_record(phase="confirmed")
    one_class = dataclasses.replace(record.sets["test"], truth=np.zeros_like(record.sets["test"].truth))
    record = dataclasses.replace(record, sets=record.sets | {"test": one_class})
    run = score_run(record, 2)
    assert np.isnan(run.scores["tss"])
    metrics = run_content(run, Path("run-001.npz")).metrics
    assert "tss" not in metrics
    assert "accuracy" in metrics
