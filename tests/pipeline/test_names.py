"""Names that a user gives in params.yaml, in a plain `dvc repro`: they run no command and remove no folder."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from dvc.repo import Repo
from pathspec import GitIgnoreSpec

from galmorph.errors import GalmorphError
from galmorph.stages.work import stage_block
from tests.pipeline.test_dependencies import STAGES
from tests.support.dvc_project import Project
from tests.support.parameters import ROOT


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project whose first stages have run, as far as DVC can see."""
    project = Project(tmp_path_factory.mktemp("names"))
    for stage in STAGES.values():
        for path in (project.folder / dependency for dependency in stage["deps"] if "${" not in dependency):
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch() if path.suffix else path.mkdir()
    return project


def test_no_name_is_part_of_a_command() -> None:
    assert [name for name, stage in STAGES.items() if "${" in stage["cmd"]] == []


@pytest.mark.fault
@pytest.mark.parametrize(("stage", "block"), [("splits", "conditions"), ("degrade", "resolution.levels")])
def test_a_name_that_is_a_command_is_refused_by_key(project: Project, stage: str, block: str) -> None:
    before = dict(project.params)
    project.write_params({f"{block}.x; touch y": {}})
    said = project.run("dvc", "repro", "--single-item", f"{stage}@x; touch y", code=255)
    project.params = before
    assert not (project.folder / "y").exists()
    assert f"params.yaml: {block}.x; touch y: a name is of a to z, 0 to 9 and _" in said


@pytest.mark.fault
@pytest.mark.parametrize("place", ["notes", ".galmorph", "src", "data/external"])
def test_a_name_that_leads_elsewhere_removes_nothing(project: Project, place: str) -> None:
    kept = project.folder / place / "kept"
    kept.parent.mkdir(exist_ok=True)
    kept.touch()
    before = dict(project.params)
    name = f"../../../{place}"
    project.write_params({"resolution.levels": before["resolution"]["levels"] | {name: {}}})
    said = project.run("dvc", "repro", f"degrade@{name}", code=255)
    project.params = before
    assert re.search("is ignored by .dvcignore|both a dependency and an output|cycle", said)
    assert kept.exists()


def test_each_output_is_in_a_folder_that_dvc_sees() -> None:
    shown = re.findall(r"(?m)^!/(\w+)$", (ROOT / ".dvcignore").read_text(encoding="utf-8"))
    paths = [Path(path) for stage in STAGES.values() for path in [*stage["outs"], *stage["deps"]]]
    assert {path.parts[0] for path in paths} == set(shown)


@pytest.mark.parametrize("name", ["__pycache__/names.pyc", "old.pyc", ".#names.py", "names.py~", ".names.py.swp"])
def test_bytecode_and_what_editors_leave_are_no_dependencies(name: str) -> None:
    path = Path("src/galmorph/sdss", name)
    seen_by_dvc = Repo(str(ROOT)).dvcignore
    assert seen_by_dvc.is_ignored_file(str(ROOT / path))
    assert not seen_by_dvc.is_ignored_file(str(ROOT / "src/galmorph/sdss/names.py"))
    lines = (ROOT / ".dvcignore").read_text(encoding="utf-8").splitlines()
    assert GitIgnoreSpec.from_lines(lines).match_file(path)


def test_a_stage_that_dvc_does_not_run_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_STAGE", "../dvc.yaml:train@two_class")
    assert stage_block() == "two_class"
    monkeypatch.delenv("DVC_STAGE")
    with pytest.raises(GalmorphError, match="'' names no stage such as train@two_class"):
        stage_block()
