"""The machine: full and read-only disks, too few file handles, signals, another language and time zone.

A message with the remedy instead of a traceback; nothing half-written; the same bytes anywhere.
"""

import errno
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from galmorph.errors import GalmorphError, with_remedy
from galmorph.files.atomic import atomic_file, atomic_folder, move_into_place
from galmorph.settings.layout import fresh_folder
from galmorph.tracking.address import default_uri
from galmorph.tracking.store import Store
from galmorph.training.engine import prepare_device
from galmorph.training.network import save_weights
from galmorph.training.records import save_record
from tests.support.parameters import ROOT, SMALL_NETWORK, settings_with
from tests.support.records import made_condition, made_record

pytestmark = pytest.mark.fault


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(errno.EROFS, "Read-only", "a.npy"), r"a\.npy: Read-only; make the folder writable, and repeat"),
        (OSError(errno.EACCES, "Denied", "a.npy"), r"a\.npy: Denied; make the folder writable, and repeat"),
        (OSError(errno.EMFILE, "Too many open files"), r"Too many open files; allow more open files \(ulimit -n\)"),
        # numpy gives no number.
        (OSError("151552 requested and 9184 written"), "^No space left on device; make room on the disk, and repeat"),
    ],
    ids=["read-only", "permission", "file handles", "numpy on a full disk"],
)
def test_system_errors_get_a_remedy(error, message):
    with pytest.raises(GalmorphError, match=message):
        raise with_remedy(error) or error


def test_a_file_size_limit_leaves_the_old_file(tmp_path):
    # The system refuses to write in the middle of the file, as on a full disk.
    path = tmp_path / "run-001.npz"
    save_record(path, made_record())
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(GalmorphError, match=r"run-001\.npz: cannot be written \(File too large\); make room"):
            save_record(path, made_record())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


ENVIRONMENT = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}", "NO_COLOR": "1"}


@pytest.fixture
def small_disk(tmp_path):
    """A file system of one megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {made.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


def remount(disk, options):
    subprocess.run(["mount", "-o", f"remount,{options}", disk], check=True)


def test_a_full_disk(small_disk):
    with (
        pytest.raises(GalmorphError, match=r"a\.npy: cannot be written .*make room"),
        atomic_file(small_disk / "a.npy") as partial,
    ):
        np.save(partial, np.zeros(1_000_000))
    assert not list(small_disk.iterdir())


def test_a_read_only_disk(small_disk):
    path = small_disk / "run-001.npz"
    save_record(path, made_record())
    before = path.read_bytes()
    remount(small_disk, "ro")
    with pytest.raises(GalmorphError, match=r"run-001\.npz: cannot be written \(Read-only file system\)"):
        save_record(path, made_record(run=2))
    assert path.read_bytes() == before


def test_weights_on_a_full_disk(small_disk):
    prepare_device()  # before anything else of TensorFlow's, or it can no longer be chosen
    # HDF5 aborts the process on a full disk, unless the room is reserved beforehand.
    network = settings_with({"network": SMALL_NETWORK | {"dense": [40_000]}}).network
    shapes = [(3, 3, 1, 4), (4,), (3, 3, 4, 4), (4,), (16, 40_000), (40_000,), (40_000, 2), (2,)]
    with pytest.raises(GalmorphError, match=r"weights\.h5: cannot be written \(No space left on device\); make room"):
        save_weights(
            small_disk / "run-001.weights.h5", network, 16, 2, [np.zeros(shape, np.float32) for shape in shapes]
        )
    assert not list(small_disk.iterdir())


def test_a_store_on_a_full_disk(small_disk, tmp_path, empty_database, capfd):
    remount(small_disk, "size=100m")
    (small_disk / "mlflow.db").write_bytes(empty_database)
    store = Store(f"sqlite:///{small_disk / 'mlflow.db'}", "survey", tmp_path / "mlartifacts")
    remount(small_disk, f"size={shutil.disk_usage(small_disk).used + 20_000}")
    with pytest.raises(GalmorphError, match=r"mlflow\.db cannot be written: the disk is full; make room"):
        store.sync([made_condition(tmp_path / "models")])
    assert "Traceback" not in "".join(capfd.readouterr())
    remount(small_disk, "size=100m")
    assert store.sync([made_condition(tmp_path / "models")]).added > 0


def test_a_stage_names_the_folder_on_the_full_disk(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # pyarrow does not name the file.
    with pytest.raises(OSError, match="Error writing") as error, fresh_folder("splits-x"):
        raise OSError(errno.ENOSPC, "Error writing bytes to file")
    where = tmp_path / ".galmorph/partial/splits-x"
    assert str(with_remedy(error.value)).startswith(f"{where}: Error writing bytes to file; make room on the disk")
    assert not where.exists()


def test_results_on_another_disk(small_disk, tmp_path):
    source, target = tmp_path / "made", small_disk / "data"
    for text in ("first", "second"):
        source.mkdir()
        (source / "a.txt").write_text(text)
        move_into_place(source, target)
        assert not source.exists()
        assert (target / "a.txt").read_text() == text
    source.mkdir()
    (source / "a.bin").write_bytes(bytes(2_000_000))
    with pytest.raises(OSError, match="No space left") as error:
        move_into_place(source, target)
    assert "make room on the disk" in str(with_remedy(error.value))
    assert (target / "a.txt").read_text() == "second"
    assert [path.name for path in small_disk.iterdir()] == ["data"]


def test_results_behind_a_link(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "data").symlink_to(tmp_path / "elsewhere")
    with atomic_folder(tmp_path / "data") as folder:
        (folder / "a.txt").write_text("new")
    assert (tmp_path / "elsewhere/a.txt").read_text() == "new"
    # DVC leaves a link to a file where its cache is on another disk: the link is replaced, the cache stays.
    (tmp_path / "split").symlink_to(tmp_path / "elsewhere/a.txt")
    (tmp_path / "made").write_text("newer")
    move_into_place(tmp_path / "made", tmp_path / "split")
    assert (tmp_path / "split").read_text() == "newer"
    assert (tmp_path / "elsewhere/a.txt").read_text() == "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "elsewhere", "split"]


@pytest.mark.parametrize("place", ["file", "file/inside"])
def test_a_file_in_place_of_a_folder(tmp_path, place):
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError) as error, atomic_folder(tmp_path / place):
        pass
    assert str(with_remedy(error.value)).startswith(f"{tmp_path / 'file'}")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


STOPPED = """
import signal, time
from pathlib import Path
from galmorph.files.atomic import atomic_folder
from galmorph.stages.launch import launch

