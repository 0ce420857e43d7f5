"""Download files: a few at a time, each one verified, retried where that may help, and saved only when complete."""

from __future__ import annotations

import logging
import os
import re
import shutil
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3 import exceptions
from urllib3.response import BaseHTTPResponse

from galmorph import __version__
from galmorph.errors import GalmorphError
from galmorph.files.atomic import atomic_file
from galmorph.parallel.cluster import whole_number
from galmorph.parallel.progress import Progress

log = logging.getLogger(__name__)

ATTEMPTS = 5
RETRIED = (408, 429, 500, 502, 503, 504)  # temporary: a timeout, too many requests, a fault of the server
LONGEST_PAUSE = 600  # seconds that a server may ask for
DAY = 86_400
HEADERS = {"User-Agent": f"galmorph/{__version__}"}

# A check silences warnings, which Python does for all threads: two checks at once would disturb each other.
_check_lock = threading.Lock()


class StoppedError(Exception):
    """The user, or another download that failed, stopped this one."""


class RefusedError(Exception):
    """The reason not to ask for a file again."""


class _DamagedError(Exception):
    """What is wrong with the content of a file."""


@dataclass(frozen=True)
class Download:
    """A file to download.

    Attributes
    ----------
    url
        Its address.
    path
        Its destination, relative to the mirror.
    check
        Called with the path of the downloaded file, which has the same file name as `path`; raises GalmorphError if
        the content is wrong.
    typical_size
        Bytes, for the progress display until the size is known.
    """

    url: str
    path: str
    check: Callable[[Path], object]
    typical_size: int


def timeout() -> int:
    """Return the seconds to wait for a silent server: GALMORPH_TIMEOUT, or 60."""
    return whole_number("GALMORPH_TIMEOUT", 60, DAY)


def connections() -> int:
    """Return the number of simultaneous downloads: GALMORPH_CONNECTIONS, or 4, which is polite."""
    return whole_number("GALMORPH_CONNECTIONS", 4, 1000)


def proxy_of(url: str) -> str | None:
    """Return the proxy for an address: http_proxy or https_proxy, unless no_proxy excepts the server."""
    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme)
    if not proxy or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def make_pool(proxy: str | None, **options: Any) -> urllib3.PoolManager:
    """Return a pool of connections, direct or through a proxy, whose address may hold a user and password.

    Raises
    ------
    GalmorphError
        If the address of the proxy is none.
    """
    if proxy is None:
        return urllib3.PoolManager(headers=HEADERS, **options)
    try:
        parts = urlsplit(proxy)
        user = unquote(parts.netloc.rpartition("@")[0])
        login = urllib3.make_headers(proxy_basic_auth=user) if user else None
        return urllib3.ProxyManager(proxy, headers=HEADERS, proxy_headers=login, **options)
    except (exceptions.HTTPError, ValueError):
        raise GalmorphError(
            f"http_proxy, https_proxy: {_without_login(proxy)} is not the address of a proxy that can be used; give "
            "http://HOST:PORT, or unset the variable"
        ) from None


def _without_login(address: str) -> str:
    scheme, _, rest = address.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


def make_retry(stop: threading.Event) -> urllib3.Retry:
    """Return the retries of one download; setting `stop` ends a pause between two of them."""

    class StoppableRetry(urllib3.Retry):
        def sleep(self, response: BaseHTTPResponse | None = None) -> None:
            asked = self.get_retry_after(response) if response is not None else None
            if asked and asked > LONGEST_PAUSE:
                raise RefusedError(f"the server asks for a pause of {asked:.0f} s; try later")
            if asked:
                log.info("the server asks for a pause of %.0f s", asked)
            if stop.wait(asked or self.get_backoff_time()):
                raise StoppedError

    return StoppableRetry(ATTEMPTS - 1, backoff_factor=0.5, backoff_jitter=0.5, status_forcelist=RETRIED)


def require_answer(url: str, remedy: str) -> None:
    """Check that a server answers at all.

    Raises
    ------
    GalmorphError
        If it does not; with the remedy.
    """
    try:
        with make_pool(proxy_of(url)) as pool:
            pool.request("HEAD", url, retries=False, timeout=timeout())
    except (exceptions.HTTPError, ValueError) as error:
        raise _no_answer(url, error, remedy) from None


