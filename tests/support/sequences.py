"""What a user does to a study, and in which order: steps drawn at random."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.dask_scheduler import running_scheduler
from tests.support.dvc_project import Project, environment
from tests.support.parameters import SMALL_NETWORK
from tests.support.warm import warm_commands

GALAXIES = 60
NAMES = ("two_class", "other")
# By turns: each has a value of the saved study and another.
EDITS: dict[str, tuple[Any, Any]] = {
    "protocol.seed": (2024, 7),
    "protocol.runs": (2, 3),
    "training.epochs": (2, 3),
    "training.learning_rate": (0.001, 0.01),
    "network.dense": ([8], [6]),
    "survey.sample.galaxies": (None, GALAXIES - 4),
    "stamps.field": ("whole", 0.5),
    "cutouts.max_rejected_fraction": (0.05, 0.1),
    "report.redshift_bin": (0.02, 0.03),
}
STUDY: dict[str, Any] = {
    "survey.name": "tiny",
    "survey.source": "stamps",
    "protocol.runs": 2,
    "protocol.evaluation.natural": 4,
    "protocol.evaluation.balanced": 4,
    "protocol.evaluation.uncertain": None,
    "network": SMALL_NETWORK,
    "training.epochs": 2,
    "resolution.levels": {},
    "comparisons": {},
    "series": {},
    "report.png_dpi": 50,
    "report.examples": 1,
}
EXPERIMENT = "faster"
KINDS = ("acquire", "cutouts", "splits", "train", "confirm", "resolution", "report")
AUTHOR = {f"GIT_{who}_{what}": "t@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


@dataclass
class Origin:
    """A finished study, of which each sequence changes a copy; the environment of its commands, with warm ones first.

    The study is committed, and an experiment beside it is of another learning rate.
    """

    project: Project
    commands: Path
    cold: dict[str, str]

    @property
    def warm(self) -> dict[str, str]:
        """The environment in which commands start at once."""
        return self.cold | {"PATH": f"{self.commands}{os.pathsep}{self.cold['PATH']}"}


@contextmanager
def finished_study(folder: Path) -> Iterator[Origin]:
    """Make the study."""
    with running_scheduler(folder / "cluster", 1) as scheduler, warm_commands(folder / "warm") as commands:
        project = Project(folder / "study", GALMORPH_SCHEDULER=scheduler.address)
        origin = Origin(project, commands, environment() | project.variables | AUTHOR)
        project.variables = origin.warm
        project.params["conditions"] = {
            NAMES[0]: {"classes": ["spiral", "elliptical"], "drawn_among": ["spiral", "elliptical"]}
            | {"mix": "natural", "draw": 24}
        }
        project.write_params(STUDY | {"training.epochs": 3})
        project.run("git", "commit", "--quiet", "-a", "-m", "an earlier study")
        project.write_params(STUDY)
        _write_stamps(project.folder / "data/external")
        project.run("dvc", "repro")
        project.run("git", "add", ".")
        project.run("git", "commit", "--quiet", "-m", "study")
        project.run("dvc", "exp", "run", "--quiet", "--name", EXPERIMENT, "-S", "training.learning_rate=0.01")
        project.run("git", "checkout", "--quiet", "--", "params.yaml", "dvc.lock")
        project.run("dvc", "checkout", "--quiet", "--force")
        yield origin


def stamp(number: int, seed: int = 0) -> Any:
    """Return a galaxy, wide or narrow by its number."""
    rng = np.random.default_rng([seed, number])
    y, x = np.mgrid[:64, :64] - 32
    return (90 * np.exp(-np.hypot(x, y) / (3 if number % 2 else 8)) + rng.normal(0, 9, (64, 64))).astype(np.float32)


def _write_stamps(folder: Path) -> None:
    (folder / "stamps").mkdir()
    rows = []
    for number in range(1, GALAXIES + 1):
        np.save(folder / "stamps" / f"{number}.npy", stamp(number))
        rows.append(f"{number}.npy,{('elliptical', 'spiral')[number % 2]}\n")
    (folder / "labels.csv").write_text("".join(["stamp,class\n", *rows]), encoding="utf-8")


@dataclass
class User:
    """A user with a copy of the study: what was done so far, and what the last command returned and printed."""

    origin: Origin
    folder: Path
    chance: random.Random
    done: list[str] = field(default_factory=list)
    code: int = 0
    printed: str = ""

    def __post_init__(self) -> None:
        # With its hard links: DVC's cache and the outputs are the same files.
        subprocess.run(["cp", "-a", self.origin.project.folder, self.folder], check=True)
        self.project = object.__new__(Project)
        self.project.folder, self.project.params = self.folder, self.origin.project.params

    def run(self, *command: str) -> None:
        """Run a command, which may fail."""
        done = subprocess.run(
            command, cwd=self.folder, env=self.origin.warm, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.code, self.printed = done.returncode, done.stdout

    def step(self) -> Callable[[User], str]:
        """Do a step, drawn at random, and note it."""
        (action,) = self.chance.choices(list(STEPS), list(STEPS.values()))
        self.code = 1
        self.done.append(f"{action.__name__}: {action(self)} -> {self.code}")
        return action

    @property
    def params(self) -> Any:
        """params.yaml as it stands."""
        return read_yaml(self.folder / "params.yaml")

    def edit(self, name: str, value: Any) -> None:
        """Set a parameter by dotted name."""
        self.project.params = self.params
        self.project.write_params({name: value})

    def stage(self) -> str:
        kind = self.chance.choice(KINDS)
        foreach = kind in ("splits", "train", "confirm")
        return f"{kind}@{next(iter(self.params['conditions']))}" if foreach else kind

    def path(self, pattern: str) -> Path | None:
        """Return one of the files or folders that a pattern names."""
        found = sorted(self.folder.glob(pattern))
        return self.chance.choice(found) if found else None


def read_yaml(path: Path) -> Any:
    """Return plain values."""
    from ruamel.yaml import YAML

    return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))


def replace(path: Path, content: bytes) -> None:
    """Write a file as editors do: a new one in its place, since DVC's cache may have a link to the old one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(".new")
    new.write_bytes(content)
    new.replace(path)


