import datetime
import errno
import os
import socket
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from urllib3 import HTTPResponse

from galmorph.errors import GalmorphError
from galmorph.sources.fetch import ATTEMPTS, Download, Mirror, StoppedError, make_retry, require_answer

CONTENT = bytes(range(256)) * 400
REMEDY = "use the other one"
WHOLE = {"whole/a/one.bin": CONTENT, "whole/two.bin": CONTENT[::-1]}


@pytest.fixture
def store(archive):
    """A server of two files."""
    (archive.folder / "a").mkdir()
    (archive.folder / "a" / "one.bin").write_bytes(CONTENT)
    (archive.folder / "two.bin").write_bytes(CONTENT[::-1])
    return archive


@pytest.fixture
def mirror(tmp_path):
    return Mirror(tmp_path / "mirror")


def verify(path):
    if path.read_bytes() != {"one.bin": CONTENT, "two.bin": CONTENT[::-1]}[path.name]:
        raise GalmorphError(f"{path}: damaged or cut short; fetch the file again")


def downloads(url, *paths):
    return [Download(f"{url}/{path}", path, verify, 90_000) for path in paths or ("a/one.bin", "two.bin")]


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def be_impatient(monkeypatch, with_silence=True):
    monkeypatch.setattr("galmorph.sources.fetch.timeout", lambda: 0.2 if with_silence else 10)


def closed_port():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{closed.getsockname()[1]}"


def test_files_are_downloaded_once(store, mirror, tmp_path):
    for _ in range(2):
        assert mirror.fetch(downloads(store.url), "files", REMEDY) == {}
        assert files(tmp_path / "mirror") == WHOLE
        assert set(store.requests.values()) == {1}


@pytest.mark.parametrize("fault", ["truncated", "flipped", "html", "500", "503", "429", "429 Retry-After: 0", "slow"])
def test_temporary_faults_are_retried(store, mirror, tmp_path, monkeypatch, fault):
    be_impatient(monkeypatch, fault == "slow")
    store.fault = lambda path, number: fault if number <= 2 else None
    assert mirror.fetch(downloads(store.url), "files", REMEDY) == {}
    assert files(tmp_path / "mirror") == WHOLE
    assert set(store.requests.values()) == {3}


@pytest.mark.parametrize(
    ("fault", "reason", "requests"),
    [
        ("404", "the server says 404 Not Found", 1),
        ("403", "the server says 403 Forbidden", 1),
        ("500", f"the server gave 500, {ATTEMPTS} times", ATTEMPTS),
        ("truncated", f"the connection broke (ProtocolError), {ATTEMPTS} times", ATTEMPTS),
        ("flipped", f"damaged or cut short; fetch the file again, {ATTEMPTS} times", ATTEMPTS),
        ("html", f"damaged or cut short; fetch the file again, {ATTEMPTS} times", ATTEMPTS),
        ("slow", f"the server fell silent for 0.2 s, {ATTEMPTS} times", ATTEMPTS),
        ("302 Location: /login", f"the server gave redirects, {ATTEMPTS} times", 1),
        ("503 Retry-After: 3600", "the server asks for a pause of 3600 s; try later", 1),
    ],
)
def test_a_file_that_cannot_be_downloaded_is_listed_with_the_reason(
    store, mirror, tmp_path, monkeypatch, fault, reason, requests
):
    be_impatient(monkeypatch, fault == "slow")
    store.fault = lambda path, number: None if path == "/a/one.bin" else fault
    assert mirror.fetch(downloads(store.url), "files", REMEDY) == {"two.bin": reason}
    assert files(tmp_path / "mirror") == {"whole/a/one.bin": CONTENT}
    assert store.requests["/two.bin"] == requests


def test_one_file_is_checked_at_a_time(archive, mirror):
    checking = threading.Lock()

    def check(path):
        if not checking.acquire(blocking=False):
            raise GalmorphError(f"{path}: not alone")
        time.sleep(0.005)
        checking.release()

    for number in range(8):
        (archive.folder / str(number)).touch()
    asked = [Download(f"{archive.url}/{number}", str(number), check, 7) for number in range(8)]
    assert mirror.fetch(asked, "files", REMEDY) == {}
    assert max(archive.requests.values()) == 1


def test_a_file_damaged_on_the_disk_is_downloaded_again(store, mirror, tmp_path):
    mirror.fetch(downloads(store.url), "files", REMEDY)
    (mirror.whole / "two.bin").write_bytes(b"damaged")
    assert mirror.fetch(downloads(store.url), "files", REMEDY) == {}
    assert files(tmp_path / "mirror") == WHOLE
    assert store.requests == {"/a/one.bin": 1, "/two.bin": 2}


def test_a_stopped_download_continues_at_the_next_file(store, mirror, tmp_path, monkeypatch):
    monkeypatch.setenv("GALMORPH_CONNECTIONS", "1")

    def stop(path):
        assert files(tmp_path / "mirror").keys() >= {"whole/a/one.bin"}
        assert not (mirror.whole / "two.bin").exists()
        raise KeyboardInterrupt

    one, two = downloads(store.url)
    with pytest.raises(KeyboardInterrupt):
        mirror.fetch([one, Download(two.url, two.path, stop, 1)], "files", REMEDY)
    assert files(tmp_path / "mirror") == {"whole/a/one.bin": CONTENT}
    assert mirror.fetch([one, two], "files", REMEDY) == {}
    assert store.requests == {"/a/one.bin": 1, "/two.bin": 2}


