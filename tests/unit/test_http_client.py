"""Ranges over HTTP: proxies, certificates, redirects, connections. Faults: `test_streaming_from_hub.py`."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from roboreel.errors import UsageError
from roboreel.storage.remote.http_client import HttpClient, HttpFailureError

_DATA = bytes(range(256))
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
_CERTIFICATES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_DIR")


class _Files(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""

    def do_GET(self) -> None:
        """A part of the data, or a redirect, or the whole."""
        self.server.seen.append((self.path, dict(self.headers)))
        self.server.peers.add(self.client_address)
        if "/moved/" in self.path:
            self._send(302, b"", {"Location": self.server.elsewhere})
        elif "/whole" in self.path:
            self._send(200, _DATA, {})
        else:
            first, last = map(int, self.headers["Range"].removeprefix("bytes=").split("-"))
            part = _DATA[first : last + 1]
            span = f"bytes {first}-{first + len(part) - 1}/{len(_DATA)}"
            self._send(206, part, {"Content-Range": span})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    elsewhere = ""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Files)
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.peers: set[object] = set()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that refuses a certificate is part of the tests."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Server]:
    for name in (*_PROXIES, *_CERTIFICATES):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    with _Server() as found:
        threading.Thread(target=found.serve_forever, args=(0.02,), daemon=True).start()
        yield found
        found.shutdown()


def test_parts_come_over_one_connection(server: _Server) -> None:
    client = HttpClient()
    got = [client.get(f"{server.url}/a", span=(at, 3)).body for at in (0, 7, 254)]
    assert got == [_DATA[:3], _DATA[7:10], _DATA[254:]]
    assert len(server.peers) == 1


def test_other_hosts_get_no_token(server: _Server) -> None:
    server.elsewhere = f"{server.url.replace('127.0.0.1', 'localhost')}/a"
    answer = HttpClient().get(
        f"{server.url}/moved/a", span=(1, 2), headers={"Authorization": "Bearer x"}
    )
    assert (answer.body, answer.url) == (_DATA[1:3], server.elsewhere)
    assert [seen.get("Authorization") for _, seen in server.seen] == ["Bearer x", None]


def test_a_server_without_ranges_is_refused(server: _Server) -> None:
    with pytest.raises(HttpFailureError, match="sends whole files only"):
        HttpClient().get(f"{server.url}/whole", span=(0, 3))


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "ALL_PROXY", "http_proxy"])
def test_the_proxy_of_the_environment_is_asked(
    server: _Server, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, server.url.replace("//", "//user:pass%20word@"))
    assert HttpClient().get("http://files.example/a", span=(2, 2)).body == _DATA[2:4]
    (path, headers), *_ = server.seen
    assert path == "http://files.example/a"
    assert headers["Proxy-Authorization"] == "Basic dXNlcjpwYXNzIHdvcmQ="


def test_hosts_without_a_proxy_are_asked_directly(
    server: _Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,other.example")
    assert HttpClient().get(f"{server.url}/a", span=(2, 2)).body == _DATA[2:4]


def test_other_kinds_of_proxies_are_refused(
    server: _Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5://127.0.0.1:1")
    with pytest.raises(UsageError, match=r"socks5://.*HTTPS_PROXY"):
        HttpClient().get("https://files.example/a", span=(0, 1))


@pytest.fixture
def secure(server: _Server, tmp_path: Path) -> tuple[str, Path]:
    """(URL, certificate) of a server whose certificate nobody signed."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl makes the certificate")
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    request = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    files = ["-keyout", str(key), "-out", str(certificate)]
    names = ["-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([openssl, *request.split(), *files, *names], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    return server.url.replace("http://127.0.0.1", "https://localhost"), certificate


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_certificates_of_the_environment_are_trusted(
    secure: tuple[str, Path], monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    url, certificate = secure
    monkeypatch.setenv(variable, str(certificate))
    assert HttpClient().get(f"{url}/a", span=(5, 2)).body == _DATA[5:7]


def test_an_unknown_certificate_is_refused_at_once(secure: tuple[str, Path]) -> None:
    with pytest.raises(HttpFailureError, match="CERTIFICATE_VERIFY_FAILED"):
        HttpClient().get(f"{secure[0]}/a", span=(5, 2))


def test_certificates_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/no/such/file.pem")
    with pytest.raises(UsageError, match=r"SSL_CERT_FILE is '/no/such/file.pem'"):
        HttpClient().get("https://localhost:1/a", span=(0, 1))
