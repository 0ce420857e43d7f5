"""The network: a redirect to a page of a login, a certificate that nobody vouches for, a rate limit.

What must be kept: no such answer becomes a file; what can pass is tried again; the reason is said.
Truncation, bit flips, silence, refusals and resumption at any byte: tests/sources/test_fetch.py.
"""

from __future__ import annotations

import contextlib
import datetime
import socket
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from urllib3 import HTTPResponse

from galmorph.errors import GalmorphError
from galmorph.sources.fetch import ATTEMPTS, Download, Mirror, StoppedError, patience
from tests.support.archive_server import serving
from tests.support.damage import PAGE

CONTENT = b"a frame" * 1000


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GALMORPH_TIMEOUT", "2")
    monkeypatch.setattr("urllib3.util.retry.Retry.get_backoff_time", lambda self: 0.0)


def right(path: Path) -> None:
    if path.read_bytes() != CONTENT:
        raise GalmorphError(f"{path}: a web page, not a frame; fetch the file again")


class Login(BaseHTTPRequestHandler):
    """Sends everybody to a login."""

    def log_message(self, *arguments: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        if self.path == "/login":
            self.send_response(200)
            body = PAGE
        else:
            self.send_response(302)
            self.send_header("Location", "/login")
            body = b""
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def fetched(server: ThreadingHTTPServer, scheme: str, folder: Path) -> dict[str, str]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        url = f"{scheme}://127.0.0.1:{server.server_address[1]}/frame.fit.gz"
        return Mirror(folder).fetch([Download(url, "frame.fit.gz", right, 7000)], "files", "try later")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.fault
def test_a_redirect_to_a_login_is_no_frame(tmp_path: Path) -> None:
    failures = fetched(ThreadingHTTPServer(("127.0.0.1", 0), Login), "http", tmp_path)
    assert failures["frame.fit.gz"] == "the server gave redirects, 5 times"
    assert not list(tmp_path.rglob("frame.fit.gz"))


def self_signed(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "server.pem").write_bytes(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context


@pytest.mark.fault
def test_a_certificate_that_nobody_vouches_for(tmp_path: Path) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Login)
    server.socket = self_signed(tmp_path).wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda request, client_address: None  # type: ignore[method-assign]
    try:
        failures = fetched(server, "https", tmp_path / "mirror")
    except GalmorphError as error:
        failures = {"frame.fit.gz": str(error)}
    assert "certificate" in failures["frame.fit.gz"].lower()
    assert not list(tmp_path.rglob("frame.fit.gz"))


class Answers:
    """A server that says the same to everybody, in its own time, on a bare socket."""

    def __init__(self, *words: bytes, again: bytes = b"", pause: float = 0.0) -> None:
        self.words, self.again, self.pause = words, again, pause
        self.asked = 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}/frame.fit.gz"

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.asked += 1
            threading.Thread(target=self.talk, args=(connection,), daemon=True).start()

    def talk(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.recv(65536)
            for word in self.words:
                connection.sendall(word)
                time.sleep(self.pause)
            while self.again:
                connection.sendall(self.again)
                time.sleep(self.pause)

    def __enter__(self) -> Answers:
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()
        return self

    def __exit__(self, *arguments: object) -> None:
        # A thread that waits for a caller is not woken by closing what it waits at.
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join()


def asked_for(answers: Answers, folder: Path, most: int = 10**6) -> str:
    download = Download(answers.url, "frame.fit.gz", right, 7000, most)
    failure = Mirror(folder).fetch([download], "files", "try later")["frame.fit.gz"]
    assert not [path for path in folder.rglob("*") if path.is_file()]
    return failure


LATER = b"HTTP/1.1 503 Busy\r\nRetry-After: %d\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@pytest.mark.fault
def test_a_server_that_asks_for_an_hour(tmp_path: Path) -> None:
    with Answers(LATER % 3600) as answers:
        assert asked_for(answers, tmp_path) == "the server asks for a pause of 3600 s; try later"
        assert answers.asked == 1


@pytest.mark.fault
def test_a_pause_ends_with_the_work(tmp_path: Path) -> None:
    stop = threading.Event()
    retries = patience(stop)
    threading.Timer(0.5, stop.set).start()
    started = time.monotonic()
    with pytest.raises(StoppedError):
        retries.sleep(HTTPResponse(headers={"Retry-After": "300"}, status=503))
    assert time.monotonic() - started < 60


@pytest.mark.fault
@pytest.mark.parametrize(
    "again", [b"HTTP/1.1 100 Continue\r\n\r\n", b"X-Word: word\r\n"], ids=["be patient, for ever", "headers, for ever"]
)
def test_an_answer_that_never_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, again: bytes) -> None:
    monkeypatch.setenv("GALMORPH_TIMEOUT", "1")
    first = b"" if again.startswith(b"HTTP") else b"HTTP/1.1 200 OK\r\n"
    started = time.monotonic()
    with Answers(first, again=again, pause=0.2) as answers:
        assert asked_for(answers, tmp_path) == f"the server fell silent for 1 s, {ATTEMPTS} times"
        assert answers.asked == ATTEMPTS
    assert time.monotonic() - started < 60


