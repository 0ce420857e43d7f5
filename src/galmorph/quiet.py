"""TensorFlow without its greeting: lines about its build, written past every setting, in each process."""

from __future__ import annotations

import os
import sys
import tempfile


def import_tensorflow() -> None:
    """Import TensorFlow for the first time in this process, silently unless it fails."""
    if "tensorflow" in sys.modules:
        return
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
