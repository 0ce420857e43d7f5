"""An HTTP server of a folder's files, as an archive is one, that breaks responses as a test wants it."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.support.damage import PAGE

# Path, and number of the request for it from 1 -> what is wrong with the response, or None.
Fault = Callable[[str, int], str | None]


def no_fault(path: str, number: int) -> str | None:
    return None


@dataclass
class Archive:
    """What a test sees of the server, and may change."""

    folder: Path
    fault: Fault = no_fault
    silence: float = 3.0  # seconds, of the fault "slow"
    url: str = ""
    requests: Counter[str] = field(default_factory=Counter)
    at_once: int = 0
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    closed: threading.Event = field(default_factory=threading.Event)

    def reset(self, folder: Path, fault: Fault = no_fault) -> None:
        """Serve another folder, as if newly started."""
        self.closed.set()
        while self.at_once:  # responses that nobody waits for any more
            time.sleep(0.001)
        self.closed.clear()
        self.folder, self.fault, self.most_at_once = folder, fault, 0
        self.requests.clear()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    archive: Archive

    def log_message(self, *arguments: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.answer(200, b"")

    def do_GET(self) -> None:
        archive = self.archive
        with archive.lock:
            archive.requests[self.path] += 1
            number = archive.requests[self.path]
            archive.at_once += 1
            archive.most_at_once = max(archive.most_at_once, archive.at_once)
        try:
            self.serve(archive.fault(self.path, number))
        except (BrokenPipeError, ConnectionResetError):
            pass  # the client went away, or was killed
        finally:
            with archive.lock:
                archive.at_once -= 1

    def serve(self, fault: str | None) -> None:
        path = self.archive.folder / self.path.lstrip("/")
        if fault is not None and fault.partition(" ")[0].isdecimal():
            status, _, header = fault.partition(" ")  # "503 Retry-After: 3600"
            self.answer(int(status), PAGE, *([header] if header else []))
        elif not path.is_file():
            self.answer(404, PAGE)
        elif fault == "html":
            self.answer(200, PAGE)
        else:
            content = path.read_bytes()
            middle = len(content) // 2
            if fault == "slow":
                self.archive.closed.wait(self.archive.silence)
            if fault == "flipped":
                content = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
            self.answer(200, content, cut=middle if fault == "truncated" else None)

    def answer(self, status: int, body: bytes, *headers: str, cut: int | None = None) -> None:
        self.send_response(status)
        for header in (f"Content-Length: {len(body)}", *headers):
            self.send_header(*header.split(": "))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[:cut])
        if cut is not None:
            self.close_connection = True


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that went away, or were killed."""


@contextmanager
def serving(folder: Path, fault: Fault = no_fault) -> Iterator[Archive]:
    """Serve a folder on this machine while the block runs."""
    archive = Archive(folder, fault)
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"archive": archive}))
    archive.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield archive
    finally:
        archive.closed.set()
        server.shutdown()
        thread.join()
        server.server_close()