def test_a_pause_ends_when_the_download_is_stopped():
    stop = threading.Event()
    stop.set()
    with pytest.raises(StoppedError):
        make_retry(stop).sleep(HTTPResponse(headers={"Retry-After": "300"}, status=503))


def test_no_more_connections_than_allowed(archive, mirror, monkeypatch):
    monkeypatch.setenv("GALMORPH_CONNECTIONS", "2")
    both = threading.Barrier(2)
    archive.fault = lambda path, number: None if both.wait(60) >= 0 else "500"
    for number in range(8):
        (archive.folder / str(number)).touch()
    asked = [Download(f"{archive.url}/{number}", str(number), lambda path: None, 1) for number in range(8)]
    assert mirror.fetch(asked, "files", REMEDY) == {}
    assert archive.most_at_once == 2


def test_a_server_that_is_not_there(mirror, archive):
    url = closed_port()
    message = r"127\.0\.0\.1:\d+ does not answer \(NewConnectionError\): use the other one; finished files are kept"
    with pytest.raises(GalmorphError, match=message):
        require_answer(url, REMEDY)
    with pytest.raises(GalmorphError, match=message):
        mirror.fetch(downloads(url), "files", REMEDY)


def test_a_proxy_is_used_unless_the_server_is_excepted(archive, mirror, tmp_path, monkeypatch):
    # A proxy is asked for whole addresses.
    served = archive.folder / "http:" / "survey.example"
    served.mkdir(parents=True)
    (served / "two.bin").write_bytes(CONTENT[::-1])
    monkeypatch.setenv("http_proxy", archive.url.replace("//", "//me:sesame@"))
    require_answer("http://survey.example", REMEDY)
    assert mirror.fetch(downloads("http://survey.example", "two.bin"), "files", REMEDY) == {}
    assert files(tmp_path / "mirror") == {"whole/two.bin": CONTENT[::-1]}
    assert archive.requests == {"http://survey.example/two.bin": 1}
    monkeypatch.setenv("http_proxy", closed_port())
    require_answer(archive.url, REMEDY)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_does_not_answer(mirror, monkeypatch, archive, scheme):
    proxy = closed_port()
    monkeypatch.setenv(f"{scheme}_proxy", proxy.replace("//", "//me:sesame@"))
    message = (
        rf"survey\.example cannot be reached through the proxy {proxy} \(NewConnectionError\): correct {scheme}_proxy"
    )
    with pytest.raises(GalmorphError, match=message):
        require_answer(f"{scheme}://survey.example", REMEDY)
    with pytest.raises(GalmorphError, match=message):
        mirror.fetch(downloads(f"{scheme}://survey.example"), "files", REMEDY)


def test_a_proxy_that_refuses(monkeypatch, archive):
    monkeypatch.setenv("https_proxy", archive.url)  # which knows no CONNECT
    message = (
        rf"survey\.example cannot be reached through the proxy {archive.url} \(it answers 501\): correct https_proxy"
    )
    with pytest.raises(GalmorphError, match=message):
        require_answer("https://survey.example", REMEDY)


def test_a_proxy_of_another_kind(monkeypatch):
    monkeypatch.setenv("https_proxy", "socks5://me:sesame@proxy.example:1080")
    with pytest.raises(GalmorphError, match=r"socks5://proxy\.example:1080 is not the address of a proxy that can be"):
        require_answer("https://survey.example", REMEDY)


def test_a_server_that_says_nothing(monkeypatch):
    be_impatient(monkeypatch)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}"
        with pytest.raises(GalmorphError, match=r"does not answer \(ReadTimeoutError\): use the other one"):
            require_answer(url, REMEDY)


@pytest.mark.fault
def test_an_invalid_certificate(mirror, archive, tmp_path):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path))
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda request, client_address: None  # type: ignore[method-assign]
    threading.Thread(target=server.serve_forever, args=(0.01,)).start()
    url = f"https://127.0.0.1:{server.server_address[1]}"
    assert (
        "the server's certificate is not trusted" in mirror.fetch(downloads(url, "two.bin"), "files", REMEDY)["two.bin"]
    )
    server.shutdown()
    server.server_close()


def self_signed(folder):
    """Write a certificate and its key, which nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + datetime.timedelta(days=1))
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = folder / "server.pem"
    path.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM) + private)
    return path


def test_a_full_disk(store, mirror, tmp_path, monkeypatch):
    def write(self, content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", write)
    with pytest.raises(GalmorphError, match=r"one\.bin: cannot be written \(No space left"):
        mirror.fetch(downloads(store.url, "a/one.bin"), "files", REMEDY)
    assert files(tmp_path / "mirror") == {}


@pytest.mark.parametrize("variable", ["GALMORPH_CONNECTIONS", "GALMORPH_TIMEOUT"])
@pytest.mark.parametrize("text", ["none", "0", "1e3", "9" * 5000])
def test_environment_variables_must_be_whole_numbers(mirror, monkeypatch, variable, text):
    monkeypatch.setenv(variable, text)
    with pytest.raises(GalmorphError, match=rf"{variable}: a whole number from 1 to \d+, not '"):
        mirror.fetch(downloads("http://127.0.0.1:9"), "files", REMEDY)