def stage():
    with atomic_folder(Path("made")) as folder:
        (folder / "half").write_text("half")
        print("ready", flush=True)
        time.sleep(60)

signal.signal(signal.SIGINT, signal.default_int_handler)  # processes started in the background ignore Ctrl-C
launch(stage)
"""


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"])
def test_a_signal_ends_a_stage_and_its_unfinished_files(tmp_path, number, status):
    with subprocess.Popen(
        [sys.executable, "-c", STOPPED],
        cwd=tmp_path,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        _, printed = process.communicate(timeout=60)
    assert process.returncode == status
    assert printed.strip() == "galmorph: stopped; finished work is kept, and dvc repro continues from there"
    assert not list(tmp_path.iterdir())


DROPPED = """
import os, signal, threading, time, weakref
from galmorph.stages.launch import launch

class Watched:
    pass

def stage():
    watched = Watched()
    # Python ignores an exception in such a callback.
    kept = weakref.ref(watched, lambda reference: os.kill(os.getpid(), signal.{name}))
    del watched
    time.sleep(60)

signal.signal(signal.SIGINT, signal.default_int_handler)
launch(stage)
"""


@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_within_a_weakref_callback_ends_a_stage(name, status):
    command = [sys.executable, "-c", DROPPED.replace("{name}", name)]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=30)
    assert done.returncode == status
    assert done.stderr.strip() == "galmorph: stopped; finished work is kept, and dvc repro continues from there"


WRITTEN = """
from pathlib import Path
from galmorph.settings.reading import load_settings
from galmorph.training.records import load_record, save_record

