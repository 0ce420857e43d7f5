"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from galmorph.errors import GalmorphError

PARTIAL = "partial."


@contextmanager
def whole_file(destination: Path) -> Iterator[Path]:
    """Give a path to write; where the block ends well it replaces `destination`, else nothing is left of it.

    Parameters
    ----------
    destination
        What is to be made. The path given lies beside it and ends in its name; no two calls give the same one, so
        that two processes may make the same file.

    Raises
    ------
    GalmorphError
        If the file cannot be written: a full disk, a missing permission.
    """
    partial = destination.with_name(f"{PARTIAL}{uuid.uuid4().hex}.{destination.name}")
    try:
        yield partial
        # Else a loss of power may leave the name without the bytes.
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(destination)
    except OSError as error:
        # HDF5 wraps the system's words into several lines of its own.
        words = re.search(r"error message = '([^']+)'", str(error))
        reason = words[1] if words else error.strerror or error
        raise GalmorphError(
            f"{destination}: cannot be written ({reason}); make room on the disk, or the folder "
            "writable, and repeat the command: what had finished is kept"
        ) from None
    finally:
        with suppress(OSError):  # of a disk that may not even be read, which the error above has told
            partial.unlink(missing_ok=True)


@contextmanager
def whole_folder(destination: Path) -> Iterator[Path]:
    """Give an empty folder to fill; where the block ends well it replaces `destination`, else nothing is left of it.

    Parameters
    ----------
    destination
        What is to be made. The folder given lies beside it, so that the last step is a rename.
    """
    partial = destination.with_name(f".{destination.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    if destination.exists():
        shutil.rmtree(destination)
    partial.rename(destination)
