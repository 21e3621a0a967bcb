"""The command, run in this process: what a process of its own would give, without its start."""

from __future__ import annotations

import contextlib
import io
import signal
import subprocess
import sys
from collections.abc import Iterator
from unittest import mock

from roboreel.cli.main import main

_SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


def run_here(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run `roboreel` with these arguments, as a shell would; returns its exit code and what it printed."""
    out, err = _stream(), _stream()
    words, code = _run(arguments, out, err)
    return subprocess.CompletedProcess(words, code, _text(out), _text(err))


def run_together(*arguments: object) -> tuple[int, str]:
    """The same; returns the exit code and all that was printed, in the order a terminal shows it."""
    stream = _stream()
    _, code = _run(arguments, stream, stream)
    return code, _text(stream)


def _run(
    arguments: tuple[object, ...], out: io.TextIOWrapper, err: io.TextIOWrapper
) -> tuple[list[str], int]:
    words = ["roboreel", *map(str, arguments)]
    code: object = 0
    with (
        _signals_kept(),
        mock.patch.object(sys, "argv", words),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as left:
            code = left.code or 0
    assert isinstance(code, int)
    return words, code


def _stream() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="", write_through=True)


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue().decode("utf-8")


@contextlib.contextmanager
def _signals_kept() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
