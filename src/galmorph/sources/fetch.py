"""Connections to servers, none of which may hold up the work for ever, and what is said where one tries.

One file over HTTP: whole and verified or not there at all, and resumable at any byte.

A folder that holds a part of what servers have: many files, a few at a time, each whole or not there at all.
"""

from __future__ import annotations

import functools
import logging
import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urljoin, urlsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    HTTPError,
    MaxRetryError,
    NewConnectionError,
    ResponseError,
    SSLError,
    TimeoutError,
)
from urllib3.response import BaseHTTPResponse
from urllib3.util import parse_url

from galmorph import __version__
from galmorph.errors import GalmorphError
from galmorph.files.reading import MAX_BYTES
from galmorph.parallel.cluster import whole_number
from galmorph.parallel.progress import Progress

log = logging.getLogger(__name__)

# What can pass, and so is asked for again: a timeout, too many requests, a fault of the server.
PASSING = (408, 429, 500, 502, 503, 504)
ATTEMPTS = 5  # to have a file, each after a longer pause
LONGEST_PAUSE = 600  # seconds that a server may ask for
DAY = 86_400


class StoppedError(Exception):
    """The others have been told to stop."""


class RefusedError(Exception):
    """Why there is no sense in asking again."""


def timeout() -> int:
    """Return the seconds of silence after which a server counts as silent: GALMORPH_TIMEOUT, else 60."""
    return whole_number("GALMORPH_TIMEOUT", 60, DAY)


def connections() -> int:
    """Return how many files are fetched at a time: GALMORPH_CONNECTIONS, else 4, which is polite."""
    return whole_number("GALMORPH_CONNECTIONS", 4, 1000)


def _drop(response: BaseHTTPResponse) -> None:
    response.close()
    response.release_conn()


class _Punctual:
    """A connection whose answer must have begun after some seconds, however often the server says a word of it."""

    sock: socket.socket
    seconds: float

    def getresponse(self) -> Any:
        """Wait for the beginning of the answer."""
        late = threading.Event()

        def over() -> None:
            late.set()
            with suppress(OSError):
                self.sock.shutdown(socket.SHUT_RDWR)

        clock = threading.Timer(self.seconds, over)
        clock.daemon = True
        clock.start()
        try:
            response = super().getresponse()  # type: ignore[misc]
        except Exception:
            if late.is_set():
                raise TimeoutError from None
            raise
        finally:
            clock.cancel()
        if late.is_set():
            # What had come by then looks like a whole answer.
            response.close()
            raise TimeoutError
        try:
            parse_url(urljoin("http://server/", response.headers.get("Location", "")))
        except ValueError as error:
            response.close()
            raise RefusedError(f"the server sends nonsense (a redirect to no address: {error})") from None
        # Before it asks again, or elsewhere, urllib3 would read to its end what need not have one.
        response.drain_conn = functools.partial(_drop, response)
        return response


def pool(count: int, seconds: float) -> urllib3.PoolManager:
    """Return a pool of connections.

    Parameters
    ----------
    count
        At the most at a time.
    seconds
        Of silence after which a server counts as silent; in twice as many an answer must have begun.
    """
    manager = urllib3.PoolManager(maxsize=count, block=True, headers={"User-Agent": f"galmorph/{__version__}"})
    kinds: dict[str, tuple[type[urllib3.HTTPConnectionPool], type[HTTPConnection]]] = {
        "http": (urllib3.HTTPConnectionPool, HTTPConnection),
        "https": (urllib3.HTTPSConnectionPool, HTTPSConnection),
    }
    punctual = {}
    for scheme, (kind, connection) in kinds.items():
        one = type(connection.__name__, (_Punctual, connection), {"seconds": 2 * seconds})
        punctual[scheme] = type(kind.__name__, (kind,), {"ConnectionCls": one})
    manager.pool_classes_by_scheme = punctual
    return manager


def patience(stop: threading.Event) -> urllib3.Retry:
    """Return how often, and after which pauses, a server is asked again; no pause outlasts `stop`."""

    class Patience(urllib3.Retry):
        def sleep(self, response: BaseHTTPResponse | None = None) -> None:
            asked = self.get_retry_after(response) if response is not None else None
            if asked is not None and asked > LONGEST_PAUSE:
                raise RefusedError(f"the server asks for a pause of {asked:.0f} s; try later")
            if asked:
                log.info("the server asks for a pause of %.0f s", asked)
            if stop.wait(asked or self.get_backoff_time()):
                raise StoppedError

    return Patience(
        total=ATTEMPTS - 1,
        backoff_factor=0.5,
        backoff_jitter=0.5,
        status_forcelist=PASSING,
        respect_retry_after_header=True,
        retry_after_max=DAY,
    )


SLOWEST = 1000  # bytes a second; at that, a frame takes hours
_CHUNK = 2**18
# Checks silence warnings as Python does, for all threads: of two at once, one would lose its filters.
_checking = threading.Lock()


@dataclass(frozen=True)
class Download:
    """A file to have.

    Attributes
    ----------
    url
        Where it is.
    path
        Where it goes, relative to the folder of all.
    check
        Called with a path, whose file name is that of `path`; raises GalmorphError where the content is not right.
    typical_size
        Bytes, for the display before the file is there.
    most
        Bytes, above which it is not what was asked for.
    """

    url: str
    path: str
    check: Callable[[Path], object]
    typical_size: int
    most: int = MAX_BYTES