# The steps. Each returns what it did, in words.


def edit(user: User) -> str:
    """Edit a parameter."""
    names = [*EDITS, f"conditions.{next(iter(user.params['conditions']))}.draw"]
    name = user.chance.choice(names)
    value: Any = user.params
    for key in name.split("."):
        value = value[key]
    choice = EDITS.get(name, (24, 20))
    user.edit(name, choice[value == choice[0]])
    return f"{name} = {choice[value == choice[0]]}"


def rename(user: User) -> str:
    """Give a condition another name."""
    (name, block), *others = user.params["conditions"].items()
    user.edit("conditions", {NAMES[name == NAMES[0]]: block, **dict(others)})
    return NAMES[name == NAMES[0]]


def repro(user: User) -> str:
    """Run everything."""
    user.run("dvc", "repro")
    return "dvc repro"


def repro_one(user: User) -> str:
    """Run a stage alone, or a stage and what it needs."""
    options = user.chance.choice([["-s"], ["-s"], ["-s", "-f"], ["-s", "--no-commit"], []])
    user.run("dvc", "repro", *options, stage := user.stage())
    return f"dvc repro {' '.join(options)} {stage}"


def report_alone(user: User) -> str:
    """Run the report alone."""
    options = user.chance.choice([["-s"], ["-s", "-f"]])
    user.run("dvc", "repro", *options, "report")
    return f"dvc repro {' '.join(options)} report"


def repro_forced(user: User) -> str:
    """Run a stage and all that it needs, whether changed or not."""
    user.run("dvc", "repro", "-f", stage := user.stage())
    return f"dvc repro -f {stage}"


def by_hand(user: User) -> str:
    """Run a stage without DVC."""
    stage = user.stage()
    kind = stage.partition("@")[0]
    module = {"train": ["train", "selected"], "confirm": ["train", "confirmed"]}.get(kind, [kind])
    user.run("env", "PYTHONPATH=src", f"DVC_STAGE={stage}", "python", "-m", f"galmorph.stages.{module[0]}", *module[1:])
    return stage


def checkout(user: User) -> str:
    """Bring back the data that dvc.lock names."""
    options = user.chance.choice([["--force"], []])
    user.run("dvc", "checkout", *options)
    return " ".join(options)


def git_checkout(user: User) -> str:
    """Bring back one file or both."""
    files = user.chance.choice([["params.yaml"], ["dvc.lock"], ["params.yaml", "dvc.lock"]])
    revision = user.chance.choice([["HEAD"], ["HEAD~1"]])
    user.run("git", "checkout", "--quiet", *revision, "--", *files)
    return " ".join([*revision, *files])


