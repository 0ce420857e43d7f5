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
PRINT_DIGEST = "import galmorph; from tests.training.test_backend import digest; print(digest())"


def digest() -> str:
    """Return a hash of what the thesis's network, from seeded weights, predicts for noise after two updates.

    And of what BLAS and the mathematical functions of NumPy say of it.
    """
    from galmorph.training.engine import Engine, prepare_device

    prepare_device()
    settings = settings_with({})
    training = settings.training.model_copy(update={"batch_size": 4})
    engine = Engine(settings.network, training, 64, 3)
    engine.reset(np.random.default_rng(0))
    images = np.random.default_rng(1).normal(size=(8, engine.side, engine.side, 1)).astype(np.float32)
    logits = [np.asarray(engine.logits(images))]
    loss, _ = engine.train_epoch(images, np.arange(8, dtype=np.int32) % 3, np.arange(8, dtype=np.int32))
    logits.append(np.asarray(engine.logits(images)))
    flat = images.reshape(8, -1).astype(np.float64)
    values = [*logits, np.asarray(loss), flat @ flat.T, np.exp(flat), np.sinh(flat)]
    return hashlib.sha256(b"".join(value.tobytes() for value in values)).hexdigest()


def test_the_package_takes_tensorflow_from_one_place():
    imports = re.compile(r"^ *(import|from) (tensorflow|keras)\b", re.MULTILINE)
    assert {path.name for path in SOURCES.rglob("*.py") if imports.search(path.read_text())} == {"backend.py"}


@pytest.mark.fault
def test_the_same_numbers_whatever_shell_and_home_say(tmp_path: Path) -> None:
    (tmp_path / "keras.json").write_text(json.dumps({"floatx": "float64", "image_data_format": "channels_first"}))
    odd = {
        "TF_ENABLE_ONEDNN_OPTS": "0",
        "TF_ONEDNN_ASSUME_FROZEN_WEIGHTS": "1",
        "TF_SET_ONEDNN_FPMATH_MODE": "BF16",
        "ONEDNN_DEFAULT_FPMATH_MODE": "BF16",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "KERAS_BACKEND": "jax",
        "KERAS_HOME": str(tmp_path),
        "TF_XLA_FLAGS": "--tf_xla_auto_jit=2 --tf_xla_cpu_global_jit",
        "OPENBLAS_CORETYPE": "Prescott",
        "OPENBLAS_NUM_THREADS": "2",
        "OMP_NUM_THREADS": "2",
        "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
    }
    command = [sys.executable, "-c", PRINT_DIGEST]
    done = subprocess.run(command, env=os.environ | odd, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == digest()
    assert done.stderr == ""  # no greeting
