"""An MLflow store's address: which it is, that one opens it at a time, and what is said where it refuses."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from google.protobuf.json_format import ParseError
from mlflow.exceptions import MlflowException
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from galmorph.errors import GalmorphError


def default_uri(root: Path) -> str:
    """Return the store's address: MLFLOW_TRACKING_URI, else an SQLite file in the project's root."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{root.resolve() / 'mlflow.db'}"


def without_password(text: str) -> str:
    """Return a text whose addresses name neither user nor password."""
    return re.sub(r"(?<=://)[^/@\s]+@", "***@", text)


@contextmanager
def alone(uri: str) -> Iterator[None]:
    """Keep the project's other processes from opening the same SQLite file meanwhile.

    Two that make the tables of a new store at once trip over each other; a server sees to that itself.
    """
    folder = Path(make_url(uri).database or "").parent if uri.startswith("sqlite:") else None
    if folder is None or not folder.is_dir():
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)  # of the folder: no file is left
        yield
    finally:
        os.close(handle)


@contextmanager
def explained(uri: str) -> Iterator[None]:
    """Turn what MLflow and its database raise into a GalmorphError with the remedy."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise GalmorphError(
            f"the MLflow store {without_password(uri)} needs the Python module {error.name}: "
            "install it into the environment, or set MLFLOW_TRACKING_URI to another store"
        ) from error
    # A port that is none, an answer that is none.
    except (MlflowException, SQLAlchemyError, OSError, ValueError, ParseError) as error:
        store, words = without_password(uri), without_password(str(error))
        if "disk is full" in words or "No space left on device" in words:
            raise GalmorphError(
                f"the MLflow store {store} cannot be written: the disk is full; make room, and repeat the command: "
                "what had finished is kept"
            ) from error
        if "database is locked" in words:
            raise GalmorphError(
                f"the MLflow store {store} is locked by another process; end that one (a sync, a backup, a "
                "database browser with unsaved changes) and repeat the command"
            ) from error
        raise GalmorphError(
            f"the MLflow store {store} refuses: {words}; if it is the project's own mlflow.db, remove it and "
            "run galmorph sync, which rebuilds it; else check MLFLOW_TRACKING_URI"
        ) from error
