"""TensorFlow and Keras, configured alike in every process and without TensorFlow's greeting.

Every module imports them from here, ``from galmorph.training.backend import keras, tf``, never from their own packages:
most settings are read once, at the first import in a process. Neither the processor, nor an environment variable
(`galmorph.environment`), nor a file in the home directory may change a result.
"""

from __future__ import annotations

import os
import sys
import tempfile

from galmorph.environment import require_settled

__all__ = ["keras", "tf"]

require_settled()
# oneDNN is off by default on processors without AVX-512 VNNI, where its kernels are just as much faster.
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"
os.environ["KERAS_BACKEND"] = "tensorflow"
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
# Whatever ~/.keras/keras.json says.
keras.config.set_floatx("float32")
keras.config.set_epsilon(1e-7)
keras.config.set_image_data_format("channels_last")
