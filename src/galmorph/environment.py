"""The environment variables that would change a number are unset before the libraries read them.

TensorFlow, oneDNN, BLAS and their like read dozens of variables, most of them once, when they are loaded, and new
versions read new ones. So whole families are unset, as `import galmorph` begins: in each stage, each command, and each
worker process. What a library should do other than by default is set here, or in `training.backend`, whose content is
part of a record's fingerprint.
"""

from __future__ import annotations

import os
import sys

from galmorph.errors import GalmorphError

# By the library that reads them: its own variables, and those of what it brings with it.
FAMILIES = {
    "numpy": ("BLIS_", "GOMP_", "GOTO_", "KMP_", "MKL_", "NPY_", "NUMPY_", "OMP_", "OPENBLAS_", "VECLIB_"),
    "tensorflow": (
        *("AUTOGRAPH_", "CUBLAS_", "CUDNN_", "DNNL_", "EIGEN_", "NVIDIA_TF32_", "ONEDNN_", "TENSORFLOW_", "TF", "XLA_"),
        *("XNNPACK_", "ZENDNN_", "_DNNL_", "_ONEDNN_"),
    ),
    "keras": ("KERAS_",),
    "scipy": ("SCIPY_",),
    "sklearn": ("SKLEARN_",),
    "pandas": ("PANDAS_",),
    "pyarrow": ("ARROW_",),
    "matplotlib": ("FREETYPE_",),
    "PIL": ("JSIMD_",),
}
# Members of these families that decide no number: what is printed, and what scikit-learn itself sets.
KEPT = (
    *("TF_CPP_MAX_VLOG_LEVEL", "TF_CPP_MIN_LOG_LEVEL", "TF_CPP_VMODULE"),
    *("KMP_DUPLICATE_LIB_OK", "KMP_INIT_AT_FORK"),
)
PINNED = {
    # BLAS adds in another order on another number of threads: the last digits differ. Work is spread over processes.
    **{"MKL_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    # NumPy's sin, exp and sums for newer instructions differ in the last digit from those that all x86-64 processors
    # have. Without them frames, stamps and splits are the same bytes everywhere, at no measurable cost.
    "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
}
# With it the C library computes exp, sin and pow with other instructions. It reads the variable before Python starts.
TUNABLES, CHOOSES_INSTRUCTIONS = "GLIBC_TUNABLES", "glibc.cpu.hwcap"

_read_before: list[str] = []


def settle() -> None:
    """Unset the variables that would change a number, and set those of PINNED."""
    for name, value in list(os.environ.items()):
        for library, prefixes in FAMILIES.items():
            if name.startswith(prefixes) and name not in KEPT and value != PINNED.get(name):
                if library in sys.modules and name not in PINNED:
                    _read_before.append(name)
                del os.environ[name]
    os.environ.update(PINNED)
    if "numpy" in sys.modules:
        from threadpoolctl import threadpool_limits

        threadpool_limits(1)


def require_settled() -> None:
    """Refuse an environment that `settle` was too late to change.

    Raises
    ------
    GalmorphError
        If a variable was set when the library that reads it was imported before galmorph, or if GLIBC_TUNABLES
        chooses the processor's instructions.
    """
    if _read_before:
        raise GalmorphError(
            f"{', '.join(_read_before)}: set when this process imported the library that reads it, and may change the "
            "numbers; unset it and start the process again, or import galmorph first"
        )
    if CHOOSES_INSTRUCTIONS in os.environ.get(TUNABLES, ""):
        raise GalmorphError(f"{TUNABLES}: {CHOOSES_INSTRUCTIONS}... changes the last digits of numbers; unset it")
