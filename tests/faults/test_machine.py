"""The machine: a full disk, a read-only folder, no more file handles, signals, another language and time zone.

What must be kept: a line that says what to do, no traceback, nothing half-written; the same bytes anywhere.
"""

from __future__ import annotations

import errno
import gc
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from galmorph.errors import GalmorphError, lack
from galmorph.files.atomic import atomic_file, atomic_folder, move_into_place
from galmorph.tracking.store import Store
from galmorph.training.records import save_record
from tests.support.parameters import ROOT
from tests.support.records import made_condition, made_record

ENVIRONMENT = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}", "NO_COLOR": "1"}


def launched(body: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run some lines as the body of a stage."""
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    code = (
        f"import errno, os, resource\nfrom galmorph.stages.launch import launch\ndef stage():\n{lines}\nlaunch(stage)\n"
    )
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=ENVIRONMENT | environment, capture_output=True, text=True
    )


@pytest.mark.fault
@pytest.mark.parametrize(
    ("number", "help_"),
    [
        (errno.ENOSPC, "make room on the disk"),
        (errno.EROFS, "make the folder writable"),
        (errno.EACCES, "make the folder writable"),
        (errno.EMFILE, "allow more open files"),
        (errno.EFBIG, "allow larger files"),
    ],
)
def test_what_the_machine_lacks_is_said_without_a_traceback(tmp_path: Path, number: int, help_: str) -> None:
    done = launched(f"raise OSError({number}, os.strerror({number}), 'data/x.npy')", tmp_path)
    assert done.returncode == 1
    assert done.stderr.strip() == (
        f"galmorph: data/x.npy: {os.strerror(number)}; {help_}"
        + {errno.EMFILE: " (ulimit -n)", errno.EFBIG: " (ulimit -f)"}.get(number, "")
        + ", and repeat the command: what had finished is kept"
    )


@pytest.mark.fault
def test_a_defect_of_ours_is_not_taken_for_the_machine(tmp_path: Path) -> None:
    done = launched("open('nothing')", tmp_path)
    assert "Traceback" in done.stderr


@pytest.mark.fault
def test_no_more_file_handles(tmp_path: Path) -> None:
    body = "resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))\nheld = [open(os.devnull) for _ in range(100)]"
    done = launched(body, tmp_path)
    assert done.returncode == 1
    assert "Too many open files; allow more open files (ulimit -n)" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.fault
def test_a_file_that_may_not_grow_leaves_what_was_there(tmp_path: Path) -> None:
    # Beyond the limit the system refuses to write, in the middle of the file, as a full disk does.
    path = tmp_path / "run-001.npz"
    save_record(path, made_record())
    before = path.read_bytes()
    body = (
        "import signal\nfrom pathlib import Path\nfrom galmorph.records import save_record\n"
        "from made_records import made_record\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        f"save_record(Path({str(path)!r}), made_record(run=2))"
    )
    done = launched(body, tmp_path)
    assert done.returncode == 1
    assert "run-001.npz: cannot be written (File too large); make room" in done.stderr
    assert path.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


@pytest.fixture
def small_disk(tmp_path: Path) -> Path:
    """A file system of one megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {made.stderr.strip()}")
    return disk


@pytest.mark.fault
def test_a_full_disk(small_disk: Path) -> None:
    try:
        with (
            pytest.raises(GalmorphError, match=r"a\.npy: cannot be written .*make room"),
            atomic_file(small_disk / "a.npy") as partial,
        ):
            np.save(partial, np.zeros(1_000_000))
        assert not list(small_disk.iterdir())
    finally:
        subprocess.run(["umount", small_disk], check=True)


@pytest.mark.fault
def test_what_is_made_goes_to_another_disk(small_disk: Path, tmp_path: Path) -> None:
    try:
        (small_disk / "data").mkdir()
        for text in ("first", "second"):
            for kind in ("folder", "file"):
                made = tmp_path / "made" / kind
                made.parent.mkdir(exist_ok=True)
                if kind == "folder":
                    made.mkdir()
                    (made / "a.txt").write_text(text)
                else:
                    made.write_text(text)
                move_into_place(made, small_disk / "data" / kind)
                assert not made.exists()
            assert (small_disk / "data/folder/a.txt").read_text() == (small_disk / "data/file").read_text() == text
        # With no room for the new, the old stays.
        (tmp_path / "made/folder").mkdir()
        (tmp_path / "made/folder/a.bin").write_bytes(bytes(2_000_000))
        with pytest.raises(OSError, match="No space left") as error:
            move_into_place(tmp_path / "made/folder", small_disk / "data/folder")
        assert "make room on the disk" in str(lack(error.value))
        assert (small_disk / "data/folder/a.txt").read_text() == "second"
        assert sorted(path.name for path in (small_disk / "data").iterdir()) == ["file", "folder"]
    finally:
        subprocess.run(["umount", small_disk], check=True)


@pytest.mark.fault
def test_what_is_made_goes_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "data").symlink_to(tmp_path / "elsewhere")
    for text in ("first", "second"):
        with atomic_folder(tmp_path / "data") as folder:
            (folder / "a.txt").write_text(text)
        assert (tmp_path / "elsewhere/a.txt").read_text() == text
        assert (tmp_path / "data").is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "elsewhere"]


