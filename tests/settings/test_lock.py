"""dvc.lock against params.yaml and the files of a project: what DVC would find changed is refused without DVC."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from galmorph.errors import GalmorphError
from galmorph.settings.lock import declared_stages, difference, read_lock, require_current
from galmorph.settings.study import Settings
from tests.support.dvc_project import environment
from tests.support.parameters import changed, committed, settings_with, stages
from tests.support.trained_study import write_yaml

STAGES = ("acquire", "cutouts", "splits@two_class")
# As in dvc.yaml, with commands that take no time.
PIPELINE = {
    "acquire": {
        "cmd": "mkdir -p data/raw && echo frames > data/raw/frame",
        "deps": ["src/sources"],
        "params": ["survey.source", "simulated"],
        "outs": ["data/raw"],
    },
    "cutouts": {
        "cmd": "mkdir -p data/cutouts && echo stamps > data/cutouts/images.npy",
        "deps": ["data/raw"],
        "params": ["cutouts"],
        "outs": ["data/cutouts/images.npy"],
    },
    "splits": {
        "foreach": ["two_class"],
        "do": {
            "cmd": "mkdir -p data/splits/${item} && echo rows > data/splits/${item}/a",
            "deps": ["data/cutouts/images.npy"],
            "params": ["conditions.${item}"],
            "outs": ["data/splits/${item}"],
        },
    },
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which DVC has run three stages."""
    folder = tmp_path_factory.mktemp("finished")
    write_yaml(folder / "params.yaml", committed())
    write_yaml(folder / "dvc.yaml", {"stages": PIPELINE})
    (folder / ".dvcignore").write_text("__pycache__/\n*~\n")
    for name in ("fetch.py", "deeper/one.py", "a.py"):
        path = folder / "src/sources" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# {name}\n")
    for command in (["init", "--no-scm", "--quiet"], ["repro", "--quiet"]):
        subprocess.run([sys.executable, "-m", "dvc", *command], cwd=folder, env=environment(), check=True)
    return folder


@pytest.fixture
def project(finished: Path, tmp_path: Path) -> Path:
    for name in ("data", "src"):
        subprocess.run(["cp", "-r", str(finished / name), str(tmp_path / name)], check=True)
    for name in ("params.yaml", ".dvcignore", "dvc.lock"):
        (tmp_path / name).write_bytes((finished / name).read_bytes())
    return tmp_path


def compare(project: Path, changes: Mapping[str, Any] | None = None) -> set[str]:
    write_yaml(project / "params.yaml", changed(committed(), dict(changes or {})))
    return require_current(STAGES, project)


def test_what_dvc_has_just_made_is_current(project: Path, caplog: pytest.LogCaptureFixture) -> None:
    (project / "src/sources/__pycache__").mkdir()
    (project / "src/sources/__pycache__/fetch.pyc").write_bytes(b"bytecode")
    (project / "src/sources/fetch.py~").write_text("an editor's copy")
    assert compare(project) == set(STAGES)
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"simulated.seeing": 1.6}, r"stage acquire: it ran with simulated\.seeing = 1\.43, params\.yaml now has 1\.6"),
        ({"survey.source": "local"}, r'stage acquire: .*survey\.source = "simulated", params\.yaml now has "local"'),
        ({"cutouts.sky_inner": 90}, r"stage cutouts: it ran with cutouts\.sky_inner = 80, params\.yaml now has 90"),
        (
            {"conditions.two_class.classes": ["elliptical", "spiral"]},
            r'stage splits@two_class: .*classes = \["spiral", "elliptical"\], params\.yaml now has \["elliptical"',
        ),
        # The first stage to run comes first.
        ({"cutouts.sky_inner": 90, "simulated.seed": 3}, r"stage acquire: .*simulated\.seed = 20081101"),
    ],
)
def test_other_parameters_are_refused_with_the_stage_to_run(project: Path, change: dict[str, Any], said: str) -> None:
    """Those of the survey change its data, and no parameter of a campaign."""
    with pytest.raises(GalmorphError, match=f"{said}.*; run dvc repro, or bring back"):
        compare(project, change)
    assert compare(project) == set(STAGES)


def test_parameters_of_others_do_not_matter(project: Path) -> None:
    compare(project, {"training.epochs": 3, "conditions.balanced.draw": 100, "stamps.colour": "red"})


