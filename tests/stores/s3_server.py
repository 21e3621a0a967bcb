"""An S3 server on this machine, moto's, that counts requests and fails on demand."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Environ: TypeAlias = dict[str, Any]
BUCKET = "robots"
_REFUSED = b"""<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"""


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    key: str
    """What is asked for; of a listing the prefix, with `?` before it."""
    range: str


@dataclass(slots=True)
class S3Server:
    """The server's address, what it was asked, and how it is to fail."""

    requests: list[Request] = field(default_factory=list)
    sent_bytes: int = 0
    refused: Callable[[Request], bool] = lambda _: False
    """Which requests are answered with 403."""
    cut: Callable[[Request], bool] = lambda _: False
    """Of which answers the connection ends half-way."""
    done: Callable[[Request], None] = lambda _: None
    """Called when the store has done what a request asks for, before the answer is sent."""
    url: str = ""

    def forget(self) -> None:
        """Count from here on."""
        self.requests.clear()
        self.sent_bytes = 0

    def asked(self, method: str) -> list[str]:
        """The keys that requests of a method were for, in order."""
        return [one.key for one in self.requests if one.method == method]

    def wrapping(self, app: Any) -> Any:
        """The WSGI application around moto's."""

        def answer(environ: Environ, start: Callable[..., Any]) -> Iterable[bytes]:
            request = _request(environ)
            self.requests.append(request)
            if self.refused(request):
                start("403 Forbidden", [("Content-Type", "application/xml")])
                return [b"" if request.method == "HEAD" else _REFUSED]
            body = b"".join(app(environ, start))
            self.sent_bytes += len(body)
            self.done(request)
            return _half(body, environ) if self.cut(request) else [body]

        return answer


def _half(body: bytes, environ: Environ) -> Iterator[bytes]:
    """Half of an answer, nothing of an empty one, and the end of the connection."""
    if body:
        yield body[: len(body) // 2]
    environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    raise ConnectionAbortedError("cut by the test")


def _request(environ: Environ) -> Request:
    path = environ["PATH_INFO"].removeprefix(f"/{BUCKET}").lstrip("/")
    query: Sequence[str] = environ.get("QUERY_STRING", "").split("&")
    prefix = [one.partition("=")[2] for one in query if one.startswith("prefix=")]
    key = f"?{prefix[0].replace('%2F', '/')}" if prefix else path
    return Request(environ["REQUEST_METHOD"], key, environ.get("HTTP_RANGE", ""))


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """Run the server until the block ends."""
    from moto.moto_server.werkzeug_app import (
        DomainDispatcherApplication,
        create_backend_app,
    )
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):  # type: ignore[misc]  # werkzeug may not be installed
        def log(self, *_: Any, **__: Any) -> None:
            pass

    server = S3Server()
    app = server.wrapping(DomainDispatcherApplication(create_backend_app))
    web = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    server.url = f"http://127.0.0.1:{web.server_port}"
    thread = threading.Thread(target=web.serve_forever, daemon=True)
    thread.start()
    yield server
    web.shutdown()
    thread.join()
    web.server_close()
