"""A list of the files of a folder, with what each must be: size and sha256, and where it came from.

Whether the files of a survey are still what its manifest says, and having those again that are not.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pandas as pd

from galmorph.errors import GalmorphError
from galmorph.files.reading import file_sha256, is_text
from galmorph.files.texttable import read_text_table, refuse_rows, require_columns, whole_numbers
from galmorph.sources.fetch import Download, Mirror

NAME = "manifest.csv"
COLUMNS = ("path", "size", "sha256", "url")


@dataclass(frozen=True)
class Entry:
    """A file: its path below the folder, its size in bytes, its sha256, and its address ("": made here)."""

    path: str
    size: int
    sha256: str
    url: str


def _files(folder: Path) -> list[str]:
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in found if name != NAME)


def _hashes(folder: Path, names: list[str]) -> list[str]:
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        return list(threads.map(lambda name: file_sha256(folder / name), names))


def write_manifest(folder: Path, urls: Mapping[str, str]) -> int:
    """Write manifest.csv of every file below a folder; return the number of files.

    Parameters
    ----------
    folder
        Where.
    urls
        By path, the addresses of the files that were downloaded.
    """
    names = _files(folder)
    if odd := [name for name in names if not is_text(name)]:
        raise GalmorphError(f"{folder}: the name {os.fsencode(odd[0])!r} is not UTF-8; rename the file")
    table = pd.DataFrame(
        {
            "path": names,
            "size": [(folder / name).stat().st_size for name in names],
            "sha256": _hashes(folder, names),
            "url": [urls.get(name, "") for name in names],
        },
        columns=list(COLUMNS),
    )
    table.to_csv(folder / NAME, index=False, lineterminator="\n")
    return len(names)


def read_manifest(folder: Path) -> list[Entry]:
    """Read the manifest of a folder.

    Raises
    ------
    GalmorphError
        If it is missing, or was edited to something that no manifest says.
    """
    path = folder / NAME
    if not path.exists():
        raise GalmorphError(f"{path}: no such file; run dvc repro acquire, which makes it")
    table = read_text_table(path)
    require_columns(table, COLUMNS, path)
    outside = [
        (pure := PurePosixPath(name)).is_absolute() or name != str(pure) or ".." in pure.parts for name in table["path"]
    ]
    refuse_rows(pd.Series(outside), table, "path", "is no path below the manifest's folder", path)
    refuse_rows(table["path"].duplicated(), table, "path", "stands in the table twice", path)
    refuse_rows(~table["sha256"].str.fullmatch("[0-9a-f]{64}"), table, "sha256", "is no sha256", path)
    refuse_rows(~table["url"].str.fullmatch(r"(https?://\S+)?"), table, "url", "is no address", path)
    sizes = whole_numbers(table, "size", path)
    columns = (table["path"], sizes.tolist(), table["sha256"], table["url"])
    return [Entry(*values) for values in zip(*columns, strict=True)]


def check_folder(folder: Path, entries: list[Entry]) -> dict[str, str]:
    """Compare the files of a folder with its manifest, byte by byte.

    Returns
    -------
    dict
        By path, what is wrong: missing, of another size, of another content, or not in the manifest. Empty where
        everything is as it must be.
    """
    present = set(_files(folder))
    wrong = {entry.path: "missing" for entry in entries if entry.path not in present}
    for entry in entries:
        if entry.path in present and (size := (folder / entry.path).stat().st_size) != entry.size:
            wrong[entry.path] = f"{size} bytes instead of {entry.size}"
    left = [entry for entry in entries if entry.path not in wrong]
    for entry, found in zip(left, _hashes(folder, [entry.path for entry in left]), strict=True):
        if found != entry.sha256:
            wrong[entry.path] = "other bytes than the manifest's"
    foreign = present - {entry.path for entry in entries}
    wrong |= dict.fromkeys(
        (os.fsencode(name).decode(errors="backslashreplace") for name in foreign), "not in the manifest"
    )
    return dict(sorted(wrong.items()))


log = logging.getLogger(__name__)


def verify(folder: Path) -> tuple[int, dict[str, str]]:
    """Compare every file of a folder with its manifest.

    Returns
    -------
    files, wrong
        How many files the manifest has; and by path what is wrong.

    Raises
    ------
    GalmorphError
        If there is no manifest, or it is not as one is written.
    """
    entries = read_manifest(folder)
    return len(entries), check_folder(folder, entries)


def repair(folder: Path, mirror: Mirror) -> tuple[list[str], dict[str, str]]:
    """Fetch the files again that are not what the manifest says.

    Returns
    -------
    repaired, wrong
        Paths that now are right; and by path why others are not.

    Raises
    ------
    GalmorphError
        If the manifest is wrong, or a server does not answer.
    """
    entries = {entry.path: entry for entry in read_manifest(folder)}
    wrong = check_folder(folder, list(entries.values()))
    lost = {
        path: f"{reason}; it was not downloaded" for path, reason in wrong.items() if not _has_address(path, entries)
    }
    downloads = [_again(entries[path], mirror) for path in wrong if path not in lost]
    failures = mirror.fetch(downloads, "repair", "try later")
    repaired = [download.path for download in downloads if download.path not in failures]
    for path in repaired:
        # A new file in the stead of the old one, which may be one with the copy in a cache.
        mirror.link(path, folder / path)
    return repaired, dict(sorted((lost | failures).items()))


def _has_address(path: str, entries: dict[str, Entry]) -> bool:
    return path in entries and entries[path].url != ""


def _again(entry: Entry, mirror: Mirror) -> Download:
    def check(path: Path) -> None:
        if file_sha256(path) != entry.sha256:
            raise GalmorphError(f"{path}: other bytes than the manifest's: the server's file, or the manifest, changed")

    return Download(entry.url, entry.path, check, entry.size, entry.size)
