"""TensorFlow and Keras as the project uses them: with oneDNN's kernels, and without TensorFlow's greeting.

Whatever needs them takes them from here, `from galmorph.quiet import keras, tf`, and never from their own packages:
TensorFlow reads what is set here once, when it is first imported in a process.
"""

from __future__ import annotations

import os
import sys
import tempfile

__all__ = ["keras", "tf"]

# oneDNN is off by default on processors without AVX-512 VNNI, where its kernels are just as much faster; and what
# depends on the processor, or on a variable of the shell, is nothing to decide bytes.
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"
sys.stderr.flush()
# The lines come from compiled code, which writes to the file descriptor and not to sys.stderr.
_kept = os.dup(2)
with tempfile.TemporaryFile() as _greeting:
    os.dup2(_greeting.fileno(), 2)
    try:
        import keras
        import tensorflow as tf
    except BaseException:
        _greeting.seek(0)
        os.write(_kept, _greeting.read())
        raise
    finally:
        os.dup2(_kept, 2)
        os.close(_kept)
