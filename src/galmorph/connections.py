"""Connections to servers, none of which may hold up the work for ever, and what is said where one tries."""

from __future__ import annotations

import functools
import logging
import socket
import threading
from contextlib import suppress
from typing import Any
from urllib.parse import urljoin

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.response import BaseHTTPResponse
from urllib3.util import parse_url

from galmorph import __version__
from galmorph.environment import whole_number

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
