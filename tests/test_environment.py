"""No environment variable changes a number: those that the libraries read are unset, set, or known to decide none."""

from __future__ import annotations

import mmap
import os
import re
import subprocess
import sys
import sysconfig
from importlib import metadata
from pathlib import Path

import pytest
from threadpoolctl import threadpool_info

from galmorph.environment import FAMILIES, KEPT, PINNED
from galmorph.errors import GalmorphError
from galmorph.parallel.workers import spread
from tests.support import jobs
from tests.support.dask_scheduler import running_scheduler
from tests.support.parameters import ROOT

SITE = Path(sysconfig.get_paths()["purelib"])
PACKAGES = ("keras", "numpy", "numpy.libs", "pandas", "scipy", "scipy.libs", "sklearn", "tensorflow")
# A variable is named for its library or for what it decides. In compiled code a text between two zero bytes may be one.
WORDS = re.compile(
    "_(?:AUTOGRAPH|BLAS|BLIS|CORETYPE|CUBLAS|CUDNN|DETERMINISTIC|DNNL|EIGEN|FPMATH|GOMP|GOTO|ISA|KERAS|KMP|MKL|MKLDNN|NPY|"
    "NUMPY|OMP|ONEDNN|OPENBLAS|PRECISION|SCIPY|SIMD|SKLEARN|TENSORFLOW|TF|TF2|TF32|THREADS|XLA|XNNPACK|ZENDNN)_"
)
IN_BINARIES = re.compile(rb"\x00([A-Z_][A-Z0-9_]{4,60})(?=\x00)")
IN_PYTHON = re.compile(r"(?:environ(?:\.\w+)?|getenv)\s*[([]\s*f?['\"](\w+)")

# What NumPy is compiled with, and tests.
NOT_USED = re.compile(r"(^|/)(distutils|f2py|tests?|testing)/|/test_|_test(ing)?\.py$")
HARMLESS = {
    "ALLOW_THREADS|_NPY_SORT_UNDEFINED|VGT_TF_PARAM|SPV_.*": "no variables: names of macros, registers, extensions",
    "DEFAULT_FPMATH_MODE|MAX_CPU_ISA|DISABLE_DNNL_BACKEND": "oneDNN puts ONEDNN_ or DNNL_ before them; those are unset",
    "DTENSOR_.*|TPU_.*": "tensors over several machines, and TPUs; neither is used",
    "CUDA_VISIBLE_DEVICES": "chooses the GPU, as one chooses the machine",
    "GRPC_FAIL_FAST|HDF5_PLUGIN_PATH|ENABLE_RUNTIME_UPTIME_TELEMETRY": "connections, other compressions, messages",
    "TEST_.*|PYTEST_.*|PRIMA_DEBUGGING|SCIKIT_LEARN_DATA|collaborator_build|project_name": "tests of the libraries",
    "DISPLAY|WAYLAND_DISPLAY|LANG|LC_ALL|TZ": "screen, language and time zone, which tests/faults tries",
    "_PYTHON_HOST_PLATFORM|PROCESSOR_ARCHI.*|SOURCE_DATE_EPOCH": "what is built, and when",
}


def names_in_binaries() -> set[str]:
    """Return what looks like a variable in the compiled parts of the libraries."""
    found: set[str] = set()
    for package in PACKAGES:
        for path in (SITE / package).rglob("*.so*"):
            with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                found |= {name.decode() for name in IN_BINARIES.findall(content)}
    return {name for name in found if "_" in name and WORDS.search(f"_{name}_")}


def names_in_python() -> set[str]:
    """Return the variables that the Python parts of the libraries read."""
    paths = [path for package in PACKAGES for path in (SITE / package).rglob("*.py")]
    return {
        name
        for path in paths
        if not NOT_USED.search(path.relative_to(SITE).as_posix())
        for name in IN_PYTHON.findall(path.read_text(encoding="utf-8", errors="replace"))
    }


@pytest.fixture(scope="module")
def read_by_libraries(request: pytest.FixtureRequest) -> list[str]:
    """Return the variables that the libraries name, from a gigabyte of them; read once for each set of versions."""
    versions = "-".join(metadata.version(name) for name in ("keras", "numpy", "pandas", "scipy", "scikit-learn"))
    tensorflow = next((SITE / "tensorflow").glob("libtensorflow_cc*")).stat().st_size
    key = f"galmorph/variables-{versions}-{tensorflow}"
    names: list[str] | None = request.config.cache.get(key, None)
    if names is None:
        names = sorted(names_in_binaries() | names_in_python())
        request.config.cache.set(key, names)
    return names


@pytest.mark.fault
def test_each_variable_that_the_libraries_name_is_unset_or_known_to_be_harmless(read_by_libraries: list[str]) -> None:
    unset = tuple(prefix for prefixes in FAMILIES.values() for prefix in prefixes)
    # What the sweep must find if it finds anything.
    known = ("KERAS_BACKEND", "NPY_DISABLE_CPU_FEATURES", "OPENBLAS_CORETYPE", "TF_ONEDNN_ASSUME_FROZEN_WEIGHTS")
    assert set(known) <= set(read_by_libraries)
    harmless = re.compile("|".join(f"(?:{names})" for names in HARMLESS))
    unknown = [name for name in read_by_libraries if not name.startswith(unset) and not harmless.fullmatch(name)]
    assert unknown == []
    assert [names for names in HARMLESS if not any(re.fullmatch(names, name) for name in read_by_libraries)] == []


