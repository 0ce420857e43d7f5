"""Files of the user's whose changes DVC would not see."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from galmorph.errors import GalmorphError
from galmorph.settings.study import Settings
from galmorph.settings.tracked import require_tracked
from galmorph.stages.acquire import acquire
from tests.support.parameters import committed, settings_with


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An archive on the disk, beside a project in which the test runs."""
    made = tmp_path / "archive"
    (made / "run/deeper").mkdir(parents=True)
    (made / "run/deeper/frame.fit.gz").write_bytes(b"frame")
    (made / "table2.csv").write_bytes(b"OBJID")
    (tmp_path / "project/data/external").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "project")
    return made


def local(**places: Any) -> Settings:
    return settings_with({"survey.source": "local"} | {f"local.{key}": place for key, place in places.items()})


@pytest.mark.parametrize("where", ["frames", "frames/old", "disk"])
def test_a_linked_folder_is_refused_with_a_command_that_helps(archive: Path, where: str) -> None:
    """The folder that a parameter names, one below it, and one above it."""
    link = Path("data/external") / where
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(archive / "run")
    settings = local(frames="data/external/disk/deeper" if where == "disk" else "data/external/frames")
    with pytest.raises(
        GalmorphError, match=rf"local\.frames: {link} is a link to a folder, .*: rm {link} && "
    ) as refused:
        require_tracked(settings)
    command = re.findall(r"rm \S+ && .*", str(refused.value))[0]
    subprocess.run(["sh", "-c", command], check=True)
    require_tracked(settings)
    assert (link / "deeper/frame.fit.gz").read_bytes() == b"frame"


@pytest.mark.parametrize(
    ("key", "place"), [("frames", "run"), ("catalogue", "table2.csv"), ("redshifts", "table2.csv")]
)
@pytest.mark.parametrize("absolute", [True, False])
def test_files_elsewhere(archive: Path, key: str, place: str, absolute: bool) -> None:
    given = str(archive / place) if absolute else f"../archive/{place}"
    way = "cp -rs" if key == "frames" else "ln -s"
    with pytest.raises(
        GalmorphError, match=rf"local\.{key}: .* is not in data/external.*{way}.* and correct local\.{key}"
    ):
        require_tracked(local(**{key: given}))


def test_the_stage_takes_no_stamps_from_a_linked_folder(archive: Path, tmp_path: Path) -> None:
    """Sixty of them were replaced, and `dvc repro` had nothing to do."""
    np.save(archive / "run/a.npy", np.zeros((64, 64), np.float32))
    Path("data/external/labels.csv").write_text("stamp,class\na.npy,spiral\n")
    Path("data/external/stamps").symlink_to(archive / "run")
    (tmp_path / "raw").mkdir()
    with pytest.raises(GalmorphError, match=r"stamps\.folder: data/external/stamps is a link to a folder"):
        acquire(settings_with({"survey.source": "stamps"}), tmp_path / "raw")
    assert not list((tmp_path / "raw").iterdir())


def test_a_table_of_the_archive_source(archive: Path) -> None:
    with pytest.raises(GalmorphError, match=r"sdss\.catalogue: .* is not in data/external"):
        require_tracked(settings_with({"survey.source": "sdss", "sdss.catalogue": str(archive / "table2.csv")}))
    require_tracked(settings_with({"survey.source": "sdss"}))


def test_stamps_of_a_level(archive: Path) -> None:
    other = {**committed()["stamps"], "folder": str(archive / "run")}
    native = {"psf_fwhm": None, "pixel_scale": None, "noise": None}
    settings = settings_with({"resolution.levels": {"native": native, "other": native | {"stamps": other}}})
    with pytest.raises(GalmorphError, match=r"resolution\.levels\.other\.stamps\.folder: .* is not in data/external"):
        require_tracked(settings)


def test_what_is_seen_is_left_alone(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Links to files, and links above the project."""
    (tmp_path / "elsewhere").symlink_to(tmp_path / "project")
    monkeypatch.chdir(tmp_path / "elsewhere")
    Path("data/external/frames").mkdir()
    Path("data/external/frames/a.fit.gz").symlink_to(archive / "run/deeper/frame.fit.gz")
    Path("data/external/table2.csv").symlink_to(archive / "table2.csv")
    require_tracked(local(catalogue="data/external/table2.csv"))
    require_tracked(settings_with({}))
