"""A set of stamps made block by block, by many processes, and resumable: a block that is there is not made again."""

from __future__ import annotations

import functools
import hashlib
import logging
import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from galmorph.errors import GalmorphError
from galmorph.files.reading import source_hash
from galmorph.parallel.workers import spread
from galmorph.settings.study import CutoutSettings
from galmorph.stamps.stamp import Reject, Stamp, write_block
from galmorph.stamps.stampset import write_stamp_set

log = logging.getLogger(__name__)

# What decides what a block holds.
STAMP_CODE = ("files", "sdss", "stamps", "sources")

Work = functools.partial[Iterator[Stamp | Reject]]


def make_blocks(
    requests: Iterable[pd.DataFrame],
    work: Work,
    catalogue: Iterable[pd.DataFrame],
    destination: Path,
    settings: CutoutSettings,
    partial: Path,
    label: str,
) -> tuple[int, int]:
    """Make a set of stamps.

    Parameters
    ----------
    requests
        What is to be cut out, a table for each block of work, one row per galaxy; the column row says which row of the
        catalogue each is.
    work
        A function, importable by name, with settings; called in a worker with the rows of a block; gives one result for
        each, in their order.
    catalogue, destination, settings
        As in `galmorph.stampset.write_stamp_set`.
    partial
        Where blocks gather, in a folder named by everything that decides them; what another set left there is
        removed.
    label
        What the progress display calls the whole.

    Returns
    -------
    accepted, rejected
    """
    _release_arrow_memory()
    partial.mkdir(parents=True, exist_ok=True)
    asked = partial / "requests.parquet"
    count = _write_requests(requests, asked)
    folder = partial / _fingerprint(asked, work)
    for other in partial.iterdir():
        if other.is_dir() and other != folder:
            shutil.rmtree(other)
    folder.mkdir(exist_ok=True)
    blocks = [folder / f"{number:06d}" for number in range(count)]
    jobs = [(work, asked, number, block) for number, block in enumerate(blocks) if not block.exists()]
    if len(jobs) < count:
        log.info("%s: %d of %d blocks were finished before", label, count - len(jobs), count)
    for _ in spread(_make_block, jobs, label=label, unit="block"):
        pass
    counts = write_stamp_set(destination, catalogue, blocks, settings)
    shutil.rmtree(partial)
    return counts


def _release_arrow_memory() -> None:
    # pyarrow's own allocator keeps what it had: 10 MB more in each process, and twice that in the long run.
    pa.set_memory_pool(pa.system_memory_pool())


def _make_block(work: Work, asked: Path, number: int, destination: Path) -> None:
    _release_arrow_memory()
    requests = pq.ParquetFile(asked).read_row_group(number).to_pandas()
    try:
        write_block(destination, work(requests))
    except OSError as error:
        raise GalmorphError(
            f"{destination}: cannot be written ({error.strerror or error}); make room on the disk, or the folder "
            "writable, and repeat the command: what had finished is kept"
        ) from None


def _write_requests(requests: Iterable[pd.DataFrame], path: Path) -> int:
    """Write the requests, a row group for each block, of which a worker reads its own; return how many there are."""
    count = 0
    with ExitStack() as stack:
        writer = None
        for block in requests:
            table = pa.Table.from_pandas(block, preserve_index=False)
            if writer is None:
                writer = stack.enter_context(pq.ParquetWriter(path, table.schema))
            writer.write_table(table, row_group_size=len(block))
            count += 1
    return count


def _fingerprint(asked: Path, work: Work) -> str:
    called = f"{work.func.__module__}.{work.func.__qualname__} {sorted(work.keywords.items())!r}"
    decisive = (asked.read_bytes(), called.encode(), source_hash(STAMP_CODE).encode())
    return hashlib.sha256(b"\0".join(decisive)).hexdigest()[:32]
