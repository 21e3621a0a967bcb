"""Handle Ctrl-C and SIGTERM: print one line that says so and, for an output, what became of it."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from roboreel.cli.text.output import tell
from roboreel.ops.output import kept_work

INTERRUPTED, TERMINATED = 130, 143


def leave_on_sigterm() -> None:
    """Let SIGTERM and a closed terminal end the command as Ctrl-C does, by unwinding it.

    A signal that is ignored at the start stays ignored, as `nohup` requests.
    """
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _terminated)


@dataclass(slots=True)
class Output:
    """The output that a command makes, if any."""

    path: str | None
    written: bool = False
    """Set it to True when the output is written."""


@contextlib.contextmanager
def stoppable(out: str | None = None) -> Iterator[Output]:
    """Turn Ctrl-C and SIGTERM in the block, which may write `out`, into a message and an exit code."""
    output = Output(out)
    try:
        yield output
    except KeyboardInterrupt:
        _tell_end("interrupted", output)
        sys.exit(INTERRUPTED)
    except SystemExit as error:
        if error.code == TERMINATED:
            _tell_end("terminated", output)
        raise


def _tell_end(how: str, output: Output) -> None:
    out = output.path
    if out is None or output.written:
        tell(how if out is None else f"{how}: the output is complete")
        return
    tell(f"{how}: the output was not written")
    hint = kept_work(out)
    if hint is not None:
        tell(hint)


def _terminated(_number: int, _frame: object) -> None:
    sys.exit(TERMINATED)
