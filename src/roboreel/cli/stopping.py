"""Leaving on Ctrl-C or SIGTERM: one line says so, and where there is an output, what became of it."""

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
    """Turns Ctrl-C and SIGTERM inside the block, which may make `out`, into a message and an exit code."""
    try:
        yield
    except KeyboardInterrupt:
        _tell_end("interrupted", out)
        sys.exit(INTERRUPTED)
    except SystemExit as error:
        if error.code == TERMINATED:
            _tell_end("terminated", out)
        raise


def _tell_end(how: str, out: str | None) -> None:
    if out is None:
        tell(how)
        return
    tell(f"{how}: the output was not written")
    hint = kept_work(out)
    if hint is not None:
        tell(hint)


def _terminated(_number: int, _frame: object) -> None:
    sys.exit(TERMINATED)
