"""A folder that holds a part of what servers have: many files, a few at a time, each whole or not there at all."""

from __future__ import annotations

import logging
import os
import shutil
import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

from galmorph.connections import connections, pool, timeout
from galmorph.fetch import Download, Fetcher
from galmorph.progress import Bytes

log = logging.getLogger(__name__)


class Mirror:
    """A folder that holds a part of what servers have: files in `whole`, what is yet unfinished in `partial`."""

    def __init__(self, folder: Path) -> None:
        self.whole = folder / "whole"
        self.partial = folder / "partial"

    def path(self, download: Download) -> Path:
        """Return where a file lies when it is there."""
        return self.whole / download.path

    def link(self, path: str, destination: Path) -> None:
        """Put a file that is there at another place as well, without a second copy where the file system allows."""
        destination.parent.mkdir(parents=True, exist_ok=True)
        destination.unlink(missing_ok=True)
        try:
            os.link(self.whole / path, destination)
        except OSError:
            shutil.copyfile(self.whole / path, destination)

    def fetch(self, downloads: Sequence[Download], label: str, remedy: str) -> dict[str, str]:
        """Fetch the files that are not there yet; those that are there are verified again.

        Parameters
        ----------
        downloads
            What to have, no path twice.
        label
            What the progress display calls the whole.
        remedy
            What to do where a server does not answer at all.

        Returns
        -------
        dict
            By path, why a file cannot be had.

        Raises
        ------
        GalmorphError
            If a server does not answer at all, or the disk is full or may not be written. What has come is kept, and
            the same call goes on from there.
        """
        failures: dict[str, str] = {}
        if not downloads:
            return failures
        # It would speak of every retry.
        logging.getLogger("urllib3").setLevel(logging.ERROR)
        stop = threading.Event()
        count = connections()
        with (
            pool(count, timeout()) as shared,
            Bytes(sum(download.typical_size for download in downloads), len(downloads), label) as display,
            ThreadPoolExecutor(count) as threads,
        ):
            work = Fetcher(self.whole, self.partial, shared, display, stop, timeout(), remedy)
            waiting = iter(downloads)
            under_way: dict[Future[str | None], Download] = {}
            try:
                # A short queue, so that an error stops the rest at once.
                for download in waiting:
                    under_way[threads.submit(work.have, download)] = download
                    if len(under_way) >= 2 * count:
                        _collect(under_way, failures)
                while under_way:
                    _collect(under_way, failures)
            except BaseException:
                stop.set()
                for future in under_way:
                    future.cancel()
                raise
        return dict(sorted(failures.items()))


def _collect(under_way: dict[Future[str | None], Download], failures: dict[str, str]) -> None:
    for future in wait(under_way, return_when=FIRST_COMPLETED).done:
        download = under_way.pop(future)
        if (reason := future.result()) is not None:
            log.debug("%s: %s", download.url, reason)
            failures[download.path] = reason