ODD = {
    "TF_ONEDNN_ASSUME_FROZEN_WEIGHTS": "1",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "OPENBLAS_CORETYPE": "Prescott",
    "OPENBLAS_NUM_THREADS": "2",
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "GALMORPH_WORKERS": "2",
}


def python(code: str, **variables: str) -> str:
    """Run a Python program with other variables, and return what it prints."""
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"} | variables
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    ).stdout


def test_what_changes_numbers_is_unset_and_all_else_is_kept():
    names = [*ODD, *PINNED, *KEPT]
    told = python(f"import galmorph, os; print({{n: os.environ.get(n) for n in {names}}})", **ODD)
    expected = dict.fromkeys(names) | {name: os.environ.get(name) for name in KEPT} | PINNED
    assert eval(told) == expected | {"TF_CPP_MIN_LOG_LEVEL": "2", "GALMORPH_WORKERS": "2"}


@pytest.mark.fault
def test_a_variable_that_a_library_has_already_read_is_refused():
    code = """
import {first}, galmorph
from galmorph.environment import require_settled
try:
    require_settled()
except galmorph.errors.GalmorphError as error:
    print(error)
"""
    said = python(code.format(first="numpy"), **ODD)
    assert said.startswith("OPENBLAS_CORETYPE: set when this process imported the library that reads it")
    assert python(code.format(first="galmorph"), **ODD) == ""
    # A number of threads can still be changed.
    assert python(code.format(first="numpy"), OPENBLAS_NUM_THREADS="2") == ""


def test_blas_has_one_thread_even_if_numpy_was_imported_first():
    code = "import numpy, galmorph, threadpoolctl; print([p['num_threads'] for p in threadpoolctl.threadpool_info()])"
    assert python(code, OPENBLAS_NUM_THREADS="2") == "[1]\n"
    assert {pool["num_threads"] for pool in threadpool_info()} == {1}  # in this process, too


# `import galmorph` has settled the environment; NumPy reads what is set after it.
SURVEY = """
import galmorph, hashlib, os, pathlib, sys
os.environ |= {changes}
from galmorph.parallel import workers
from galmorph.settings.survey import SimulatedSettings
from galmorph.sources import simulated
from galmorph.sources.simulated import survey
survey.spread = lambda function, jobs, **named: ((index, function(*job)) for index, job in enumerate(jobs))
settings = SimulatedSettings(seed=7, galaxies=40, galaxies_per_frame=30, band="r", seeing=1.43, types=None)
folder = pathlib.Path("{folder}")
simulated.acquire(settings, folder)
for path in sorted(folder.rglob("*")):
    if path.is_file():
        print(path.relative_to(folder), hashlib.sha256(path.read_bytes()).hexdigest())
"""


def test_the_survey_is_the_same_bytes_with_the_blas_of_another_processor(tmp_path: Path) -> None:
    hashes = [
        python(SURVEY.format(changes=changes, folder=tmp_path / name))
        for name, changes in {"here": {}, "there": {"OPENBLAS_CORETYPE": "Prescott"}}.items()
    ]
    assert hashes[0].count("fpC-") == 2
    assert hashes[0] == hashes[1]


def test_numpy_uses_the_instructions_that_all_processors_have() -> None:
    code = "import galmorph, numpy._core._multiarray_umath as numpy; print(numpy.__cpu_features__['X86_V3'])"
    assert python(code) == "False\n"


@pytest.mark.fault
def test_other_mathematical_functions_of_the_c_library_are_refused():
    code = "from galmorph.stages.launch import launch; launch(print)"
    with pytest.raises(subprocess.CalledProcessError) as caught:
        python(code, GLIBC_TUNABLES="glibc.malloc.check=0:glibc.cpu.hwcaps=-AVX2,-FMA")
    assert caught.value.stderr.startswith("galmorph: GLIBC_TUNABLES: glibc.cpu.hwcap... changes the last digits")
    assert python(code, GLIBC_TUNABLES="glibc.malloc.check=0") == "\n"


def test_workers_of_this_machine_have_the_same_variables() -> None:
    code = """
from tests.support import jobs
from galmorph.parallel.workers import spread
print(list(spread(jobs.variables, [({names},)], label="jobs", unit="job")))
"""
    told = python(code.format(names=tuple(ODD)), **ODD)
    assert eval(told) == [(0, {"OPENBLAS_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "2", "GALMORPH_WORKERS": "2"})]


@pytest.mark.slow
def test_a_worker_of_a_scheduler_that_has_read_one_refuses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Prescott")
    with running_scheduler(tmp_path / "dask", 1) as scheduler:
        monkeypatch.setenv("GALMORPH_SCHEDULER", scheduler.address)
        with pytest.raises(GalmorphError, match="OPENBLAS_CORETYPE: set when"):
            list(spread(jobs.variables, [(tuple(ODD),)], label="jobs", unit="job"))
