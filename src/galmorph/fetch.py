"""One file over HTTP: whole and verified or not there at all, and resumable at any byte."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import (
    HTTPError,
    MaxRetryError,
    NewConnectionError,
    ResponseError,
    SSLError,
    TimeoutError,
)

from galmorph.connections import ATTEMPTS, RefusedError, StoppedError, patience, pool, timeout
from galmorph.errors import GalmorphError
from galmorph.progress import Bytes
from galmorph.regular import MOST

log = logging.getLogger(__name__)

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
    most: int = MOST


@dataclass(frozen=True)
class Fetcher:
    """What the threads share: where whole files go, and unfinished ones; the connections, the display, the way out."""

    whole: Path
    partial: Path
    pool: urllib3.PoolManager
    display: Bytes
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
            self.display.move(download.path, len(chunk))
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
