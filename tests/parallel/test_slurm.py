import os
import signal
import stat
import time
from pathlib import Path

import pytest

from galmorph.environment import PINNED
from galmorph.errors import GalmorphError
from galmorph.parallel.cluster import client
from galmorph.parallel.slurm import slurm_jobs, walltime_seconds

# The commands of SLURM as dask-jobqueue uses them: a job is a process here. scripts/rehearse-slurm runs the real ones.
SBATCH = """#!/bin/sh
if [ "$1" = --test-only ]; then
    grep -q '^#SBATCH -p nowhere' "$2" && echo 'allocation failure: Invalid partition name specified' >&2 && exit 1
    exit 0
fi
cp "$1" {folder}/job.sh
setsid sh {folder}/job.sh > {folder}/said 2>&1 &
echo "Submitted batch job $!"
"""
SCANCEL = """#!/bin/sh
echo "$1" >> {folder}/cancelled
kill -TERM -- "-$1"
"""


@pytest.fixture
def commands(tmp_path, monkeypatch):
    for name, text in {"sbatch": SBATCH, "scancel": SCANCEL}.items():
        path = tmp_path / name
        path.write_text(text.format(folder=tmp_path))
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def jobs(folder, most=1, **changes):
    options = {"queue": None, "walltime": "00:10:00", "memory": "1GB", "interface": "lo"} | changes
    return slurm_jobs(most, logs=folder / "logs", **options)


def job_state() -> tuple[str | None, bool]:
    import dask

    return os.environ.get("NPY_DISABLE_CPU_FEATURES"), dask.config.get("distributed.worker.memory.pause")


def test_work_at_the_scheduler_is_done_by_a_job_that_ends_with_the_block(commands, monkeypatch):
    with jobs(commands, queue="short", options=["--constraint=avx2"]) as cluster:
        assert not (commands / "job.sh").exists()  # none without work
        monkeypatch.setenv("GALMORPH_SCHEDULER", cluster.scheduler_address)
        with client(1) as connected:
            assert connected.submit(job_state).result(timeout=120) == (PINNED["NPY_DISABLE_CPU_FEATURES"], False)
            (worker,) = connected.run(os.getpid).values()
    script = (commands / "job.sh").read_text()
    for line in ("-p short", "-t 00:10:00", "--cpus-per-task=1", "--mem=954M", "--constraint=avx2"):
        assert f"#SBATCH {line}\n" in script
    assert "--lifetime 540s --lifetime-stagger 30s" in script
    deadline = time.monotonic() + 60
    while Path(f"/proc/{worker}").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    with pytest.raises(ProcessLookupError):
        os.kill(worker, signal.SIGKILL)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"most": 0}, "--workers 0: one or more"),
        ({"walltime": "5h"}, "--walltime 5h: a time such as 06:00:00"),
        (
            {"queue": "nowhere"},
            "SLURM accepts no such job: allocation failure: Invalid partition name specified; correct",
        ),
        ({"memory": "lots"}, "--memory lots: a size such as 3GB"),
        ({"interface": "ib7"}, "the cluster cannot start: .*'ib7' is not a valid network interface"),
    ],
)
def test_what_no_job_can_have(commands, changes, message):
    with pytest.raises(GalmorphError, match=message), jobs(commands, **changes):
        pass


def test_a_machine_without_slurm(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GalmorphError, match="sbatch not found: run this on a machine from which SLURM accepts jobs"):
        jobs(tmp_path).__enter__()


@pytest.mark.parametrize(("text", "seconds"), [("00:01:00", 60), ("06:00:00", 21600), ("1-12:00:00", 129600)])
def test_seconds_of_a_time_limit(text, seconds):
    assert walltime_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "1", "00:00:59", "1:00", "-01:00:00", "x-06:00:00", "06:00:00:00", "0-0-1:00:00"])
def test_other_time_limits_are_refused(text):
    with pytest.raises(GalmorphError, match=r"--walltime .*: a time such as"):
        walltime_seconds(text)