def test_keys_that_a_condition_changes_are_compared_as_they_stand_in_the_file(project: Path) -> None:
    own = {"conditions.two_class.training": {"learning_rate": 0.01}}
    with pytest.raises(GalmorphError, match=r"conditions\.two_class\.training = null, params\.yaml now has \{"):
        compare(project, own)
    lock = YAML(typ="safe").load((project / "dvc.lock").read_text(encoding="utf-8"))
    params = lock["stages"]["splits@two_class"]["params"]["params.yaml"]
    params["conditions.two_class"]["training"] = {"learning_rate": 0.01}
    write_yaml(project / "dvc.lock", lock)
    assert compare(project, own) == set(STAGES)


def test_code_that_was_edited(project: Path) -> None:
    (project / "src/sources/deeper/one.py").write_text("# another\n")
    with pytest.raises(GalmorphError, match="stage acquire: src/sources has changed since it ran"):
        compare(project)


@pytest.mark.parametrize("name", ["data/cutouts/images.npy", "data/splits/two_class/a", "data/splits/two_class/b"])
def test_data_that_dvc_lock_does_not_know(project: Path, name: str) -> None:
    """As after `git checkout` without `dvc checkout`, or a stage that was run without DVC."""
    (project / name).unlink(missing_ok=True)
    (project / name).write_text("others")
    stage = "cutouts" if "cutouts" in name else "splits@two_class"
    with pytest.raises(GalmorphError, match=f"stage {stage}: data.* is not what it made.* dvc commit {stage}"):
        compare(project)


def test_stamps_of_other_frames(project: Path) -> None:
    """As after `dvc repro --single-item acquire`: cutouts has read other frames than those there are."""
    text = (project / "dvc.lock").read_text(encoding="utf-8")
    md5 = read_lock(project)["acquire"].outs["data/raw"]
    assert md5 is not None
    (project / "dvc.lock").write_text(text.replace(md5, "0" * 32 + ".dir", 1), encoding="utf-8")
    with pytest.raises(GalmorphError, match="stage cutouts: data/raw has changed since it ran"):
        compare(project)


def test_what_is_not_at_hand_is_not_compared(project: Path) -> None:
    for name in ("data", "src"):
        subprocess.run(["rm", "-r", str(project / name)], check=True)
    assert compare(project) == set(STAGES)


def test_stages_that_were_run_without_dvc_are_named(project: Path, caplog: pytest.LogCaptureFixture) -> None:
    (project / "dvc.lock").unlink()
    with caplog.at_level(logging.WARNING, logger="galmorph"):
        assert compare(project, {"simulated.seeing": 1.6}) == set()
    assert "dvc.lock does not know the stage acquire, cutouts, splits@two_class: whether params.yaml" in caplog.text


def expanded(settings: Settings) -> set[str]:
    """Return the names of the stages of dvc.yaml, as DVC expands them."""
    blocks: dict[str, Iterable[str]] = {
        "conditions": settings.conditions,
        "resolution.levels": settings.resolution.levels,
        "resolution.ablations": settings.resolution.ablations,
        "resolution.remedies": settings.resolution.remedies,
        "resolution.oracle": settings.resolution.oracle,
    }
    names: set[str] = set()
    for stage, block in stages().items():
        each = blocks[block["foreach"].strip("${}")] if "foreach" in block else None
        names |= {stage} if each is None else {f"{stage}@{name}" for name in each}
    return names


def test_every_stage_of_dvc_yaml_is_compared() -> None:
    level = {"psf_fwhm": 2.2, "pixel_scale": 0.396, "noise": None}
    mixed = {"kind": "mixed", "galaxies": None, "epochs": None, "learning_rate": None, "levels": ["native", "coarse"]}
    settings = settings_with(
        {
            "resolution.ablations": {"blur": level},
            "resolution.remedies": {"both": mixed},
            "resolution.oracle": ["coarse"],
        }
    )
    assert {*declared_stages(settings), "report"} == expanded(settings)
    assert declared_stages(settings, "balanced") == [
        *("acquire", "cutouts", "splits@balanced", "train@balanced", "confirm@balanced")
    ]


def test_differences_name_the_innermost_key() -> None:
    assert difference("a", {"b": {"c": 1, "d": 2}}, {"b": {"c": 1, "d": 3}}) == (
        "it ran with a.b.d = 2, params.yaml now has 3"
    )
    assert difference("a", {"b": 1}, {"b": 1, "c": None}) is None
    assert difference("a", 1.0, 1) is None
