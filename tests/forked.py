"""Processes of tests that start fast: forked from a server that has imported once what they need.

roboreel starts its workers with `spawn`: a new interpreter, which imports NumPy, Arrow and PyAV anew, half a
second of a processor each time. A server without threads forks in a few milliseconds, and what runs then is
the same. Tests of how workers start and die take the fixture `spawned`: they get what users get.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import BaseContext, ForkServerContext, ForkServerProcess
from unittest import mock

_PRELOADED = (
    "av",
    "pyarrow.parquet",
    "roboreel.ops.write",
    "roboreel.checking.recomputed",
    "roboreel.reading.reader",
    "roboreel.writing.append",
    "tests.forked",
)
"""For all of a run's servers, which are one to a test process. Not torch: few workers need it."""


class _Process(ForkServerProcess):
    """Takes over what a spawned one does: environment, blocked signals, limit of memory."""

    def start(self) -> None:
        self._environment = dict(os.environ)
        self._blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        self._memory = resource.getrlimit(resource.RLIMIT_AS)
        super().start()

    def run(self) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._blocked)
        resource.setrlimit(resource.RLIMIT_AS, self._memory)
        os.environ.clear()
        os.environ.update(self._environment)
        super().run()


class _Context(ForkServerContext):
    Process = _Process


FORKED = _Context()
"""A context as `multiprocessing.get_context` gives."""
FORKED.set_forkserver_preload([*_PRELOADED])


@contextmanager
def quick_workers() -> Iterator[None]:
    """Workers are forked where the code asks for `spawn`."""
    plainly = multiprocessing.get_context

    def context(method: str | None = None) -> BaseContext:
        return FORKED if method == "spawn" else plainly(method)

    with mock.patch.object(multiprocessing, "get_context", context):
        yield