@pytest.mark.fault
@pytest.mark.parametrize("again", [b"x", bytes(65536)], ids=["drop by drop", "a flood"])
@pytest.mark.parametrize("status", ["503 Busy", "302 Found\r\nLocation: /elsewhere"], ids=["busy", "elsewhere"])
def test_a_refusal_without_an_end_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: str, again: bytes
) -> None:
    monkeypatch.setenv("GALMORPH_TIMEOUT", "1")
    started = time.monotonic()
    with Answers(f"HTTP/1.1 {status}\r\n\r\n".encode(), again=again, pause=0.01) as answers:
        assert asked_for(answers, tmp_path).startswith("the server gave ")
        assert answers.asked == ATTEMPTS
    assert time.monotonic() - started < 30


@pytest.mark.fault
def test_an_answer_without_an_end(tmp_path: Path) -> None:
    with Answers(b"HTTP/1.1 200 OK\r\n\r\n", again=bytes(65536)) as answers:
        assert asked_for(answers, tmp_path) == "more than 1,000,000 bytes"
        assert answers.asked == 1


@pytest.mark.fault
@pytest.mark.parametrize("place", ["http://[::1", "http://server:port/", "http://[zone%]/"])
def test_a_redirect_to_no_address(tmp_path: Path, place: str) -> None:
    head = f"HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    with Answers(head.encode()) as answers:
        assert "nonsense" in asked_for(answers, tmp_path)


@pytest.mark.fault
@pytest.mark.parametrize("variable", ["GALMORPH_TIMEOUT", "GALMORPH_CONNECTIONS"])
def test_absurd_numbers_in_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    for text in ("9" * 5000, "0", "-1", "1e3", "٣" * 12):
        monkeypatch.setenv(variable, text)
        with pytest.raises(GalmorphError, match=f"{variable}: a whole number from 1 to "):
            Mirror(tmp_path).fetch([Download("http://127.0.0.1:9/", "a", right, 1)], "files", "try later")


@pytest.mark.fault
def test_a_rate_limit_is_waited_out(tmp_path: Path) -> None:
    (tmp_path / "server").mkdir()
    (tmp_path / "server" / "frame.fit.gz").write_bytes(CONTENT)
    with serving(tmp_path / "server", lambda path, number: "429" if number <= 3 else None) as archive:
        download = Download(f"{archive.url}/frame.fit.gz", "frame.fit.gz", right, 7000)
        assert Mirror(tmp_path / "mirror").fetch([download], "files", "try later") == {}
        assert archive.requests["/frame.fit.gz"] == 4
    assert (tmp_path / "mirror/whole/frame.fit.gz").read_bytes() == CONTENT
