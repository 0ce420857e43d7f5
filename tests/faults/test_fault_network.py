"""The network: a redirect to a page of a login, a certificate that nobody vouches for, a rate limit.

What must be kept: no such answer becomes a file; what can pass is tried again; the reason is said.
Truncation, bit flips, silence, refusals and resumption at any byte: tests/test_download.py.
"""

from __future__ import annotations

import datetime
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from archiveserver import serving
from damage import PAGE
from galmorph.download import Mirror
from galmorph.errors import GalmorphError
from galmorph.fetch import Download

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


@pytest.mark.fault
def test_a_rate_limit_is_waited_out(tmp_path: Path) -> None:
    (tmp_path / "server").mkdir()
    (tmp_path / "server" / "frame.fit.gz").write_bytes(CONTENT)
    with serving(tmp_path / "server", lambda path, number: "429" if number <= 3 else None) as archive:
        download = Download(f"{archive.url}/frame.fit.gz", "frame.fit.gz", right, 7000)
        assert Mirror(tmp_path / "mirror").fetch([download], "files", "try later") == {}
        assert archive.requests["/frame.fit.gz"] == 4
    assert (tmp_path / "mirror/whole/frame.fit.gz").read_bytes() == CONTENT
