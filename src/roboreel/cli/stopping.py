"""Leaving on Ctrl-C or SIGTERM: what was staged is removed, and one line says so."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator

from roboreel.cli.output import tell

INTERRUPTED, TERMINATED = 130, 143


def leave_on_sigterm() -> None:
    """Let SIGTERM end the command as Ctrl-C does, by unwinding it."""
    signal.signal(signal.SIGTERM, _terminated)
    if hasattr(signal, "SIGHUP"):  # a closed terminal
        signal.signal(signal.SIGHUP, _terminated)


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Turns Ctrl-C inside the block into a message and an exit code."""
    try:
        yield
    except KeyboardInterrupt:
        tell("interrupted: the output was not written")
        sys.exit(INTERRUPTED)


def _terminated(_number: int, _frame: object) -> None:
    tell("terminated: the output was not written")
    sys.exit(TERMINATED)
