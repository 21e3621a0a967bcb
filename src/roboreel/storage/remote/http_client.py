"""Ranges of files over HTTP: connections stay open, what fails for the moment is tried again."""

from __future__ import annotations

import http.client
import os
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from threading import Lock
from urllib.parse import SplitResult, urljoin, urlsplit

from roboreel.errors import RoboreelError
from roboreel.storage.remote.http_connection import OpenConnection, open_connection

_ATTEMPTS = 5
_FIRST_PAUSE_S, _LONGEST_WAIT_S = 0.5, 300.0
_MOST_IDLE = 32
"""Idle connections to a host that are kept."""
_MOST_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_BUSY = frozenset({408, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """The answer to a request."""

    url: str
    """Where it came from, after redirects."""
    status_code: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes = field(repr=False)
    redirect: HttpAnswer | None = field(default=None, repr=False)
    """The first answer, if that led elsewhere."""


class HttpFailureError(ConnectionError):
    """A request failed, or the server answered with an error."""

    def __init__(self, message: str, response: HttpAnswer | None = None) -> None:
        super().__init__(message)
        self.response = response
        """The answer; None where there was none."""


class HttpClient:
    """Gets parts of files. Threads may share it; a forked or pickled one opens its own connections."""

    def __init__(self) -> None:
        self._idle: dict[str, list[OpenConnection]] = {}
        self._process, self._lock = os.getpid(), Lock()

    def __del__(self) -> None:
        self._close_idle()

    def __reduce__(self) -> tuple[type[HttpClient], tuple[()]]:
        return HttpClient, ()

    def get(
        self,
        url: str,
        *,
        span: tuple[int, int] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> HttpAnswer:
        """A file, or a part of it; tried again while the server is busy or connections break.

        Args:
            url: the file.
            span: (start, size) in bytes; None for all of it.
            headers: further headers of the request. `Authorization` is not sent to other hosts.

        Returns:
            The answer: of a part, with status 206 and at most `size` bytes.

        Raises:
            HttpFailureError: the server cannot be reached, answers with an error, or with no part.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                answer = self._followed(url, span, dict(headers or {}))
            except (HttpFailureError, RoboreelError):
                raise
            except (http.client.HTTPException, OSError) as error:
                if attempt == _ATTEMPTS or isinstance(error, ssl.SSLCertVerificationError):
                    raise HttpFailureError(f"'{_shown(url)}': {_reason(error)}") from error
                time.sleep(_FIRST_PAUSE_S * 2 ** (attempt - 1))
                continue
            if answer.status_code < 400:
                return answer
            pause = _pause(answer, attempt)
            if pause is None or attempt == _ATTEMPTS:
                raise HttpFailureError(
                    f"'{_shown(url)}': the server answers with status {answer.status_code}", answer
                )
            time.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    def _followed(
        self, url: str, span: tuple[int, int] | None, headers: dict[str, str]
    ) -> HttpAnswer:
        first: HttpAnswer | None = None
        for _ in range(_MOST_REDIRECTS):
            answer = self._asked(url, span, headers)
            target = answer.headers.get("location")
            if answer.status_code not in _REDIRECTS or target is None:
                return HttpAnswer(
                    answer.url, answer.status_code, answer.headers, answer.body, first
                )
            first, before = first or answer, urlsplit(url)
            url = urljoin(url, target)
            if urlsplit(url)[:2] != before[:2]:
                headers = {
                    key: text for key, text in headers.items() if key.lower() != "authorization"
                }
        raise HttpFailureError(f"'{_shown(url)}': more than {_MOST_REDIRECTS} redirects")

    def _asked(
        self, url: str, span: tuple[int, int] | None, headers: Mapping[str, str]
    ) -> HttpAnswer:
        parts = urlsplit(url)
        sent = {"User-Agent": "roboreel", "Accept-Encoding": "identity", **headers}
        if span is not None:
            sent["Range"] = f"bytes={span[0]}-{span[0] + span[1] - 1}"
        while True:
            connection = self._taken(parts)
            try:
                return self._answered(connection, parts, url, sent)
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                connection.http.close()
                if not connection.used:
                    raise  # else the server had closed it while it was idle: no attempt was made
            except BaseException:
                connection.http.close()
                raise

    def _answered(
        self, connection: OpenConnection, parts: SplitResult, url: str, sent: Mapping[str, str]
    ) -> HttpAnswer:
        path = parts._replace(scheme="", netloc="", fragment="").geturl() or "/"
        target = url if connection.absolute else path
        connection.http.request("GET", target, headers={**sent, **connection.headers})
        response = connection.http.getresponse()
        if "Range" in sent and response.status == 200:
            raise HttpFailureError(
                f"'{_shown(url)}': the server sends whole files only, but parts are needed (HTTP ranges):"
                " download the dataset first"
            )
        body = response.read()
        found = {key.lower(): text for key, text in response.getheaders()}
        if response.will_close:
            connection.http.close()
        else:
            self._keep(parts, connection)
        return HttpAnswer(url, response.status, found, body)

    def _taken(self, parts: SplitResult) -> OpenConnection:
        with self._lock_of_process():
            idle = self._idle.get(f"{parts.scheme}://{parts.netloc}")
            if idle:
                return idle.pop()
        return open_connection(parts)

    def _keep(self, parts: SplitResult, connection: OpenConnection) -> None:
        with self._lock_of_process():
            idle = self._idle.setdefault(f"{parts.scheme}://{parts.netloc}", [])
            if len(idle) < _MOST_IDLE:
                idle.append(replace(connection, used=True))
                return
        connection.http.close()

    def _lock_of_process(self) -> Lock:
        if self._process != os.getpid():  # forked: the connections are the parent's
            self._process, self._lock = os.getpid(), Lock()
            self._close_idle()
        return self._lock

    def _close_idle(self) -> None:
        idle, self._idle = self._idle, {}
        for connections in idle.values():
            for connection in connections:
                connection.http.close()


def total_bytes(answer: HttpAnswer) -> int | None:
    """The size of the whole file, by the answer for a part of it; None if it does not tell."""
    total = answer.headers.get("content-range", "").rpartition("/")[2]
    return int(total) if total.isdigit() else None


def _pause(answer: HttpAnswer, attempt: int) -> float | None:
    """Seconds to wait before the next attempt; None where another one is of no use."""
    if answer.status_code not in _BUSY:
        return None
    asked = answer.headers.get("retry-after", "")
    if not asked.isdigit():
        return _FIRST_PAUSE_S * 2.0 ** (attempt - 1)
    return float(asked) if float(asked) <= _LONGEST_WAIT_S else None


def _reason(error: BaseException) -> str:
    return f"cannot be reached, or the connection broke ({type(error).__name__}: {error})"


def _shown(url: str) -> str:
    """A URL for messages, without credentials and signatures."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=host, query="", fragment="").geturl()
