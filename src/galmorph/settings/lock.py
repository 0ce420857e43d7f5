"""dvc.lock, held against params.yaml and the files of the project: what was made by other parameters, code or data.

DVC compares these itself, but not where a user runs one stage of several (`dvc repro --single-item`), restores one file
of several with git, or runs no DVC at all before reading a result. It needs seconds for it; this takes tenths.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pathspec import GitIgnoreSpec
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from galmorph.errors import GalmorphError, own_words
from galmorph.files.reading import file_md5, regular_file
from galmorph.settings.layout import EXTERNAL, MODELS, PARAMS, RAW, WIDE
from galmorph.settings.reading import read_params
from galmorph.settings.study import Settings

LOCK = Path("dvc.lock")
IGNORED = Path(".dvcignore")
REPORT = "report"
# Not hashed here: records name their own parameters, data and code, and of the user's own files there may be terabytes.
LEFT_TO_DVC = (MODELS.as_posix(), EXTERNAL.as_posix())
# Not hashed either: gigabytes, of which everything that a record names is made. What one stage read must be what the
# other made, by dvc.lock.
LARGE = (RAW.as_posix(), WIDE.as_posix())

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LockedStage:
    """What dvc.lock says of a stage's last run: parameters by dotted name, md5s by path (of a folder with .dir)."""

    params: Mapping[str, Any]
    deps: Mapping[str, str | None]
    outs: Mapping[str, str | None]


def read_lock(project: Path = Path()) -> dict[str, LockedStage]:
    """Return the stages of a project's dvc.lock; empty if there is no such file.

    Raises
    ------
    GalmorphError
        If it is damaged.
    """
    path = project / LOCK
    try:
        lock = YAML(typ="safe", pure=True).load(regular_file(path).read_text(encoding="utf-8"))
        return {
            name: LockedStage(
                dict(stage.get("params", {}).get("params.yaml", {})),
                {dependency["path"]: dependency.get("md5") for dependency in stage.get("deps", [])},
                {out["path"]: out.get("md5") for out in stage.get("outs", [])},
            )
            for name, stage in lock["stages"].items()
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, YAMLError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise GalmorphError(f"{path}: not a lock file of DVC{own_words(error)}; restore it with git checkout") from None


def declared_stages(settings: Settings, trained: str | None = None) -> list[str]:
    """Return the stages that params.yaml declares, each after those that it depends on.

    All but the report; or those that the networks of a condition, or of transfer/NAME, are made by.
    """
    resolution, every = settings.resolution, trained is None
    of_each: list[tuple[Sequence[str], Collection[str]]] = [
        (("splits", "train", "confirm"), [name for name in settings.conditions if every or name == trained])
    ]
    before = ["acquire", "cutouts"]
    if trained not in settings.conditions:
        before.append("resolution")
        of_each += [
            (("degrade", "parts"), resolution.levels),
            (("ablate",), resolution.ablations),
            (("transfer",), resolution.levels),
            (("mix", "remedy"), resolution.remedies),
        ]
    if every:
        of_each += [
            (("baseline",), settings.conditions),
            (("tested",), resolution.levels),
            (("remedied",), resolution.remedies),
            (("oracle",), resolution.oracle),
        ]
    return [*before, *(f"{stage}@{name}" for kinds, names in of_each for stage in kinds for name in names)]


def require_current(stages: Sequence[str], project: Path = Path()) -> set[str]:
    """Refuse a project in which something was made by other parameters, code or data than are there now.

    What is not at hand is not compared, nor are stages that dvc.lock does not know: those that were run without DVC.
    A warning names them.

    Parameters
    ----------
    stages
        What to compare, each after those that it depends on.
    project
        The folder of the study.

    Returns
    -------
    set of str
        The stages that were compared.

    Raises
    ------
    GalmorphError
        With the first stage to be run again, and why.
    """
    lock = read_lock(project)
    if unknown := [name for name in stages if name not in lock]:
        listed = ", ".join(unknown[:3]) + (f" and {len(unknown) - 3} more" if len(unknown) > 3 else "")
        log.warning(
            "dvc.lock does not know the stage %s: whether params.yaml made its files is not compared; dvc repro makes "
            "it certain",
            listed,
        )
    known = [name for name in stages if name in lock]
    files = _Files(project, lock)
    params = read_params(project / PARAMS)
    for name in known:
        if reason := next(_differences(lock[name], params, files), None):
            raise GalmorphError(
                f"stage {name}: {reason}; run dvc repro, or bring back what was changed (git checkout, then dvc "
                f"checkout){_by_hand(name, reason)}"
            )
    return set(known)


def _by_hand(name: str, reason: str) -> str:
    return f"; if you made it without DVC: dvc commit {name}" if "dvc.lock" in reason else ""


def _differences(stage: LockedStage, params: Mapping[str, Any], files: _Files) -> Iterator[str]:
    """Yield what has changed since a stage ran, parameters first."""
    for name, before in stage.params.items():
        value: Any = params
        for key in name.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if (changed := difference(name, before, value)) is not None:
            yield changed
    for path, md5 in stage.deps.items():
        if (now := files.md5(path)) is not None and now != md5:
            yield f"{path} has changed since it ran"
    for path, md5 in stage.outs.items():
        if (now := files.md5(path)) is not None and now != md5:
            yield f"{path} is not what it made, by dvc.lock"


def difference(name: str, before: Any, now: Any) -> str | None:
    """Describe the first parameter that differs, by dotted name; None if none does."""
    if isinstance(before, dict) and isinstance(now, dict):
        pairs = ((f"{name}.{key}", before.get(key), now.get(key)) for key in dict.fromkeys([*before, *now]))
        return next((found for pair in pairs if (found := difference(*pair)) is not None), None)
    if before == now:
        return None
    was, has = (json.dumps(value, ensure_ascii=False) for value in (before, now))
    return f"it ran with {name} = {was}, params.yaml now has {has}"


class _Files:
    """The md5s of a project's files and folders, as DVC has them; each file is read once."""

    def __init__(self, project: Path, lock: Mapping[str, LockedStage]) -> None:
        self.project = project
        self.large = {path: md5 for stage in lock.values() for path, md5 in stage.outs.items() if path in LARGE}
        self.found: dict[Path, str] = {}
        ignored = project / IGNORED
        lines = ignored.read_text(encoding="utf-8").splitlines() if ignored.exists() else []
        self.ignored = GitIgnoreSpec.from_lines(lines)

    def md5(self, path: str) -> str | None:
        """Return the md5 of a file or folder; None where it is not at hand, or left to DVC."""
        if path in LARGE:
            return self.large.get(path)
        place = self.project / path
        if any(PurePosixPath(path).is_relative_to(left) for left in LEFT_TO_DVC) or not place.exists():
            return None
        if not place.is_dir():
            return self._file(place)
        files = sorted(
            (file.relative_to(place).parts, file)
            for file in place.rglob("*")
            if file.is_file() and not self.ignored.match_file(file.relative_to(self.project))
        )
        # As DVC lists a folder; its hash is that of this text.
        listing = [{"md5": self._file(file), "relpath": "/".join(parts)} for parts, file in files]
        return f"{hashlib.md5(json.dumps(listing, sort_keys=True).encode()).hexdigest()}.dir"

    def _file(self, path: Path) -> str:
        if path not in self.found:
            self.found[path] = file_md5(path)
        return self.found[path]
