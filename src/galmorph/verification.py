"""Whether the files of a survey are still what its manifest says, and having those again that are not."""

from __future__ import annotations

import logging
from pathlib import Path

from galmorph.download import Mirror
from galmorph.errors import GalmorphError
from galmorph.fetch import Download
from galmorph.manifest import Entry, check_folder, read_manifest
from galmorph.regular import file_sha256

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
