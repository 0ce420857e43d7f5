"""What a network predicts depends on no setting of the shell or the home folder."""

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.support.parameters import ROOT, settings_with

SOURCES = ROOT / "src" / "galmorph"
PRINT_DIGEST = "from tests.training.test_backend import digest; print(digest())"


def digest() -> str:
    """Return a hash of what the thesis's network, from seeded weights, predicts for noise."""
    from galmorph.training.engine import Engine, prepare_device

    prepare_device()
    settings = settings_with({})
    engine = Engine(settings.network, settings.training, 64, 3)
    engine.reset(np.random.default_rng(0))
    images = np.random.default_rng(1).normal(size=(8, engine.side, engine.side, 1)).astype(np.float32)
    return hashlib.sha256(np.asarray(engine.logits(images)).tobytes()).hexdigest()


def test_the_package_takes_tensorflow_from_one_place():
    imports = re.compile(r"^ *(import|from) (tensorflow|keras)\b", re.MULTILINE)
    assert {path.name for path in SOURCES.rglob("*.py") if imports.search(path.read_text())} == {"backend.py"}


@pytest.mark.fault
def test_the_same_numbers_whatever_shell_and_home_say(tmp_path: Path) -> None:
    (tmp_path / "keras.json").write_text(json.dumps({"floatx": "float64", "image_data_format": "channels_first"}))
    odd = {
        "TF_ENABLE_ONEDNN_OPTS": "0",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "KERAS_BACKEND": "jax",
        "KERAS_HOME": str(tmp_path),
        "TF_XLA_FLAGS": "--tf_xla_auto_jit=2 --tf_xla_cpu_global_jit",
        "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
    }
    command = [sys.executable, "-c", PRINT_DIGEST]
    done = subprocess.run(command, env=os.environ | odd, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == digest()
    assert done.stderr == ""  # no greeting
