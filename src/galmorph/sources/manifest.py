"""The manifest of a survey's files: path, size, sha256 and address of each; verification and repair against it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from galmorph.errors import GalmorphError
from galmorph.files.reading import file_sha256
from galmorph.files.texttable import find_columns, read_text_table, refuse_rows, whole_numbers
from galmorph.sources.fetch import Download, Mirror

NAME = "manifest.csv"
COLUMNS = ("path", "size", "sha256", "url")


def write_manifest(folder: Path, urls: Mapping[str, str]) -> int:
    """Write manifest.csv of every file below a folder.

    Parameters
    ----------
    folder
        The folder, in which the manifest is written.
    urls
        By path, the addresses of the files that were downloaded; the others get an empty one.

    Returns
    -------
    int
        The number of files.
    """
    names = _files(folder)
    table = pd.DataFrame(
        {
            "path": names,
            "size": [(folder / name).stat().st_size for name in names],
            "sha256": _hashes(folder, names),
            "url": [urls.get(name, "") for name in names],
        }
    )
    table.to_csv(folder / NAME, index=False, lineterminator="\n")
    return len(names)


def read_manifest(folder: Path) -> pd.DataFrame:
    """Read the manifest of a folder.

    Returns
    -------
    pandas.DataFrame
        Index path (str); size (int64, bytes), sha256 (str, hexadecimal), url (str, "" if the file was made here).

    Raises
    ------
    GalmorphError
        If it is missing or damaged, names a file outside the folder, or names one twice.
    """
    path = folder / NAME
    if not path.exists():
        raise GalmorphError(f"{path}: no such file; run dvc repro acquire, which makes it")
    table = find_columns(read_text_table(path), path, COLUMNS)
    outside = [PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts for name in table["path"]]
    refuse_rows(pd.Series(outside), table, "path", "is not a path below the manifest's folder", path)
    refuse_rows(table["path"].duplicated(), table, "path", "is in the table twice", path)
    return table.assign(size=whole_numbers(table, "size", path)).set_index("path")


def verify(folder: Path) -> tuple[int, dict[str, str]]:
    """Compare the files of a folder with its manifest.

    Returns
    -------
    files, wrong
        The number of files in the manifest; and by path what is wrong: missing, another size, another content, or not
        in the manifest.

    Raises
    ------
    GalmorphError
        If the manifest is missing or damaged.
    """
    manifest = read_manifest(folder)
    return len(manifest), _differences(folder, manifest)


def repair(folder: Path, mirror: Mirror) -> tuple[list[str], dict[str, str]]:
    """Download again the files that differ from the manifest.

    Returns
    -------
    repaired, wrong
        Paths of the files that are right now; and by path, why the others are not.

    Raises
    ------
    GalmorphError
        If the manifest is missing or damaged, or a server does not answer.
    """
    manifest = read_manifest(folder)
    differences = _differences(folder, manifest)
    urls = manifest["url"].reindex(list(differences), fill_value="")
    wrong = {path: f"{differences[path]}; it was not downloaded" for path in urls.index[urls == ""]}
    downloads = [_download(str(path), manifest.loc[path]) for path in urls.index[urls != ""]]
    failures = mirror.fetch(downloads, "repair", "try later")
    repaired = [download.path for download in downloads if download.path not in failures]
    for path in repaired:
        mirror.link(path, folder / path)
    return repaired, dict(sorted((wrong | failures).items()))


def _download(path: str, entry: Any) -> Download:
    def check(file: Path) -> None:
        if file_sha256(file) != entry["sha256"]:
            raise GalmorphError(f"{file}: other bytes than the manifest's: the server's file, or the manifest, changed")

    return Download(entry["url"], path, check, int(entry["size"]))


def _differences(folder: Path, manifest: pd.DataFrame) -> dict[str, str]:
    present = _files(folder)
    wrong = dict.fromkeys(manifest.index.difference(present), "missing")
    wrong |= dict.fromkeys(pd.Index(present).difference(manifest.index), "not in the manifest")
    listed = [name for name in present if name not in wrong]
    for name, sha256 in zip(listed, _hashes(folder, listed), strict=True):
        size, expected = (folder / name).stat().st_size, manifest.loc[name]
        if size != expected["size"]:
            wrong[name] = f"{size} bytes instead of {expected['size']}"
        elif sha256 != expected["sha256"]:
            wrong[name] = "other bytes than the manifest's"
    return dict(sorted(wrong.items()))


def _files(folder: Path) -> list[str]:
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in found if name != NAME)


def _hashes(folder: Path, names: list[str]) -> list[str]:
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        return list(threads.map(lambda name: file_sha256(folder / name), names))