@dataclass(frozen=True)
class Fetcher:
    """What the threads share: where whole files go, and unfinished ones; the connections, the display, the way out."""

    whole: Path
    partial: Path
    pool: urllib3.PoolManager
    display: Progress
    stop: threading.Event
    timeout: int
    remedy: str

    def have(self, download: Download) -> str | None:
        """See to it that a file is there; return why it cannot be had, or None."""
        final, partial = self.whole / download.path, self.partial / download.path
        try:
            if final.exists():
                if _fault(download, final) is None:
                    return None
                log.warning("%s: no longer what it was; fetched again", final)
                final.unlink()
            for path in (final, partial):
                path.parent.mkdir(parents=True, exist_ok=True)
            reason = self._fetch(download, partial)
            if reason is None:
                partial.replace(final)
            else:
                partial.unlink(missing_ok=True)
            return reason
        except OSError as error:
            raise GalmorphError(
                f"{final}: cannot be written ({error.strerror or error}); make room on the disk, or the folder "
                "writable, and repeat the command: what had finished is kept"
            ) from None
        finally:
            self.display.finish(download.path, download.typical_size)

    def _fetch(self, download: Download, partial: Path) -> str | None:
        """Bring a file to `partial`, whole and verified; return why that cannot be, or None."""
        retries = patience(self.stop)
        while True:
            try:
                retries, reason = self._once(download, partial, retries)
                if reason is not None:
                    return reason
                if (fault := _fault(download, partial)) is None:
                    return None
                # Perhaps damaged on the way, or the sum of two versions of the file.
                partial.unlink()
                problem: Exception = ResponseError(fault)
            except RefusedError as error:
                return str(error)
            except OverflowError as error:  # a date, after which to come again, that no clock has
                return f"the server sends nonsense ({error})"
            except MaxRetryError as error:
                return self._given_up(download, error.reason)
            except HTTPError as error:  # while the content came: what has come is kept
                problem = error
            try:
                retries = retries.increment("GET", download.url, error=problem)
            except (MaxRetryError, HTTPError):
                return self._given_up(download, problem)
            retries.sleep()

    def _once(self, download: Download, partial: Path, retries: urllib3.Retry) -> tuple[urllib3.Retry, str | None]:
        """Ask once for what is missing of a file, and append it; return what is left of the retries, and a refusal."""
        have = partial.stat().st_size if partial.exists() else 0
        response = self.pool.request(
            "GET",
            download.url,
            headers={"Range": f"bytes={have}-"} if have else None,
            preload_content=False,
            decode_content=False,
            retries=retries,
            timeout=self.timeout,
        )
        retries = response.retries or retries
        try:
            if have and response.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                # All of it was there when the work was stopped; or another file is there now.
                return retries, None
            if response.status not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
                return retries, f"the server says {response.status} {response.reason or ''}".rstrip()
            resumed = have > 0 and response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
            with partial.open("ab" if resumed else "wb") as file:
                self._keep(response, file, download, download.most - (have if resumed else 0))
        finally:
            # Closed, because nobody reads the rest of a refusal; and given back, else the pool runs dry.
            response.close()
            response.release_conn()
        return retries, None

    def _keep(self, response: urllib3.BaseHTTPResponse, file: BinaryIO, download: Download, room: int) -> None:
        """Write what comes, as it comes, until all has come or somebody says stop.

        Raises
        ------
        ResponseError
            If next to nothing comes: never silent for long, a server could hold up the work for ever.
        RefusedError
            If more comes than there is `room` for.
        """
        since, came = time.monotonic(), 0
        while chunk := response.read1(_CHUNK):
            if self.stop.is_set():
                raise StoppedError
            room -= len(chunk)
            if room < 0:
                raise RefusedError(f"more than {download.most:,} bytes")
            file.write(chunk)
            self.display.add(download.path, len(chunk))
            came += len(chunk)
            if (seconds := time.monotonic() - since) > self.timeout:
                if came < SLOWEST * seconds and response.length_remaining != 0:
                    raise ResponseError(f"the server sent less than {SLOWEST:,} bytes a second")
                since, came = time.monotonic(), 0

    def _given_up(self, download: Download, error: Exception | None) -> str:
        """Return why a file could not be had in all attempts.

        Raises
        ------
        GalmorphError
            If the server could not even be reached.
        """
        if isinstance(error, NewConnectionError | urllib3.exceptions.ConnectTimeoutError):
            raise silent(download.url, error, self.remedy)
        if isinstance(error, TimeoutError):
            return f"the server fell silent for {self.timeout} s, {ATTEMPTS} times"
        return f"{_words(error)}, {ATTEMPTS} times"


def _fault(download: Download, path: Path) -> str | None:
    """Return what is wrong with a file, or None."""
    try:
        with _checking:
            download.check(path)
    except GalmorphError as error:
        # Where the project lies is no business of a table.
        return str(error).removeprefix(f"{path}: ")
    return None


def _words(error: Exception | None) -> str:
    if isinstance(error, ResponseError):
        return str(error).replace("too many ", "the server gave ").replace(" error responses", "")
    if isinstance(error, SSLError):
        return f"no secure connection ({error})"
    return f"the connection broke ({type(error).__name__})"


def silent(url: str, error: Exception, remedy: str) -> GalmorphError:
    """Return the error of a server that does not answer."""
    host = urlsplit(url).netloc
    return GalmorphError(f"{host} does not answer ({type(error).__name__}): {remedy}; what had come is kept")


def require_answer(url: str, remedy: str) -> None:
    """Stop where a server does not answer at all, within the set timeout.

    Raises
    ------
    GalmorphError
        With the remedy.
    """
    try:
        with pool(1, timeout()) as one:
            one.request("HEAD", url, retries=False, timeout=timeout())
    except (HTTPError, ValueError) as error:
        raise silent(url, error, remedy) from None


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
            Progress(
                len(downloads), sum(download.typical_size for download in downloads), label, "B", "files"
            ) as display,
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