def commit(user: User) -> str:
    """Commit what is there with git, or vouch for a stage with DVC."""
    command = ["git", "commit", "--quiet", "-a", "-m", "x"]
    if user.chance.random() < 0.5:
        command = ["dvc", "commit", "--force", user.stage()]
    user.run(*command)
    return " ".join(command)


def experiment(user: User) -> str:
    """Apply an experiment."""
    user.run("dvc", "exp", "apply", EXPERIMENT)
    return EXPERIMENT


def delete(user: User) -> str:
    """Delete something that was made."""
    patterns = ["models/*/*/run-*.npz", "models/*/*", "models/*", "data/cutouts", "data/cutouts/*", "data/splits/*"]
    patterns += [
        "data/raw",
        ".galmorph/partial",
        ".galmorph",
        "mlflow.db",
        "dvc.lock",
        "reports/tables/*",
        ".dvc/cache/runs",
    ]
    if (path := user.path(user.chance.choice(patterns))) is None:
        return "nothing"
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    return str(path.relative_to(user.folder))


def swap(user: User) -> str:
    """Put other data in the place of those that are there."""
    external, what = (
        user.folder / "data/external",
        user.chance.choice(["labels", "stamp", "images", "record", "models"]),
    )
    if what == "labels":
        labels = external / "labels.csv"
        lines = labels.read_text(encoding="utf-8").splitlines()
        first, second = user.chance.sample(range(1, len(lines)), 2)
        (one, a), (two, b) = lines[first].split(","), lines[second].split(",")
        lines[first], lines[second] = f"{one},{b}", f"{two},{a}"
        replace(labels, "\n".join([*lines, ""]).encode())
    elif what == "stamp":
        number = user.chance.randint(1, GALAXIES)
        np.save(path := user.folder / ".stamp.npy", stamp(number, user.chance.randint(1, 9)))
        path.replace(external / "stamps" / f"{number}.npy")
    elif what == "images" and (images := user.path("data/cutouts/images.npy")):
        np.save(path := user.folder / ".images.npy", np.roll(np.load(images), 1, axis=0))
        path.replace(images)
    elif what == "record" and (record := user.path("models/*/*/run-001.npz")):
        replace(record.with_name("run-002.npz"), record.read_bytes())
    elif what == "models":
        # As a backup that is copied over the files.
        saved = user.origin.project.folder / "models"
        for path in sorted(saved.rglob("*.*")):
            replace(user.folder / "models" / path.relative_to(saved), path.read_bytes())
    return what


def kill(user: User) -> str:
    """Kill DVC alone, or with its stage, in the middle."""
    if user.chance.random() < 0.7:
        edit(user)
    stage, number = user.stage(), user.chance.choice([signal.SIGKILL, signal.SIGTERM])
    alone, seconds = user.chance.random() < 0.5, user.chance.choice([0.0, 1.0, 3.0])
    process = _start(user, user.origin.cold, stage)
    time.sleep(seconds)
    if process.poll() is None:
        (os.kill if alone else os.killpg)(process.pid, number)
    user.code = process.wait(timeout=600)
    # What DVC leaves behind ends by itself, and the next command may come before that.
    return f"signal {number.value} {'to DVC alone' if alone else 'to all'}, {seconds} s into {stage}"


def edit_meanwhile(user: User) -> str:
    """Edit a parameter while a stage runs."""
    edited = edit(user)
    process = _start(user, user.origin.warm, stage := user.stage())
    meanwhile = edit(user)
    user.code = process.wait(timeout=600)
    user.printed = (user.folder / "repro.log").read_text(encoding="utf-8")
    return f"{edited}; {meanwhile} while {stage} runs"


def _start(user: User, variables: dict[str, str], stage: str) -> subprocess.Popen[bytes]:
    """Start `dvc repro`, and return when it has reached a stage or ended."""
    with (user.folder / "repro.log").open("wb") as log:
        process = subprocess.Popen(
            ["dvc", "repro"],
            cwd=user.folder,
            env=variables | {"PYTHONUNBUFFERED": "1"},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    while process.poll() is None and f"Running stage '{stage}'" not in (user.folder / "repro.log").read_text():
        time.sleep(0.02)
    return process


# How often each is drawn.
STEPS: dict[Callable[[User], str], int] = {
    edit: 6,
    repro: 5,
    repro_one: 5,
    report_alone: 4,
    git_checkout: 3,
    checkout: 3,
    swap: 3,
    delete: 3,
    commit: 2,
    experiment: 2,
    rename: 1,
    by_hand: 1,
    edit_meanwhile: 1,
    kill: 1,
    repro_forced: 1,
}
