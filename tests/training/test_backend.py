"""What the network answers depends on nothing that the shell, the home or the order of imports decides."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.parameters import ROOT

SOURCES = ROOT / "src" / "galmorph"
ANSWERS = """
import hashlib
import numpy as np
from galmorph.training.engine import Engine, prepare_device
from tests.support.parameters import settings_with
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
    assert users == {"backend.py"}


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, subprocess.CompletedProcess[str]]:
    """The output of a process that imports the engine first: in a plain environment, and in one that says otherwise."""
    home = tmp_path_factory.mktemp("home")
    (home / "keras.json").write_text(json.dumps({"floatx": "float64", "image_data_format": "channels_first"}))
    odd = {"TF_ENABLE_ONEDNN_OPTS": "0", "ONEDNN_MAX_CPU_ISA": "AVX2", "KERAS_BACKEND": "jax", "KERAS_HOME": str(home)}
    odd["TF_XLA_FLAGS"] = "--tf_xla_auto_jit=2 --tf_xla_cpu_global_jit"
    plain = {name: value for name, value in os.environ.items() if name not in odd}
    plain |= {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    return {
        name: subprocess.run(
            [sys.executable, "-c", ANSWERS], env=environment, capture_output=True, text=True, check=True
        )
        for name, environment in {"plain": plain, "odd": plain | odd}.items()
    }


@pytest.mark.fault
def test_the_same_numbers_whatever_shell_and_home_say(answers):
    assert answers["plain"].stdout == answers["odd"].stdout


def test_no_greeting(answers):
    assert [answer.stderr for answer in answers.values()] == ["", ""]