@pytest.mark.fault
def test_what_is_made_replaces_a_link_to_a_file(tmp_path: Path) -> None:
    # As DVC leaves one where its cache lies on another disk.
    (tmp_path / "cached").write_text("old")
    (tmp_path / "split").symlink_to(tmp_path / "cached")
    (tmp_path / "made").write_text("new")
    move_into_place(tmp_path / "made", tmp_path / "split")
    assert (tmp_path / "split").read_text() == "new"
    assert (tmp_path / "cached").read_text() == "old"


@pytest.mark.fault
@pytest.mark.parametrize("place", ["loop", "loop/inside", "file"])
def test_a_link_to_itself_or_a_file_where_a_folder_is_to_be(tmp_path: Path, place: str) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").touch()
    body = "from pathlib import Path\nfrom galmorph.files.atomic import atomic_folder\n"
    done = launched(f"{body}with atomic_folder(Path({place!r})):\n    pass", tmp_path)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert place.partition("/")[0] in done.stderr
    assert ".partial" not in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "loop"]


@pytest.mark.fault
def test_a_name_too_long_for_the_disk(tmp_path: Path) -> None:
    body = "from pathlib import Path\nfrom galmorph.files.atomic import atomic_folder\n"
    done = launched(f"{body}with atomic_folder(Path('a' * 300)):\n    pass", tmp_path)
    assert done.returncode == 1
    assert "File name too long; choose a shorter name" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.fault