Path("settings.json").write_text(load_settings(Path("../params.yaml")).model_dump_json(), encoding="utf-8")
save_record(Path("run-001.npz"), load_record(Path("../run-001.npz")))
"""


def test_the_same_bytes_in_any_language_and_time_zone(tmp_path, monkeypatch):
    shutil.copy(ROOT / "params.yaml", tmp_path)
    save_record(tmp_path / "run-001.npz", made_record())
    (tmp_path / "odd").mkdir()
    (tmp_path / "usual").mkdir()
    odd = {"LC_ALL": "ja_JP.eucJP", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "TZ": "America/St_Johns"}
    subprocess.run([sys.executable, "-c", WRITTEN], cwd=tmp_path / "odd", env=ENVIRONMENT | odd, check=True)
    monkeypatch.chdir(tmp_path / "usual")
    exec(WRITTEN, {})
    for name in ("settings.json", "run-001.npz"):
        assert (tmp_path / "odd" / name).read_bytes() == (tmp_path / "usual" / name).read_bytes()


def test_a_shell_that_runs_no_commands():
    odd = os.environ | {"SHELL": "/usr/sbin/nologin"}
    made = subprocess.run(
        ["make", "--silent", "--eval", 'shown: ; @echo "$$SHELL"', "shown"],
        cwd=ROOT,
        env=odd,
        capture_output=True,
        text=True,
        check=True,
    )
    assert made.stdout == "/bin/sh\n"
    # csh and tcsh have no NAME=value before a command. exec: a stage ends with its parent, which must be DVC.
    commands = [
        line.split(":", 1)[1].strip() for line in (ROOT / "dvc.yaml").read_text().splitlines() if "cmd:" in line
    ]
    assert commands
    assert all(command.startswith("exec env PYTHONPATH=src python -m galmorph.stages.") for command in commands)


def copy_of_make(folder):
    """Copy what make needs, with an environment whose commands do nothing."""
    for name in ("Makefile", "requirements.lock", "pyproject.toml", "scripts/find-python"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    commands = folder / ".venv/bin"
    commands.mkdir(parents=True)
    for name in ("galmorph", "dvc", "mlflow"):
        (commands / name).write_text("#!/bin/sh\necho ran $0\n")
        (commands / name).chmod(0o755)
    (commands / "python").symlink_to(sys.executable)
    (folder / ".venv/.ready").touch()


def make(folder, *arguments):
    # The suite may itself run below make, which tells a make below it so.
    ours = ("MLFLOW_TRACKING_URI", "MAKEFLAGS", "MAKELEVEL", "MFLAGS")
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    return subprocess.run(["make", *arguments], cwd=folder, env=environment, capture_output=True, text=True)


def test_a_project_without_git_is_told_so_before_anything_is_installed(tmp_path):
    copy_of_make(tmp_path)
    made = make(tmp_path, "reproduce")
    assert made.returncode != 0
    assert made.stdout == ""
    assert f"{tmp_path}: no git repository, which DVC needs" in made.stderr
    (tmp_path / ".git").mkdir()
    assert make(tmp_path, "reproduce").returncode == 0


def test_a_study_without_git_works_as_the_page_says(tmp_path):
    copy_of_make(tmp_path)
    (tmp_path / ".dvc").mkdir()
    page = (ROOT / "docs/experiments.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^    (printf .*)$", page, flags=re.MULTILINE)
    subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True)
    assert make(tmp_path, "reproduce").returncode == 0
    (tmp_path / "dvc.yaml").write_text("stages: {one: {cmd: echo 1 > one, outs: [one]}}\n")
    (tmp_path / ".dvc/config").touch()
    dvc = [sys.executable, "-m", "dvc"]
    subprocess.run([*dvc, "repro", "--quiet"], cwd=tmp_path, check=True)
    (tmp_path / "one").unlink()
    subprocess.run([*dvc, "checkout", "--quiet"], cwd=tmp_path, check=True)
    assert (tmp_path / "one").read_text() == "1\n"
    refused = subprocess.run([*dvc, "exp", "run"], cwd=tmp_path, capture_output=True, text=True)
    assert "Only supported for Git repositories" in refused.stderr


def test_a_stage_in_another_python_names_the_environment(tmp_path):
    """`python -S` has no packages but its own."""
    command = [sys.executable, "-S", "-m", "galmorph.stages.train", "selected"]
    environment = {"PYTHONPATH": str(ROOT / "src"), "DVC_ROOT": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith(f"galmorph: {sys.executable} (Python 3.")
    assert f"activate it with `. {tmp_path}/.venv/bin/activate`" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_python_without_bz2(tmp_path):
    lacking = tmp_path / "python"
    code = "import sys; sys.modules['bz2'] = None; exec(sys.argv[1])"
    lacking.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{code}" "$2"\n')
    lacking.chmod(0o755)
    script = ["sh", str(ROOT / "scripts/find-python")]
    found = subprocess.run(script, env=os.environ | {"PYTHON": str(lacking)}, capture_output=True, text=True)
    assert found.returncode == 1
    assert "with venv, pip, bz2," in found.stderr
    found = subprocess.run(script, env=os.environ | {"PYTHON": sys.executable}, capture_output=True, text=True)
    assert Path(found.stdout.strip()) == Path(sys.executable)


def test_a_checkout_in_a_folder_with_an_odd_name(tmp_path, monkeypatch, empty_database):
    folder = tmp_path / "100% %41 what?#&=;"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (folder / "mlflow.db").write_bytes(empty_database)
    store = Store(default_uri(Path(".")), "survey", Path("mlartifacts"))
    assert store.sync([made_condition(folder / "models")]).added > 0
    assert store.sync([made_condition(folder / "models")]).added == 0
    assert sorted(path.name for path in folder.iterdir()) == ["mlartifacts", "mlflow.db", "models"]
    assert list(tmp_path.iterdir()) == [folder]
