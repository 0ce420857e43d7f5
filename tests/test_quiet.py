"""TensorFlow's numbers depend on how it is first imported, and on nothing that a shell or a module's place decides."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from parameters import ROOT

SOURCES = ROOT / "src" / "galmorph"
ANSWERS = """
import hashlib
import numpy as np
from galmorph.engine import Engine, prepare_device
from parameters import settings_with
prepare_device()
settings = settings_with({})
engine = Engine(settings.network, settings.training, 64, 3)
engine.reset(np.random.default_rng(0))
images = np.random.default_rng(1).normal(size=(8, engine.side, engine.side, 1)).astype(np.float32)
print(hashlib.sha256(np.asarray(engine.logits(images)).tobytes()).hexdigest())
"""


def imported(module: Path) -> set[str]:
    """Return the packages that a module imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


def test_the_package_takes_tensorflow_from_one_place():
    users = {path.name for path in SOURCES.rglob("*.py") if imported(path) & {"tensorflow", "keras"}}
    assert users == {"quiet.py"}


@pytest.fixture(scope="module")
def answers() -> dict[str, subprocess.CompletedProcess[str]]:
    """What a process says that starts from the engine, where the shell switches oneDNN off and where it does not."""
    base = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT / 'tests'}"}
    return {
        word: subprocess.run(
            [sys.executable, "-c", ANSWERS],
            env=base | {"TF_ENABLE_ONEDNN_OPTS": word},
            capture_output=True,
            text=True,
            check=True,
        )
        for word in ("0", "1")
    }


def test_the_same_numbers_whatever_the_shell_says_of_onednn(answers):
    assert answers["0"].stdout == answers["1"].stdout


def test_no_greeting(answers):
    assert [answer.stderr for answer in answers.values()] == ["", ""]
