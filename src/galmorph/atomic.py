"""Folders that appear whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
