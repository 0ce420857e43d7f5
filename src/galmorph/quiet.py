"""TensorFlow as the project uses it: with oneDNN's kernels, and without its greeting in each process."""

from __future__ import annotations

import os
import sys
import tempfile


def import_tensorflow() -> None:
    """Import TensorFlow for the first time in this process, silently unless it fails."""
    if "tensorflow" in sys.modules:
        return
    # oneDNN is off by default on processors without AVX-512 VNNI, where its kernels are just as much faster; and what
    # depends on the processor, or on a variable of the shell, is nothing to decide bytes.
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"
    sys.stderr.flush()
    # The lines come from compiled code, which writes to the file descriptor and not to sys.stderr.
    kept = os.dup(2)
    with tempfile.TemporaryFile() as greeting:
        os.dup2(greeting.fileno(), 2)
        try:
            import tensorflow  # noqa: F401
        except BaseException:
            greeting.seek(0)
            os.write(kept, greeting.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