@pytest.mark.parametrize("streams", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_without_streams(tmp_path: Path, streams: str) -> None:
    script = (
        "from pathlib import Path\nimport os, sys\nfrom galmorph.stages.launch import launch\n"
        "def stage():\n    path = Path('made.txt')\n    with path.open('w') as file:\n"
        "        assert all(os.get_inheritable(number) for number in (0, 1, 2))\n"
        "        print('said')\n        print('warned', file=sys.stderr)\n        sys.stdout.flush()\n"
        "        file.write('whole')\nlaunch(stage)\n"
    )
    (tmp_path / "stage.py").write_text(script)
    command = ["sh", "-c", f'exec "$0" stage.py {streams}', sys.executable]
    done = subprocess.run(command, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    assert (tmp_path / "made.txt").read_text() == "whole"


@pytest.mark.fault
def test_an_array_that_does_not_become_whole_is_a_full_disk(tmp_path: Path) -> None:
    done = launched("raise OSError('151552 requested and 9184 written')", tmp_path)
    assert done.returncode == 1
    assert "No space left on device; make room on the disk" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.fault
def test_a_stage_names_the_folder_that_has_no_room(tmp_path: Path) -> None:
    # pyarrow does not say which file it was.
    done = launched(
        "from galmorph.stages.layout import fresh_folder\n"
        "with fresh_folder('splits-x'):\n"
        "    raise OSError(errno.ENOSPC, 'Error writing bytes to file')",
        tmp_path,
    )
    assert done.returncode == 1
    where = tmp_path / ".galmorph/partial/splits-x"
    assert done.stderr.startswith(f"galmorph: {where}: Error writing bytes to file; make room on the disk")
    assert not where.exists()


@pytest.mark.fault
def test_weights_on_a_full_disk(small_disk: Path, tmp_path: Path) -> None:
    try:
        done = launched(
            "from pathlib import Path\n"
            "from galmorph.network import build_network, save_weights\n"
            "from galmorph.paramsfile import load_settings\n"
            f"network = load_settings(Path({str(ROOT / 'params.yaml')!r})).network\n"
            "weights = build_network(network, 64, 2).get_weights()\n"
            f"save_weights(Path({str(small_disk)!r}) / 'run-001.weights.h5', network, 64, 2, weights)",
            tmp_path,
        )
        assert done.returncode == 1
        assert "run-001.weights.h5: cannot be written (No space left on device); make room" in done.stderr
        assert "Traceback" not in done.stderr
        assert not list(small_disk.iterdir())
    finally:
        subprocess.run(["umount", small_disk], check=True)


@pytest.mark.fault
def test_a_store_on_a_full_disk(small_disk: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    try:
        subprocess.run(["mount", "-o", "remount,size=100m", small_disk], check=True)
        store = Store(f"sqlite:///{small_disk / 'mlflow.db'}", "survey", tmp_path / "mlartifacts")
        size = shutil.disk_usage(small_disk).used + 20_000
        subprocess.run(["mount", "-o", f"remount,size={size}", small_disk], check=True)
        with pytest.raises(GalmorphError, match=r"mlflow\.db cannot be written: the disk is full; make room"):
            store.sync([made_condition(tmp_path / "models")])
        assert "Traceback" not in "".join(capfd.readouterr())
        subprocess.run(["mount", "-o", "remount,size=100m", small_disk], check=True)
        assert store.sync([made_condition(tmp_path / "models")]).added > 0
    finally:
        del store
        gc.collect()
        subprocess.run(["umount", "--lazy", small_disk], check=True)


@pytest.mark.fault
def test_a_read_only_disk(small_disk: Path) -> None:
    try:
        save_record(small_disk / "run-001.npz", made_record())
        before = (small_disk / "run-001.npz").read_bytes()
        subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
        with pytest.raises(GalmorphError, match=r"run-001\.npz: cannot be written \(Read-only file system\)"):
            save_record(small_disk / "run-001.npz", made_record(run=2))
        assert (small_disk / "run-001.npz").read_bytes() == before
    finally:
        subprocess.run(["umount", small_disk], check=True)


@pytest.mark.fault
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"])
def test_a_signal_ends_a_stage_in_a_line_and_cleans_up(tmp_path: Path, number: signal.Signals, status: int) -> None:
    code = (
        "import signal, time\nfrom pathlib import Path\nfrom galmorph.files.atomic import atomic_folder\n"
        "from galmorph.stages.launch import launch\n"
        # What a shell starts in the background is deaf to Ctrl-C, and so is what that starts.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "def stage():\n    with atomic_folder(Path('made')) as folder:\n        (folder / 'half').write_text('half')\n"
        "        Path('ready').touch()\n        time.sleep(60)\nlaunch(stage)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / "ready").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == status
    assert said.strip() == "galmorph: stopped; what had finished is kept, dvc repro goes on from there"
    assert [found.name for found in tmp_path.iterdir()] == ["ready"]


@pytest.mark.fault
@pytest.mark.parametrize(
    "environment",
    [
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"LC_ALL": "ja_JP.eucJP", "LANG": "ja_JP.eucJP"},
        {"TZ": "Asia/Tokyo"},
        {"TZ": "America/St_Johns", "LC_ALL": "de_DE.UTF-8"},
    ],
    ids=lambda environment: " ".join(environment.values()),
)
def test_another_language_and_time_zone_give_the_same_bytes(tmp_path: Path, environment: dict[str, str]) -> None:
    body = (
        "from pathlib import Path\nfrom galmorph.records import save_record\n"
        "from galmorph.paramsfile import load_settings\nfrom made_records import made_record\n"
        f"chosen = load_settings(Path({str(ROOT / 'params.yaml')!r}))\n"
        "Path('settings.json').write_text(chosen.model_dump_json(), encoding='utf-8')\n"
        "save_record(Path('run-001.npz'), made_record())"
    )
    for name, extra in (("here", {}), ("there", environment)):
        (tmp_path / name).mkdir()
        done = launched(body, tmp_path / name, **extra)
        assert done.returncode == 0, done.stderr
    for file in ("settings.json", "run-001.npz"):
        assert (tmp_path / "here" / file).read_bytes() == (tmp_path / "there" / file).read_bytes()


@pytest.mark.fault
def test_the_limits_of_this_process_are_untouched() -> None:
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
