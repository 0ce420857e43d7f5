"""Whole studies: killed, altered on disk, on a full disk, two at once, ten in a row.

In the end `dvc repro` leaves the same bytes as in an undisturbed study.
"""

import glob
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request

import pytest

from galmorph.tracking.store import Store
from tests.support.damage import damage, empty, flipped, page, truncated
from tests.support.dvc_project import CONDITIONS, Project, environment
from tests.support.mlflow_server import mlflow_serving
from validation.soak import study

pytestmark = [pytest.mark.slow, pytest.mark.fault]

# Stage, seconds after its start, signal.
STRIKES = [
    ("acquire", 3.0, signal.SIGKILL),
    ("cutouts", 2.0, signal.SIGTERM),
    ("train@balanced", 9.0, signal.SIGKILL),
    ("confirm@balanced", 9.0, signal.SIGINT),
    ("transfer@native", 8.0, signal.SIGTERM),
    ("report", 5.0, signal.SIGKILL),
]


def strike(project, ready, seconds, number, *stages):
    """Start `dvc repro`, and send a signal to its process group some seconds after `ready` is true.

    Returns whether it was still running.
    """
    with (project.folder / "repro.log").open("w+") as log:
        process = subprocess.Popen(
            ["dvc", "repro", *stages],
            cwd=project.folder,
            env=environment() | {"PYTHONUNBUFFERED": "1"},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        deadline = time.monotonic() + 600
        while process.poll() is None and time.monotonic() < deadline:
            if ready():
                time.sleep(seconds)
                break
            time.sleep(0.1)
        alive = process.poll() is None
        if alive:
            os.killpg(process.pid, number)
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        # Some of the group may have ignored the signal.
        subprocess.run(["pkill", "-KILL", "-g", str(process.pid)], check=False)
    return alive


def test_killed_in_every_stage(undisturbed, tmp_path):
    project = Project(tmp_path / "galmorph struck")
    log = project.folder / "repro.log"

    def reached(stage):
        return lambda: f"Running stage '{stage}'" in log.read_text()

    struck = [stage for stage, seconds, number in STRIKES if strike(project, reached(stage), seconds, number)]
    # On a fast machine a stage may end before the signal.
    assert len(struck) >= 4
    project.repro()
    assert project.hashes() == undisturbed.hashes()
    assert not list((project.folder / ".galmorph/partial").iterdir())
    summary = project.galmorph("summary")
    assert summary == undisturbed.galmorph("summary")


def test_killed_at_run_17_of_30(tmp_path):
    whole, struck = (Project(tmp_path / name) for name in ("whole", "struck"))
    for project in (whole, struck):
        project.write_params({"protocol.runs": 30})
    stage = "train@balanced"
    whole.run("dvc", "repro", stage)

    def finished():
        # pathlib fails if a folder disappears during the search.
        return len(glob.glob("*/run-*.npz", root_dir=struck.folder / ".galmorph/partial")) >= 17

    assert strike(struck, finished, 0, signal.SIGKILL, stage)
    printed = struck.run("dvc", "repro", stage)
    before = re.search(r"30 runs of 3 epochs, (\d+) of them finished before", printed)
    assert before, printed
    assert 17 <= int(before[1]) < 30
    assert struck.hashes() == whole.hashes()
    assert not list((struck.folder / ".galmorph/partial").iterdir())


def at_work(project, stage, said):
    """Start `dvc repro` of a stage, and return it when the stage says, or has made, something."""
    log = project.folder / "repro.log"
    with log.open("w") as file:
        process = subprocess.Popen(
            ["dvc", "repro", stage], cwd=project.folder, env=environment(), stdout=file, stderr=file
        )
    partial = project.folder / ".galmorph/partial"
    while said not in log.read_text() and not glob.glob(f"**/{said}", root_dir=partial, recursive=True):
        assert process.poll() is None, log.read_text()
        time.sleep(0.05)
    return process


def test_dvc_alone_is_killed(undisturbed, tmp_path):
    project = Project(tmp_path / "orphans")
    for stage, said in (("acquire", "fpC-*"), ("train@balanced", "runs of 3 epochs")):
        killed = at_work(project, stage, said)
        killed.kill()
        killed.wait()
        project.run("dvc", "repro", stage)
        assert "stopped" in (project.folder / "repro.log").read_text()
    before = undisturbed.hashes()
    assert project.hashes().items() <= before.items()
    assert not list((project.folder / ".galmorph/partial").iterdir())


def test_edited_while_a_stage_runs(tmp_path):
    project, whole = (Project(tmp_path / name) for name in ("edited", "whole"))

    def other_seed(edited):
        edited.write_params({"simulated.seed": 5})

    def other_code(edited):
        with (edited.folder / "src/galmorph/training/fit.py").open("a") as file:
            file.write("# edited\n")

    for stage, said, edit, name in (
        ("acquire", "fpC-*", other_seed, "params.yaml: simulated: edited while this stage ran"),
        ("train@balanced", "runs of 3 epochs", other_code, "src/galmorph/training/fit.py: edited while this stage ran"),
    ):
        running = at_work(project, stage, said)
        edit(project)
        edit(whole)
        assert running.wait(timeout=600) != 0
        assert name in (project.folder / "repro.log").read_text()
    for each in (project, whole):
        each.run("dvc", "repro", "confirm@balanced")
    assert project.hashes() == whole.hashes()
    assert project.lock() == whole.lock()


def test_two_repros_in_one_checkout(undisturbed, tmp_path):
    project = Project(tmp_path / "galmorph twice")
    both = [
        subprocess.Popen(
            ["dvc", "repro"], cwd=project.folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=900)[0].decode() for process in both]
    failed = [text for process, text in zip(both, said, strict=True) if process.returncode]
    # DVC's lock lets one of them in.
    assert len(failed) <= 1
    assert all("lock" in text.lower() or "busy" in text.lower() for text in failed)
    project.repro()
    assert project.hashes() == undisturbed.hashes()


@pytest.mark.parametrize(
    ("name", "cached"),
    [
        ("data/cutouts/images.npy", True),
        ("data/cutouts/galaxies.parquet", True),
        ("data/splits/balanced.parquet", True),
        ("models/balanced/confirmed/run-002.npz", False),
    ],
)
def test_an_altered_file_and_its_cached_copy(undisturbed, name, cached):
    before = undisturbed.hashes()
    path = undisturbed.folder / name
    right = path.read_bytes()
    altered = [path]
    if cached:
        md5 = before[name]
        altered.append(undisturbed.folder / ".dvc/cache/files/md5" / md5[:2] / md5[2:])
    for file in altered:
        file.chmod(0o644)
        damage(file, flipped)
    undisturbed.repro()
    assert path.read_bytes() == right
    assert undisturbed.hashes() == before


@pytest.mark.parametrize("how", [page, truncated, flipped, empty], ids=lambda how: how.__name__)
def test_a_damaged_lock_file(undisturbed, how):
    path = undisturbed.folder / "dvc.lock"
    right = path.read_bytes()
    damage(path, how)
    done = subprocess.run(
        ["dvc", "repro"], cwd=undisturbed.folder, env=environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        assert "dvc.lock" in done.stdout + done.stderr
        # Without the lock file DVC restores every output from its run cache.
        path.unlink()
        assert undisturbed.repro() == []
    assert path.read_bytes() == right


ENOUGH = 1_000_000_000


def alone(stage: str, module: str, *arguments: str) -> tuple[str, ...]:
    """Return the command of a stage without DVC."""
    return ("env", f"DVC_STAGE={stage}", sys.executable, "-m", f"galmorph.stages.{module}", *arguments)


# Stage, stages to run before it, bytes left on the disk, command. Where a stage writes less than DVC's own notes, the
# command is the stage alone.
FILLED: tuple[tuple[str, tuple[str, ...], int, tuple[str, ...]], ...] = (
    ("acquire", (), 100_000, ("dvc", "repro", "acquire")),
    ("cutouts", (), 100_000, ("dvc", "repro", "cutouts")),
    ("splits@three_class", (), 0, alone("splits@three_class", "splits")),
    ("train@three_class", (), 8192, alone("train@three_class", "train", "selected")),
    ("confirm@three_class", (), 8192, alone("confirm@three_class", "train", "confirmed")),
    ("resolution", (), 8192, alone("resolution", "resolution")),
    ("degrade@coarse", (), 100_000, ("dvc", "repro", "degrade@coarse")),
    ("parts@native", ("degrade@native",), 0, alone("parts@native", "parts")),
    ("transfer@native", (), 100_000, ("dvc", "repro", "transfer@native")),
    ("tested@native", ("parts",), 8192, alone("tested@native", "tested")),
    ("report", ("tested", "confirm"), 100_000, ("dvc", "repro", "report")),
)


@pytest.fixture
def disk(tmp_path):
    """A file system in memory; to remount it changes its size."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {made.stderr.strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_in_each_stage(undisturbed, disk):
    project = Project(disk / "project")

    def with_room(room, *command):
        size = shutil.disk_usage(disk).used + room
        subprocess.run(["mount", "-o", f"remount,size={size}", disk], check=True)
        return subprocess.run(command, cwd=project.folder, env=environment(), capture_output=True, text=True)

    def refused(done):
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


def test_two_studies_in_one_store_with_its_ui_open(undisturbed, tmp_path):
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


def test_ten_studies_leave_nothing_behind(tmp_path):
    project = Project(tmp_path / "soak")
    first, *others = (study(project.folder, environment(), tmp_path / "tmp") for _ in range(10))
    assert first.runs > 2 * 2 * len(CONDITIONS)  # two runs of two phases of each condition, and their parents
    for found in (first, *others):
        assert found.beyond(first) == []
