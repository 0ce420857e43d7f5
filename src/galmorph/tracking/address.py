"""Reach an MLflow store: its address, its lock, its pages of results, and errors that hide its password."""

from __future__ import annotations

import fcntl
import logging
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from google.protobuf.json_format import ParseError
from mlflow.exceptions import MlflowException
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from galmorph.errors import GalmorphError

log = logging.getLogger(__name__)

_REFUSALS = ("UNAUTHENTICATED", "PERMISSION_DENIED")


def default_uri(root: Path) -> str:
    """Return MLFLOW_TRACKING_URI, or else an SQLite file in the project's root."""
    path = str(root.resolve() / "mlflow.db")
    # In an address these begin a query and a code; the way from the working directory rarely has them.
    if "?" in path or "%" in path:
        path = os.path.relpath(path)
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{path}"


def without_password(text: str) -> str:
    """Return a text with users and passwords in addresses replaced.

    Examples
    --------
    >>> without_password("http://me:sesame@mlflow.example/")
    'http://***@mlflow.example/'
    """
    return re.sub(r"(?<=://)[^/@\s]+@", "***@", text)


def every_page(search: Callable[[str | None], Any]) -> list[Any]:
    """Return the results of all pages of an MLflow search, which is called with the token of each page."""
    found: list[Any] = []
    token = None
    while True:
        page = search(token)
        found += page
        token = page.token
        if not token:
            return found


@contextmanager
def locked(uri: str) -> Iterator[None]:
    """Lock a store that is an SQLite file against the project's other processes.

    Two processes that create the tables of a new store at once both fail; a server has its own locks.
    """
    folder = Path(make_url(uri).database or "").parent if uri.startswith("sqlite:") else None
    if folder is None or not folder.is_dir():
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)  # the folder, so that no lock file is left
        yield
    finally:
        os.close(handle)


def adopt_artifacts(uri: str, artifacts: Path) -> set[str]:
    """Let the store of a checkout that was moved or copied name the artifacts beside it, in place of the old ones.

    MLflow keeps whole addresses, so the copy of a store would read, write and delete the files of the original.

    Parameters
    ----------
    uri
        The store's address. It is left alone unless it is an SQLite file beside `artifacts`, with MLflow's tables.
    artifacts
        The folder for the files of the runs.

    Returns
    -------
    set of str
        The addresses of folders that experiments still name, because none of their runs has its files in `artifacts`.
    """
    place = Path(make_url(uri).database or "").resolve() if uri.startswith("sqlite:") else None
    if place is None or place.parent != artifacts.resolve().parent:
        return set()
    own, foreign = artifacts.resolve().as_uri(), set()
    engine = create_engine(uri)
    with engine.begin() as store:
        experiments = store.execute(text("SELECT experiment_id, artifact_location FROM experiments")).all()
        for experiment, old in experiments:
            if old == own or not old.startswith("file:") or not old.endswith(f"/{artifacts.name}"):
                continue
            runs = text("SELECT run_uuid FROM runs WHERE experiment_id = :experiment")
            names = store.execute(runs, {"experiment": experiment}).scalars().all()
            if names and not any((artifacts / name).is_dir() for name in names):
                foreign.add(old)
                continue
            for table, column in (
                ("experiments", "artifact_location"),
                ("runs", "artifact_uri"),
                ("logged_models", "artifact_location"),
            ):
                change = text(
                    f"UPDATE {table} SET {column} = :own || substr({column}, length(:old) + 1) "
                    f"WHERE experiment_id = :experiment AND instr({column}, :old) = 1"
                )
                store.execute(change, {"own": own, "old": old, "experiment": experiment})
            for column in ("source", "storage_location"):  # of registered models, which belong to no experiment
                change = text(
                    f"UPDATE model_versions SET {column} = :own || substr({column}, length(:old) + 1) "
                    f"WHERE instr({column}, :old) = 1"
                )
                store.execute(change, {"own": own, "old": old})
    engine.dispose()
    return foreign


@contextmanager
def explained(uri: str) -> Iterator[None]:
    """Turn the errors of MLflow and its database into a GalmorphError with the remedy."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise GalmorphError(
            f"the MLflow store {without_password(uri)} needs the Python module {error.name}: "
            "install it into the environment, or set MLFLOW_TRACKING_URI to another store"
        ) from error
    # ValueError, ParseError: an invalid port, a response that is not MLflow's.
    except (MlflowException, SQLAlchemyError, OSError, ValueError, ParseError) as error:
        store, words = without_password(uri), without_password(str(error))
        if "disk is full" in words or "No space left on device" in words:
            raise GalmorphError(
                f"the MLflow store {store} cannot be written: the disk is full; make room and repeat the command: "
                "finished work is kept"
            ) from error
        if "database is locked" in words:
            raise GalmorphError(
                f"the MLflow store {store} is locked by another process; end it (a sync, a backup, a database "
                "browser with unsaved changes) and repeat the command"
            ) from error
        log.debug("the MLflow store %s: %s", store, words)
        refused = isinstance(error, MlflowException) and error.error_code in _REFUSALS
        raise GalmorphError(f"the MLflow store {store} {_fault(uri, refused)}") from error


def _fault(uri: str, refused: bool) -> str:
    """Return what is wrong with a store that failed, and the remedy."""
    if uri.startswith("sqlite:"):
        return (
            "cannot be used: it is damaged, no database of MLflow, or one of another version; if it is the project's "
            "own mlflow.db, remove it and run galmorph sync, which rebuilds it; otherwise correct MLFLOW_TRACKING_URI"
        )
    if refused:
        return "refuses this user; set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
    if uri.startswith(("http:", "https:")):
        return (
            "does not answer as an MLflow server does; start the server (of the version in requirements.lock), or "
            "correct MLFLOW_TRACKING_URI"
        )
    return (
        "cannot be used; set MLFLOW_TRACKING_URI to the address of a server (http://HOST:5000) or of a database that "
        "answers (sqlite:///FILE), or unset it"
    )
