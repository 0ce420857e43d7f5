"""The user's own files: whether DVC sees them change.

DVC hashes data/external by content, and follows a link to a file. It does not look into a linked folder, nor anywhere
else: the stage would be up to date whatever happens there.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path

from galmorph.errors import GalmorphError
from galmorph.settings.fields import Block
from galmorph.settings.layout import EXTERNAL
from galmorph.settings.study import Settings

KEYS = ("frames", "catalogue", "redshifts", "folder", "labels")  # of the blocks of sources that name files or folders


def require_tracked(settings: Settings) -> None:
    """Refuse files of the survey, and of levels that are other surveys, whose changes DVC does not see.

    Raises
    ------
    GalmorphError
        With the parameter and a command that makes them visible.
    """
    source = settings.survey.source
    blocks: dict[str, Block] = {source: getattr(settings, source)}
    for name, level in settings.resolution.levels.items():
        if level.stamps is not None:
            blocks[f"resolution.levels.{name}.stamps"] = level.stamps
    for name, block in blocks.items():
        for key in KEYS:
            place = getattr(block, key, None)
            # What is missing is for the source to say.
            if place is not None and "://" not in place and Path(place).exists():
                _require_tracked(f"{name}.{key}", Path(os.path.abspath(place)))


def _require_tracked(key: str, path: Path) -> None:
    root = Path(os.path.abspath(EXTERNAL))
    folder_of_links = "a folder of links to its files (cp -rs)"
    if not path.is_relative_to(root):
        way = f"make it {folder_of_links}" if path.is_dir() else "link it (ln -s)"
        raise GalmorphError(
            f"{key}: {path} is not in {EXTERNAL}, so DVC would not see it change; copy it there, or {way}, and correct "
            f"{key}"
        )
    for link in _linked_folders(path, root):
        shown = shlex.quote(str(EXTERNAL / link.relative_to(root)))
        raise GalmorphError(
            f"{key}: {shown} is a link to a folder, into which DVC does not look, so it would not see a change there; "
            f"replace it by a copy, or by {folder_of_links}: rm {shown} && cp -rs {shlex.quote(str(link.resolve()))} "
            f"{shown}"
        )


def _linked_folders(path: Path, root: Path) -> Iterator[Path]:
    """Find the links to folders from a root down to a path, and below it."""
    for place in (path, *path.parents):
        if place == root:
            break
        if place.is_symlink() and place.is_dir():
            yield place
    for folder, folders, _ in os.walk(path):
        yield from (Path(folder, name) for name in sorted(folders) if Path(folder, name).is_symlink())
