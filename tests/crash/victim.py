"""Conversions that die: run in a process of their own, and stopped at a chosen operation."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import roboreel
from roboreel.storage.disk import faults
from tests.forked import FORKED

Moment = tuple[str, str, str]
"""Before or after, the operation, and its path."""


@dataclass(slots=True)
class Count:
    """Counts operations, and does something at one of them."""

    at: int | None = None
    act: Callable[[], None] | None = None
    seen: list[Moment] = field(default_factory=list)

    def __call__(self, when: str, name: str, path: str) -> None:
        self.seen.append((when, name, path))
        if self.act is not None and len(self.seen) - 1 == self.at:
            self.act()


def moments(convert: Callable[[], object]) -> dict[int, Moment]:
    """The moments of a conversion at which to stop it, by number.

    Before and after every operation; but of the many writes in a row to one file (a table is written in
    pieces of a few bytes) only the first, the middle and the last: the others leave the same file, shorter
    or longer.
    """
    count = Count()
    with faults(count):
        convert()
    chosen: dict[int, Moment] = {}
    for _, run in groupby(enumerate(count.seen), key=lambda item: item[1][1:]):
        members = list(run)
        chosen |= dict([*members[:2], members[len(members) // 2], *members[-2:]])
    return chosen


def fill_disk() -> None:
    """What a write to a full disk does."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def killed_at(at: int, source: Path, options: dict[str, Any]) -> int:
    """Convert in a process that kills itself at an operation; returns its exit code."""
    process = FORKED.Process(target=_die_at, args=(at, source, options))
    process.start()
    process.join(60)
    return process.exitcode if process.exitcode is not None else -1


def killed_after(seconds: float, source: Path, options: dict[str, Any]) -> int:
    """Convert in a process group that is killed after a while; returns the exit code of its leader."""
    process = FORKED.Process(target=_lead, args=(source, options))
    process.start()
    process.join(seconds)
    if process.pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.join(60)
    return process.exitcode if process.exitcode is not None else -1


Edit = Callable[[Path, "Path | None", str], "roboreel.Report"]
"""An edit of a dataset, into a folder or in place, that deals with leftovers in some way."""


def edit_killed_at(at: int, edit: Callable[..., object], source: Path, out: Path | None) -> int:
    """Edit in a process that kills itself at an operation; returns its exit code."""
    process = FORKED.Process(target=_die_editing, args=(at, edit, source, out))
    process.start()
    process.join(60)
    return process.exitcode if process.exitcode is not None else -1


def _die_editing(at: int, edit: Callable[..., object], source: Path, out: Path | None) -> None:
    with faults(Count(at=at, act=_die)):
        edit(source, out, "refuse")


def _die_at(at: int, source: Path, options: dict[str, Any]) -> None:
    with faults(Count(at=at, act=_die)):
        roboreel.convert(source, **options)


def _lead(source: Path, options: dict[str, Any]) -> None:
    os.setpgid(0, 0)
    roboreel.convert(source, **options)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
