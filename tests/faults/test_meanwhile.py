"""What happens while a stage runs: edits of what it started from, a second process, the end of the DVC above it.

A result belongs to the parameters, data and code that dvc.lock names for it, or is refused.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from galmorph.errors import GalmorphError
from galmorph.files.texttable import copy_rows
from galmorph.settings.layout import fresh_folder
from galmorph.splits import split_condition
from galmorph.stages import acquire, splits, work
from tests.support.dvc_project import Project, environment

pytestmark = pytest.mark.fault

STAGE, CONDITION = "splits@three_class", "three_class"


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A tiny study whose galaxies are there, and nothing else."""
    project = Project(tmp_path_factory.mktemp("meanwhile"))
    kinds = ["spiral"] * 82 + ["elliptical"] * 31 + ["uncertain"] * 187
    table = pd.DataFrame({"objid": range(1, 301), "class": kinds})
    (project.folder / "data/cutouts").mkdir()
    table.to_parquet(project.folder / "data/cutouts/galaxies.parquet")
    return project


@pytest.fixture
def project(fresh: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """The study, whose files are as before after each test; the stage of the splits runs in it, as below DVC."""
    before = {path: path.read_bytes() for path in fresh.folder.rglob("*") if path.is_file()}
    monkeypatch.chdir(fresh.folder)
    monkeypatch.setenv("DVC_STAGE", STAGE)
    yield fresh
    for path, content in before.items():
        if not path.exists() or path.read_bytes() != content:
            path.write_bytes(content)
    shutil.rmtree(fresh.folder / "data/splits", ignore_errors=True)


def replaced(name: str, old: str, new: str) -> Callable[[], Any]:
    """Return an edit of a file of the project."""

    def edit() -> None:
        text = Path(name).read_text(encoding="utf-8")
        assert old in text
        Path(name).write_text(text.replace(old, new), encoding="utf-8")

    return edit


def other_galaxies() -> None:
    path = Path("data/cutouts/galaxies.parquet")
    pd.read_parquet(path)[::-1].to_parquet(path)


def meanwhile(monkeypatch: pytest.MonkeyPatch, edit: Callable[[], Any]) -> None:
    """Run the stage, and edit something when it has read its parameters and galaxies."""

    def editing(*arguments: Any) -> pd.DataFrame:
        edit()
        return split_condition(*arguments)

    monkeypatch.setattr(splits, "split_condition", editing)
    splits.main()


OF_THE_STAGE = {
    "a parameter": (replaced("params.yaml", "seed: 2024", "seed: 2025"), r"^params\.yaml: protocol: edited while"),
    "parameters that cannot be read": (replaced("params.yaml", "protocol:", "protocol: ["), r"^params\.yaml: "),
    "a condition that is removed": (
        replaced("params.yaml", "three_class:", "other_class:"),
        r"^params\.yaml: conditions\.three_class: edited while",
    ),
    "its input": (other_galaxies, r"^data/cutouts/galaxies\.parquet: edited while"),
    "an input that is gone": (Path("data/cutouts/galaxies.parquet").unlink, r"^data/cutouts/galaxies\.parquet: edited"),
    "its code": (replaced("src/galmorph/splits.py", "import", "import  "), r"^src/galmorph/splits\.py: edited while"),
}


@pytest.mark.parametrize(("edit", "message"), OF_THE_STAGE.values(), ids=OF_THE_STAGE.keys())
def test_what_a_stage_started_from_is_edited_while_it_runs(
    project: Project, monkeypatch: pytest.MonkeyPatch, edit: Callable[[], Any], message: str
) -> None:
    with pytest.raises(GalmorphError, match=message) as error:
        meanwhile(monkeypatch, edit)
    assert "run dvc repro again" in str(error.value)
    assert not (project.folder / "data/splits").exists()
    assert not list((project.folder / ".galmorph/partial").iterdir())


OF_OTHERS = {
    "a parameter of the report": replaced("params.yaml", "png_dpi: 50", "png_dpi: 60"),
    "a new condition": replaced("params.yaml", "\nconditions:", "\nconditions:\n  extra: {}"),
    "the code of the report": replaced("src/galmorph/report/page.py", "import", "import  "),
    "a file touched, its content the same": Path("data/cutouts/galaxies.parquet").touch,
}


@pytest.mark.parametrize("edit", OF_OTHERS.values(), ids=OF_OTHERS.keys())
def test_what_concerns_other_stages_may_be_edited(
    project: Project, monkeypatch: pytest.MonkeyPatch, edit: Callable[[], Any]
) -> None:
    meanwhile(monkeypatch, edit)
    assert [path.name for path in (project.folder / "data/splits").iterdir()] == [f"{CONDITION}.parquet"]


IMPORTING = """
from pathlib import Path
import galmorph.stages

path = Path("src/galmorph/splits.py")
path.write_text("# edited\\n" + path.read_text())
from galmorph.stages import splits
splits.main()
"""


def test_code_is_edited_while_a_stage_imports_it(project: Project) -> None:
    done = subprocess.run([sys.executable, "-c", IMPORTING], env=environment(), capture_output=True, text=True)
    assert "GalmorphError: src/galmorph/splits.py: edited while this stage ran" in done.stderr
    assert not (project.folder / "data/splits").exists()


def test_a_stage_that_is_started_by_hand(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DVC_STAGE")
    with work.stage_work("acquire") as done:
        replaced("params.yaml", "seed: 2024", "seed: 2025")()
        with pytest.raises(GalmorphError, match=r"^params\.yaml: edited while this stage ran"):
            done.put()


def test_a_stage_that_is_no_longer_declared(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_STAGE", "splits@gone")
    with pytest.raises(GalmorphError, match=r"edited since dvc repro started splits@gone, .*run dvc repro again"):
        splits.main()
    replaced("params.yaml", "protocol:", "protocol: [")()
    with pytest.raises(GalmorphError, match=r"^params\.yaml: line \d+: not valid YAML"):
        splits.main()


def test_a_stage_outside_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(GalmorphError, match=r"params\.yaml: no such file; run galmorph in the project's root"):
        acquire.main()


WORKING = """
import os, time
from galmorph.stages.launch import launch
from galmorph.stages.work import stage_work

def stage():
    with stage_work("cutouts"):
        print(os.getpid(), flush=True)
        time.sleep(60)

launch(stage)
"""


@pytest.fixture
def working(project: Project) -> Iterator[subprocess.Popen[str]]:
    """A shell as the parent of a stage that says its number and waits."""
    with subprocess.Popen(
        ["sh", "-c", f"{sys.executable} -c '{WORKING}'; exit 3"],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as shell:
        yield shell
        if shell.poll() is None:
            os.killpg(shell.pid, signal.SIGKILL)


def test_a_second_process_at_a_stage(
    working: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert working.stdout
    stage = int(working.stdout.readline())
    monkeypatch.setattr(work, "LOCK_SECONDS", 0.1)
    refused = pytest.raises(GalmorphError, match=r"cutouts: another process is at work .*run dvc repro again")
    with refused, work.stage_work("cutouts"):
        pass
    assert "cutouts: another process is at work on it; waiting" in caplog.text
    with work.stage_work("acquire"):
        pass  # another stage is free
    os.kill(stage, signal.SIGKILL)
    working.wait()
    with work.stage_work("cutouts") as free:
        assert list(free.folder.iterdir()) == []


def test_a_stage_ends_with_the_dvc_that_started_it(working: subprocess.Popen[str]) -> None:
    assert working.stdout
    working.stdout.readline()
    working.kill()
    # The next dvc repro waits for it.
    with work.stage_work("cutouts") as free:
        assert list(free.folder.iterdir()) == []
    assert "stopped" in working.communicate(timeout=20)[1]


def test_a_job_of_a_killed_process_writes_into_no_folder_of_another(project: Project) -> None:
    killed = fresh_folder("acquire")
    before = killed.__enter__()
    with fresh_folder("acquire") as after:
        late = before / "raw"
        late.mkdir(parents=True)
        assert list(after.iterdir()) == []


def test_stamps_that_are_lost_while_acquire_runs(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path("data/external/stamps")
    folder.mkdir()
    for number in (1, 2, 3):
        (folder / f"{number}.npy").touch()
    Path("data/external/labels.csv").write_text("stamp,class\n1.npy,spiral\n2.npy,spiral\n3.npy,spiral\n")
    project.write_params({"survey.source": "stamps"})
    monkeypatch.setenv("DVC_STAGE", "acquire")

    def losing(source: Path, rows: list[int], total: int, path: Path) -> None:
        (path.parent / "stamps/2.npy").unlink()
        copy_rows(source, rows, total, path)

    monkeypatch.setattr("galmorph.sources.stamps.copy_rows", losing)
    with pytest.raises(GalmorphError, match=r"stamps/2\.npy: 1 of 3 files of the sample are not there"):
        acquire.main()
    assert not (project.folder / "data/raw").exists()
