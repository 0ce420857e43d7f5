"""Whole studies: on a disk that fills up, side by side on one store with its UI open, and ten times in a row.

What must be kept: the bytes of an undisturbed study; and nothing of a study stays behind but its results.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from galmorph.tracking.store import Store
from tests.support.dvc_project import CONDITIONS, Project, environment
from tests.support.mlflow_server import mlflow_serving
from validation.soak import study

ENOUGH = 1_000_000_000
STAGE = (sys.executable, "-m")
# A stage, what must have been made before it, the bytes that are left on the disk, and what is run there: DVC, or the
# stage alone where what it leaves is less than DVC's own notes.
FILLED: tuple[tuple[str, tuple[str, ...], int, tuple[str, ...]], ...] = (
    ("acquire", (), 100_000, ("dvc", "repro", "acquire")),
    ("cutouts", (), 100_000, ("dvc", "repro", "cutouts")),
    ("splits@three_class", (), 0, (*STAGE, "galmorph.stages.splits", "three_class")),
    ("train@three_class", (), 8192, (*STAGE, "galmorph.stages.train", "selected", "three_class")),
    ("confirm@three_class", (), 8192, (*STAGE, "galmorph.stages.train", "confirmed", "three_class")),
    ("resolution", (), 8192, (*STAGE, "galmorph.stages.resolution")),
    ("degrade@coarse", (), 100_000, ("dvc", "repro", "degrade@coarse")),
    ("parts@native", ("degrade@native",), 0, (*STAGE, "galmorph.stages.parts", "native")),
    ("transfer@native", (), 100_000, ("dvc", "repro", "transfer@native")),
    ("tested@native", ("parts",), 8192, (*STAGE, "galmorph.stages.tested", "native")),
    ("report", ("tested", "confirm"), 100_000, ("dvc", "repro", "report")),
)
pytestmark = [pytest.mark.slow, pytest.mark.fault]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system in memory, whose size is changed by mounting it again."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {made.stderr.strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_disk_that_is_full_in_one_stage_after_another(undisturbed: Project, disk: Path) -> None:
    project = Project(disk / "project")

    def with_room(room: int, *command: str) -> subprocess.CompletedProcess[str]:
        size = shutil.disk_usage(disk).used + room
        subprocess.run(["mount", "-o", f"remount,size={size}", disk], check=True)
        return subprocess.run(command, cwd=project.folder, env=environment(), capture_output=True, text=True)

    def refused(done: subprocess.CompletedProcess[str]) -> None:
        assert done.returncode != 0
        assert "No space left on device" in done.stderr or "the disk is full" in done.stderr, done.stderr
        assert "Traceback" not in done.stderr

    for stage, before, room, command in FILLED:
        if before:
            assert with_room(ENOUGH, "dvc", "repro", *before).returncode == 0
        refused(with_room(room, *command))
        done = with_room(ENOUGH, "dvc", "repro", stage)
        assert done.returncode == 0, done.stderr
    assert with_room(ENOUGH, "dvc", "repro").returncode == 0
    assert project.hashes() == undisturbed.hashes()
    assert not list((project.folder / ".galmorph/partial").iterdir())


def test_two_studies_on_one_store_while_its_ui_is_open(undisturbed: Project, tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'shared.db'}"
    projects = [Project(tmp_path / name) for name in ("first", "second")]
    Store(uri, "first", tmp_path / "mlartifacts")
    seen = 0
    with mlflow_serving(tmp_path, "ui", "--backend-store-uri", uri) as address:
        running = []
        for project in projects:
            project.write_params({"survey.name": project.folder.name})
            with (project.folder / "repro.log").open("w") as log:
                running.append(
                    subprocess.Popen(
                        ["dvc", "repro"],
                        cwd=project.folder,
                        env=environment() | {"MLFLOW_TRACKING_URI": uri},
                        stdout=log,
                        stderr=log,
                    )
                )
        while any(process.poll() is None for process in running):
            asked = urllib.request.Request(f"{address}/api/2.0/mlflow/runs/search", b'{"experiment_ids": ["1"]}')
            asked.add_header("Content-Type", "application/json")
            with urllib.request.urlopen(asked, timeout=60) as answer:
                seen += answer.status == 200
            time.sleep(1)
    assert seen > 5
    for project, process in zip(projects, running, strict=True):
        said = (project.folder / "repro.log").read_text()
        assert process.returncode == 0, said
        assert "training goes on" not in said
        assert project.tables() == undisturbed.tables()
        ours, theirs = project.hashes(), undisturbed.hashes()
        assert {name: ours[name] for name in ours if not name.startswith("reports")} == {
            name: theirs[name] for name in theirs if not name.startswith("reports")
        }


def test_ten_times_in_a_row_nothing_stays_behind(tmp_path: Path) -> None:
    project = Project(tmp_path / "soak")
    first, *others = (study(project.folder, environment(), tmp_path / "tmp") for _ in range(10))
    assert first.runs > 2 * 2 * len(CONDITIONS)  # runs and phases of each, and what holds them
    for found in (first, *others):
        assert found.beyond(first) == []
