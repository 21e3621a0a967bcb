"""Leaving on Ctrl-C or SIGTERM: one line says so, and where what was done is kept."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator

from roboreel.cli.output import tell
from roboreel.ops import kept_work

INTERRUPTED, TERMINATED = 130, 143


def leave_on_sigterm() -> None:
    """Let SIGTERM end the command as Ctrl-C does, by unwinding it."""
    signal.signal(signal.SIGTERM, _terminated)
    if hasattr(signal, "SIGHUP"):  # a closed terminal
        signal.signal(signal.SIGHUP, _terminated)


@contextlib.contextmanager
def stoppable(out: str | None = None) -> Iterator[None]:
    """Turns Ctrl-C inside the block, which may make `out`, into a message and an exit code."""
    try:
        yield
    except KeyboardInterrupt:
        tell("interrupted: the output was not written")
        _tell_kept(out)
        sys.exit(INTERRUPTED)
    except SystemExit as error:
        if error.code == TERMINATED:
            _tell_kept(out)
        raise


def _tell_kept(out: str | None) -> None:
    hint = None if out is None else kept_work(out)
    if hint is not None:
        tell(hint)


def _terminated(_number: int, _frame: object) -> None:
    tell("terminated: the output was not written")
    sys.exit(TERMINATED)
