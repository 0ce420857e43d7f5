"""An HTTP server that holds a folder, as an archive does, and breaks the responses that it is told to break."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SLOW_SECONDS = 3.0
DRIP_SECONDS = 0.1

# What may be wrong with a response: the number of the request for this path, from 1 -> the fault, or None.
Fault = Callable[[str, int], str | None]


def sound(path: str, number: int) -> str | None:
    """Break nothing."""
    return None


@dataclass
class Archive:
    """What a test sees of the server."""

    url: str
    fault: Fault
    requests: Counter[str] = field(default_factory=Counter)
    ranges: list[str] = field(default_factory=list)
    bytes_sent: int = 0
    at_once: int = 0
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


def _handler(folder: Path, archive: Archive) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *arguments: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self.answer(200, b"")

        def do_GET(self) -> None:
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
            path = folder / self.path.lstrip("/")
            if fault == "404" or not path.is_file():
                return self.answer(404, b"<html>not here</html>")
            if fault in ("500", "503", "429", "403", "416"):
                return self.answer(int(fault), b"<html>trouble</html>")
            if fault == "html":
                return self.answer(200, b"<!DOCTYPE html><html>maintenance</html>")
            if fault == "slow":
                time.sleep(SLOW_SECONDS)
            content = path.read_bytes()
            if fault == "flipped":
                middle = len(content) // 2
                content = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
            asked = self.headers.get("Range")
            status, headers, body = 200, {}, content
            if asked and fault != "no ranges":
                archive.ranges.append(asked)
                start = int(asked.removeprefix("bytes=").rstrip("-"))
                if start >= len(content):
                    return self.answer(416, b"", {"Content-Range": f"bytes */{len(content)}"})
                status, body = 206, content[start:]
                headers = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
            if fault == "drip":
                # All of it, a byte at a time, until the client has had enough.
                self.answer(status, body, headers, cut=1)
                for byte in body[1:]:
                    time.sleep(DRIP_SECONDS)
                    self.wfile.write(bytes([byte]))
            else:
                self.answer(status, body, headers, cut=len(body) // 2 if fault == "truncated" else None)
            return None

        def answer(
            self, status: int, body: bytes, headers: dict[str, str] | None = None, cut: int | None = None
        ) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body[:cut])
                archive.bytes_sent += len(body[:cut])
            if cut is not None:
                self.close_connection = True

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that went away, or were killed."""


@contextmanager
def serving(folder: Path, fault: Fault = sound) -> Iterator[Archive]:
    """Serve a folder on this machine while the block runs."""
    archive = Archive("", fault)
    server = _Server(("127.0.0.1", 0), _handler(folder, archive))
    archive.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield archive
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
