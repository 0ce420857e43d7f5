"""Make a set of stamps block by block, in parallel; an interrupted call resumes with the missing blocks."""

from __future__ import annotations

import functools
import hashlib
import logging
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import pandas as pd
import pyarrow.parquet as pq

from galmorph.files.reading import source_hash
from galmorph.parallel.workers import spread
from galmorph.settings.study import CutoutSettings
from galmorph.stamps.stampset import Reject, Stamp, write_block, write_row_groups, write_stamp_set

log = logging.getLogger(__name__)

# The code that decides the contents of a block.
STAMP_CODE = ("files", "sdss", "stamps", "sources")

Work = functools.partial[Iterator[Stamp | Reject]]


def file_version(path: Path) -> str:
    """Return what changes with a file: a block is invalid once one that it was made from has changed."""
    status = path.stat()
    return f"{status.st_size} {status.st_mtime_ns}"


def make_blocks(
    requests: Iterable[pd.DataFrame],
    work: Work,
    catalogue: Callable[[], Iterable[pd.DataFrame]],
    destination: Path,
    settings: CutoutSettings,
    partial: Path,
    label: str,
    known: Mapping[str, int] = MappingProxyType({}),
) -> tuple[int, int]:
    """Make a set of stamps.

    Parameters
    ----------
    requests
        Tables of galaxies to cut out, one for each block, with a column `row`: the row in the catalogue. What they say
        decides whether a finished block is used again, so they hold the `file_version` of each file that is read.
    work
        Partial of a function that is importable by name. A worker calls it with the table of a block; it yields one
        result per row, in their order.
    catalogue, destination, settings, known
        As in `galmorph.stamps.stampset.write_stamp_set`.
    partial
        Folder for finished blocks, in a subfolder named by a hash of everything that decides them. Blocks of other
        sets are removed.
    label
        Name in the progress display.

    Returns
    -------
    accepted, rejected
    """
    partial.mkdir(parents=True, exist_ok=True)
    requested = partial / "requests.parquet"
    count = write_row_groups(requested, requests)  # a worker reads only its own
    folder = partial / _fingerprint(requested, work)
    for other in partial.iterdir():
        if other.is_dir() and other != folder:
            shutil.rmtree(other)
    folder.mkdir(exist_ok=True)
    blocks = [folder / f"{number:06d}" for number in range(count)]
    jobs = [(work, requested, number, block) for number, block in enumerate(blocks) if not block.exists()]
    if len(jobs) < count:
        log.info("%s: %d of %d blocks were finished before", label, count - len(jobs), count)
    for _ in spread(_make_block, jobs, label=label, unit="block", code=STAMP_CODE):
        pass
    counts = write_stamp_set(destination, catalogue, blocks, settings, known)
    shutil.rmtree(partial)
    return counts


def _make_block(work: Work, requested: Path, number: int, destination: Path) -> None:
    write_block(destination, work(pq.ParquetFile(requested).read_row_group(number).to_pandas()))


def _fingerprint(requested: Path, work: Work) -> str:
    called = f"{work.func.__module__}.{work.func.__qualname__} {sorted(work.keywords.items())!r}"
    decisive = (requested.read_bytes(), called.encode(), source_hash(STAMP_CODE).encode())
    return hashlib.sha256(b"\0".join(decisive)).hexdigest()[:32]
