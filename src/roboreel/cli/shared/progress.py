"""Show a progress bar if there is a terminal."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

from roboreel.progress.bar import terminal_bar
from roboreel.progress.reporter import Reporter, begin_phase, current_reporter, reporting


@contextlib.contextmanager
def progress_shown(*, quiet: bool) -> Iterator[None]:
    """Show what the block does in a bar, unless one is shown; nothing if quiet or without a terminal."""
    terminal = sys.stderr is not None and sys.stderr.isatty()
    if quiet or not terminal or current_reporter() is not None:
        yield
        return
    with terminal_bar() as show, reporting(Reporter(show)):
        yield


@contextlib.contextmanager
def counting_bar(what: str, units: str, *, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A function that shows how many of a number of units are done.

    Args:
        what: what is done, before the bar.
        units: what is counted, in the plural.
        quiet: True shows nothing.
    """
    with progress_shown(quiet=quiet):
        yield begin_phase(what, unit=units).reach
