"""The stages acquire and cutouts with a server that breaks responses, killed several times."""

from __future__ import annotations

import contextlib
import glob
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from ruamel.yaml import YAML

from galmorph.settings.survey import SimulatedSettings
from galmorph.sources import simulated
from tests.support.archive_server import serving
from tests.support.parameters import ROOT, changed, committed

TRANSIENT = ("truncated", "flipped", "html", "500", "slow")
BROKEN = 0.05  # of the responses
ABSENT = 0.02  # of the files
GALAXIES = 600


def fault(path: str, number: int) -> str | None:
    """Break some responses at random; a missing file is missing every time."""
    if not path.endswith((".gz", ".fit")):
        return None
    if random.Random(path).random() < ABSENT:
        return "404"
    rng = random.Random(f"{path} {number}")
    return rng.choice(TRANSIENT) if rng.random() < BROKEN else None


def project(folder: Path, url: str, table: Path) -> Path:
    external = folder / "data/external"
    external.mkdir(parents=True)
    for path in (table, table.parent / "redshifts.csv"):
        (external / path.name).symlink_to(path)
    params = changed(
        committed(),
        {
            "survey.source": "sdss",
            "sdss.archive": url,
            "sdss.catalogue": f"data/external/{table.name}",
            "sdss.redshifts": "data/external/redshifts.csv",
            "cutouts.max_rejected_fraction": 0.2,
            "sdss.max_missing_fraction": 0.2,
        },
    )
    with (folder / "params.yaml").open("w") as file:
        YAML(typ="safe").dump(params, file)
    return folder


def start(stage: str, folder: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "GALMORPH_TIMEOUT": "2"}
    command = [sys.executable, "-m", f"galmorph.stages.{stage}"]
    return subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.DEVNULL, start_new_session=True)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def count(folder: Path, pattern: str) -> int:
    # pathlib fails if a folder disappears during the search.
    return len(glob.glob(f"**/{pattern}", root_dir=folder, recursive=True, include_hidden=True))


def kill(stage: str, folder: Path, progress: Path, pattern: str) -> bool:
    """Start a stage, kill it and its children after three more files, and return whether it was still running."""
    process = start(stage, folder)
    before = count(progress, pattern)
    while process.poll() is None and count(progress, pattern) < before + 3:
        time.sleep(0.02)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


@pytest.mark.slow
def test_broken_responses_and_kills_change_nothing(tmp_path: Path) -> None:
    # In seconds: tests/sources/test_fetch.py (broken responses, a kill), tests/stamps/test_blocks.py (resumption).
    store = tmp_path / "store"
    store.mkdir()
    survey = SimulatedSettings(seed=11, galaxies=GALAXIES, galaxies_per_frame=4, band="r", seeing=1.43, types=None)
    simulated.acquire(survey, store)
    assert len(list(store.rglob("fpC-*"))) >= GALAXIES // 4
    with serving(store, fault) as archive:
        undisturbed = project(tmp_path / "undisturbed", archive.url, store / "GalaxyZoo1_DR_table2.csv")
        disturbed = project(tmp_path / "disturbed", archive.url, store / "GalaxyZoo1_DR_table2.csv")
        for stage in ("acquire", "cutouts"):
            assert start(stage, undisturbed).wait() == 0
        killed = sum(kill("acquire", disturbed, disturbed / ".galmorph", "*.gz") for _ in range(3))
        assert start("acquire", disturbed).wait() == 0
        killed += sum(kill("cutouts", disturbed, disturbed / ".galmorph", "results.parquet") for _ in range(2))
        assert start("cutouts", disturbed).wait() == 0
        assert killed >= 3
    for folder in ("raw", "cutouts"):
        assert files(disturbed / "data" / folder) == files(undisturbed / "data" / folder)
    assert not list((disturbed / ".galmorph" / "partial").iterdir())

    made = disturbed / "data" / "cutouts"
    table, rejected = pd.read_parquet(made / "galaxies.parquet"), pd.read_csv(made / "rejected.csv")
    assert len(table) + len(rejected) == GALAXIES
    missing = pd.read_csv(disturbed / "data" / "raw" / "missing.csv")
    assert set(missing["reason"]) <= {"the server says 404 Not Found"}
    assert all(random.Random(f"/{path}").random() < ABSENT for path in missing["path"])
    assert rejected["reason"].str.startswith(("frame missing: the server says 404", "too near the edge")).all()
    shutil.rmtree(tmp_path)  # hundreds of MB
