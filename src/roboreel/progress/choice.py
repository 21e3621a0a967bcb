"""The argument `progress=` of long calls: a callback, a bar, or nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TypeAlias

from roboreel.errors import UsageError
from roboreel.progress.bar import shown_bar
from roboreel.progress.event import ProgressEvent
from roboreel.progress.reporter import Reporter, reporting

ProgressChoice: TypeAlias = Callable[[ProgressEvent], object] | bool | None
"""A callback; True for a bar; False for nothing; None for what an outer call was given, else nothing."""


@contextlib.contextmanager
def listening(progress: ProgressChoice) -> Iterator[None]:
    """Tell what the block does in the way that was asked for.

    Raises:
        UsageError: it is neither a function, nor a boolean, nor None.
    """
    if progress is None:
        yield
    elif progress is True:
        with shown_bar() as show, reporting(Reporter(show)):
            yield
    elif progress is False:
        with reporting(None):
            yield
    elif callable(progress):
        with reporting(Reporter(progress)):
            yield
    else:
        raise UsageError(
            f"progress is {progress!r}, expected True (for a progress bar) or a function that takes a"
            " ProgressEvent"
        )
