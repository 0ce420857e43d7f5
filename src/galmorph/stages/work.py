"""A stage at work: alone in its folder, and refused its outputs if what it started from has been edited meanwhile.

DVC hashes what a stage depends on after the stage has ended. What was edited while it ran would pass for what its
outputs were made from, in dvc.lock and in the run cache.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from galmorph.errors import GalmorphError
from galmorph.files.atomic import move_into_place
from galmorph.files.reading import PACKAGE, file_sha256, source_files
from galmorph.settings.layout import LOCKS, PARAMS, fresh_folder, load_params
from galmorph.settings.study import Settings
from galmorph.stages import IMPORTED

LOCK_SECONDS = 60.0  # to wait for another process at the same stage, which may be about to end

log = logging.getLogger(__name__)


def stage_block() -> str:
    """Return the name of the block of params.yaml for which DVC runs this stage: two_class in train@two_class.

    It is not part of the command, where a shell would read it before anything has checked it.

    Raises
    ------
    GalmorphError
        If DVC_STAGE, which DVC sets, names no such stage, or params.yaml is wrong.
    """
    stage = os.environ.get("DVC_STAGE", "")
    _, at, name = stage.rpartition("@")
    if not at:
        raise GalmorphError(f"DVC_STAGE: {stage!r} names no stage such as train@two_class; dvc repro sets it")
    load_params()  # refuses a name that is also a path, before the stage makes files of that name
    return name


class Inputs:
    """Parameters, data and code of a stage as they were when it started.

    They are those that dvc.yaml names for the stage that DVC runs. A stage that is started by hand has all of
    params.yaml and of the package.
    """

    def __init__(self) -> None:
        self._declared, self._code = _dependencies()
        self._before = self._hashes()

    def _hashes(self) -> dict[str, Any]:
        """Return values and hashes of parameters and data, by name."""
        if self._declared is None:
            return {str(PARAMS): file_sha256(PARAMS) if PARAMS.exists() else None}
        from dvc.dependency import ParamsDependency
        from dvc.exceptions import DvcException

        found: dict[str, Any] = {}
        for dependency in self._declared:
            try:
                if isinstance(dependency, ParamsDependency):
                    found |= {f"{dependency}: {name}": value for name, value in dependency.read_params().items()}
                else:
                    found[str(dependency)] = dependency.get_hash().value
            except (DvcException, OSError) as error:  # gone, or not to be read
                found[str(dependency)] = repr(error)
        return found

    def edited(self) -> list[str]:
        """Return the names of what is no longer as it was."""
        now, code = self._hashes(), source_files()
        changed = [name for name in self._before | now if self._before.get(name) != now.get(name)]
        return changed + [
            os.path.relpath(path)
            for path in IMPORTED | code
            if IMPORTED.get(path) != code.get(path) and not self._code.isdisjoint((path, *path.parents))
        ]


def _dependencies() -> tuple[list[Any] | None, set[Path]]:
    """Return the dependencies of the stage that DVC runs: parameters and data as DVC has them, paths of code."""
    addressed = os.environ.get("DVC_STAGE")
    if addressed is None:
        return None, {PACKAGE}
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    name = addressed.rpartition(":")[2]
    try:
        dependencies = Repo().stage.load_one(name=name).deps
    except DvcException:
        load_params()  # says what is wrong with params.yaml itself
        raise GalmorphError(
            f"{PARAMS}, dvc.yaml: edited since dvc repro started {name}, which they no longer declare; run dvc repro "
            "again"
        ) from None
    package = Path(os.path.realpath(PACKAGE))
    declared, code = [], set()
    for dependency in dependencies:
        path = Path(os.path.realpath(dependency.fs_path))
        if path.is_relative_to(package):
            code.add(PACKAGE / path.relative_to(package))
        else:
            declared.append(dependency)
    return declared, code


class Work:
    """A stage at work.

    Attributes
    ----------
    settings
        The parameters.
    folder
        Empty, and removed at the end; an absolute path, for the workers.
    """

    def __init__(self, settings: Settings, folder: Path, inputs: Inputs) -> None:
        self.settings, self.folder, self._inputs = settings, folder, inputs

    def require_unchanged(self) -> None:
        """Raise GalmorphError if a parameter, data file or module of the stage has been edited since it started."""
        if edited := self._inputs.edited():
            raise GalmorphError(
                f"{', '.join(edited)}: edited while this stage ran, so none of its outputs was put in its place: DVC "
                "would record them as made from the edited files; run dvc repro again"
            )

    def put(self, *made: tuple[Path, Path]) -> None:
        """Move files and folders that the stage has made, each given with its place.

        Raises
        ------
        GalmorphError
            If what the stage started from has been edited; nothing is moved then.
        """
        self.require_unchanged()
        for source, place in made:
            move_into_place(source, place)


@contextmanager
def stage_work(name: str) -> Iterator[Work]:
    """Work at a stage, in a folder of its own, as the only process of this checkout to do so.

    Raises
    ------
    GalmorphError
        If params.yaml is wrong, or another process is at work on the stage and does not end in LOCK_SECONDS.
    """
    with _alone(name), fresh_folder(name) as folder:
        inputs = Inputs()  # before anything is read
        yield Work(load_params(), folder, inputs)


@contextmanager
def _alone(name: str) -> Iterator[None]:
    """Lock a stage; the system frees the lock of a process that is killed."""
    LOCKS.mkdir(parents=True, exist_ok=True)
    lock = FileLock(LOCKS / f"{name}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        log.warning("%s: another process is at work on it; waiting up to %d s for it to end", name, LOCK_SECONDS)
        try:
            lock.acquire(timeout=LOCK_SECONDS)
        except Timeout:
            raise GalmorphError(
                f"{name}: another process is at work on this stage, perhaps of a dvc repro that was killed; wait for "
                "it, or end it (pgrep -af galmorph.stages names it), and run dvc repro again"
            ) from None
    try:
        yield
    finally:
        lock.release()
