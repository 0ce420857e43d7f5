"""The pipeline: killed at any stage, two at once, data and caches altered on disk.

What must be kept: what `dvc repro` leaves in the end is the same, to the byte, as if nothing had happened.
"""

from __future__ import annotations

import glob
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.damage import damage, empty, flipped, page, truncated
from tests.support.dvc_project import Project, environment

pytestmark = [pytest.mark.slow, pytest.mark.fault]

# After so many seconds of a stage, with what; the first strike in the middle of work, some of them in its start.
STRIKES = [
    ("acquire", 3.0, signal.SIGKILL),
    ("cutouts", 2.0, signal.SIGTERM),
    ("train@balanced", 9.0, signal.SIGKILL),
    ("confirm@balanced", 9.0, signal.SIGINT),
    ("transfer@native", 8.0, signal.SIGTERM),
    ("report", 5.0, signal.SIGKILL),
]


def strike(project: Project, ready: Callable[[], bool], seconds: float, number: signal.Signals, *stages: str) -> bool:
    """Start `dvc repro`, and send a signal to all of its processes some time after `ready` says so."""
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
        # Whatever is left of the group: the signal of a test must not outlive it.
        subprocess.run(["pkill", "-KILL", "-g", str(process.pid)], check=False)
    return alive


def test_killed_in_every_stage_the_end_is_the_same(undisturbed: Project, tmp_path: Path) -> None:
    project = Project(tmp_path / "galmorph struck")
    log = project.folder / "repro.log"

    def reached(stage: str) -> Callable[[], bool]:
        return lambda: f"Running stage '{stage}'" in log.read_text()

    struck = [stage for stage, seconds, number in STRIKES if strike(project, reached(stage), seconds, number)]
    # A quick machine may be done with a stage before the strike.
    assert len(struck) >= 4
    project.repro()
    assert project.hashes() == undisturbed.hashes()
    assert not list((project.folder / ".galmorph/partial").iterdir())
    summary = project.galmorph("summary")
    assert summary == undisturbed.galmorph("summary")


def test_killed_at_run_17_of_30_the_runs_that_had_finished_are_kept(tmp_path: Path) -> None:
    whole, struck = (Project(tmp_path / name) for name in ("whole", "struck"))
    for project in (whole, struck):
        project.write_params({"protocol.runs": 30})
    stage = "train@balanced"
    whole.run("dvc", "repro", stage)

    def finished() -> bool:
        # pathlib fails over a folder that goes away meanwhile.
        return len(glob.glob("*/run-*.npz", root_dir=struck.folder / ".galmorph/partial")) >= 17

    assert strike(struck, finished, 0, signal.SIGKILL, stage)
    printed = struck.run("dvc", "repro", stage)
    before = re.search(r"30 runs of 3 epochs, (\d+) of them finished before", printed)
    assert before, printed
    assert 17 <= int(before[1]) < 30
    assert struck.hashes() == whole.hashes()
    assert not list((struck.folder / ".galmorph/partial").iterdir())


def test_two_at_once_in_one_checkout(undisturbed: Project, tmp_path: Path) -> None:
    project = Project(tmp_path / "galmorph twice")
    both = [
        subprocess.Popen(
            ["dvc", "repro"], cwd=project.folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=900)[0].decode() for process in both]
    failed = [text for process, text in zip(both, said, strict=True) if process.returncode]
    # DVC lets one of them in; the other says who is there.
    assert len(failed) <= 1
    assert all("lock" in text.lower() or "busy" in text.lower() for text in failed)
    project.repro()
    assert project.hashes() == undisturbed.hashes()


@pytest.mark.parametrize(
    "name", ["data/cutouts/images.npy", "data/cutouts/galaxies.parquet", "data/splits/balanced.parquet"]
)
def test_an_altered_file_and_its_copy_in_the_cache_are_made_anew(undisturbed: Project, name: str) -> None:
    before = undisturbed.hashes()
    path = undisturbed.folder / name
    right = path.read_bytes()
    md5 = before[name]
    cached = undisturbed.folder / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
    for file in (path, cached):
        file.chmod(0o644)
        damage(file, flipped)
    undisturbed.repro()
    assert path.read_bytes() == right
    assert undisturbed.hashes() == before


def test_an_altered_record_is_refused_and_made_anew(undisturbed: Project) -> None:
    before = undisturbed.hashes()
    path = undisturbed.folder / "models/balanced/confirmed/run-002.npz"
    right = path.read_bytes()
    path.chmod(0o644)
    damage(path, flipped)
    undisturbed.repro()
    assert path.read_bytes() == right
    assert undisturbed.hashes() == before


@pytest.mark.parametrize("how", [page, truncated, flipped, empty], ids=lambda how: how.__name__)
def test_a_damaged_lock_file(undisturbed: Project, how: Callable[[bytes], bytes]) -> None:
    path = undisturbed.folder / "dvc.lock"
    right = path.read_bytes()
    damage(path, how)
    done = subprocess.run(
        ["dvc", "repro"], cwd=undisturbed.folder, env=environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        assert "dvc.lock" in done.stdout + done.stderr
        # Without it DVC finds what it has made by its run cache, and makes nothing anew.
        path.unlink()
        assert undisturbed.repro() == []
    assert path.read_bytes() == right