class Mirror:
    """A local copy of part of a server's files.

    Parameters
    ----------
    folder
        Where it lies; the files are in the subfolder ``whole``.
    """

    def __init__(self, folder: Path) -> None:
        self.whole = folder / "whole"

    def path(self, download: Download) -> Path:
        """Return the path of a downloaded file."""
        return self.whole / download.path

    def link(self, path: str, destination: Path) -> None:
        """Link a downloaded file to another place, or copy it where the file system has no hard links."""
        destination.parent.mkdir(parents=True, exist_ok=True)
        destination.unlink(missing_ok=True)
        try:
            os.link(self.whole / path, destination)
        except OSError:
            shutil.copyfile(self.whole / path, destination)

    def fetch(self, downloads: Sequence[Download], label: str, remedy: str) -> dict[str, str]:
        """Download the files that are missing, and verify those that are not.

        Parameters
        ----------
        downloads
            The files wanted, with distinct paths.
        label
            Name of the progress display.
        remedy
            Advice for the case that a server does not answer at all.

        Returns
        -------
        dict
            By path, the reason why a file could not be downloaded.

        Raises
        ------
        GalmorphError
            If a server does not answer at all, or the file cannot be written. Finished files are kept, and the same
            call continues from there.
        """
        failures: dict[str, str] = {}
        logging.getLogger("urllib3").setLevel(logging.ERROR)  # it warns of every retry
        stop = threading.Event()
        expected = sum(download.typical_size for download in downloads)
        proxies = {download.url: proxy_of(download.url) for download in downloads}
        with (
            ExitStack() as stack,
            Progress(len(downloads), expected, label, "B", "files") as display,
            ThreadPoolExecutor(connections()) as threads,
        ):
            options = {"maxsize": connections(), "block": True, "timeout": timeout()}
            pools = {proxy: stack.enter_context(make_pool(proxy, **options)) for proxy in set(proxies.values())}

            def work(download: Download) -> str | None:
                pool = pools[proxies[download.url]]
                try:
                    return _fetch(download, self.path(download), pool, make_retry(stop), display, remedy)
                finally:
                    display.finish(download.path, download.typical_size)

            futures = {threads.submit(work, download): download for download in downloads}
            try:
                for future in as_completed(futures):
                    if reason := future.result():
                        failures[futures[future].path] = reason
            except BaseException:
                stop.set()
                threads.shutdown(wait=False, cancel_futures=True)
                raise
        return dict(sorted(failures.items()))


def _fetch(
    download: Download, final: Path, pool: urllib3.PoolManager, retries: urllib3.Retry, display: Progress, remedy: str
) -> str | None:
    """Make sure that a file is there; return the reason why it cannot be downloaded, or None."""
    if final.exists():
        try:
            _verify(download, final)
            return None
        except _DamagedError:
            log.warning("%s: damaged on the disk; downloading it again", final)
            final.unlink()
    final.parent.mkdir(parents=True, exist_ok=True)
    try:
        while True:
            # The body is read within the request, so that urllib3 retries when it is cut short, too.
            response = pool.request("GET", download.url, retries=retries, decode_content=False)
            if response.status != HTTPStatus.OK:
                return f"the server says {response.status} {response.reason or ''}".rstrip()
            display.step(download.path, len(response.data))
            try:
                with atomic_file(final) as partial:
                    partial.write_bytes(response.data)
                    _verify(download, partial)
                return None
            except _DamagedError as fault:
                error = exceptions.ResponseError(str(fault))
            retries = (response.retries or retries).increment("GET", download.url, error=error)
            retries.sleep()
    except RefusedError as error:
        return str(error)
    except exceptions.HTTPError as error:
        problem = error.reason if isinstance(error, exceptions.MaxRetryError) else error
        if isinstance(problem, exceptions.NewConnectionError | exceptions.ConnectTimeoutError | exceptions.ProxyError):
            raise _no_answer(download.url, problem, remedy) from None
        return _reason(problem)


def _verify(download: Download, path: Path) -> None:
    try:
        with _check_lock:
            download.check(path)
    except GalmorphError as error:
        raise _DamagedError(str(error).removeprefix(f"{path}: ")) from None


def _reason(error: Exception | None) -> str:
    """Return why a file was given up after all attempts."""
    if isinstance(error, exceptions.TimeoutError):
        return f"the server fell silent for {timeout()} s, {ATTEMPTS} times"
    if isinstance(error, exceptions.SSLError):
        return f"no secure connection: the server's certificate is not trusted, {ATTEMPTS} times"
    if isinstance(error, exceptions.ResponseError):
        words = str(error).replace("too many ", "the server gave ").replace(" error responses", "")
        return f"{words}, {ATTEMPTS} times"
    return f"the connection broke ({type(error).__name__}), {ATTEMPTS} times"


def _no_answer(url: str, error: Exception, remedy: str) -> GalmorphError:
    host = urlsplit(url).netloc
    if isinstance(error, exceptions.ProxyError) and (proxy := proxy_of(url)):
        cause = error.original_error
        status = re.search(r"\b[45]\d\d\b", str(cause))  # of an OSError of http.client
        words = f"it answers {status[0]}" if status else type(cause).__name__
        return GalmorphError(
            f"{host} cannot be reached through the proxy {_without_login(proxy)} ({words}): correct "
            f"{urlsplit(url).scheme}_proxy, or except the server with no_proxy; finished files are kept"
        )
    return GalmorphError(f"{host} does not answer ({type(error).__name__}): {remedy}; finished files are kept")
