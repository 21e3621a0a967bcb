"""Show a progress bar if there is a terminal."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Collection, Iterator

import numpy as np

from roboreel.plan.plan import (
    ROWS,
    CopyFile,
    CopyTables,
    CopyVideos,
    EncodeVideo,
    MeasureCamera,
    Plan,
    RemuxVideo,
    WriteTables,
)
from roboreel.runner.work import OpResult
from roboreel.stats.sampling import sample_size

_COPYING = (WriteTables, CopyTables, RemuxVideo, CopyVideos)
_FRAME_BYTES: dict[type[object], float] = {MeasureCamera: 1e6, EncodeVideo: 5e6}
"""Number of bytes that are copied in the time to measure or encode a frame."""


class Bar:
    """The progress of a plan; ops that an earlier run finished are mentioned, but not counted."""

    def __init__(self, plan: Plan, show: Callable[[float, float, str], None]) -> None:
        """Args: the plan; `show` gets the cost of the finished ops, the total cost, and the ops as text."""
        self._efforts, self._show = op_efforts(plan), show
        self._left, self._before, self._done = len(plan.ops), 0, 0
        self._total, self._spent = sum(self._efforts), 0.0
        self._update()

    def resumed(self, numbers: Collection[int]) -> None:
        """Exclude the ops that an earlier run finished."""
        self._before = len(numbers)
        self._left -= self._before
        self._total -= sum(self._efforts[number] for number in numbers)
        self._update()

    def finished(self, result: OpResult) -> None:
        """Count a finished op."""
        self._done += 1
        self._spent += self._efforts[result.number]
        self._update()

    def _update(self) -> None:
        before = f", {self._before} done before" if self._before else ""
        self._show(self._spent, self._total, f"{self._done}/{self._left} ops{before}")


@contextlib.contextmanager
def progress_bar(plan: Plan, *, quiet: bool) -> Iterator[Bar | None]:
    """A progress bar for finished ops; None if none is shown."""
    with _shown("writing", quiet=quiet) as show:
        yield None if show is None else Bar(plan, show)


@contextlib.contextmanager
def counting_bar(what: str, units: str, *, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A function that shows how many of a number of units are done.

    Args:
        what: what is done, before the bar.
        units: what is counted.
        quiet: True shows nothing.
    """
    with _shown(what, quiet=quiet) as show:

        def shown(done: int, total: int) -> None:
            if show is not None:
                show(done, total, f"{done:,}/{total:,} {units}")

        yield shown


@contextlib.contextmanager
def _shown(what: str, *, quiet: bool) -> Iterator[Callable[[float, float, str], None] | None]:
    """A function that shows what is done, of what, and that as text; None where there is no terminal."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[ops]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(what, ops="")
        yield lambda done, total, text: shown.update(task, completed=done, total=total, ops=text)


def op_efforts(plan: Plan) -> list[float]:
    """The cost of each op, in bytes: decoding and encoding count as the bytes copied in their time."""
    rows = plan.inputs[ROWS].to_numpy()
    before = [0, *np.cumsum(rows).tolist()]
    copying = [op for op in plan.ops if isinstance(op, _COPYING)]
    frames = sum(before[op.episodes.stop] - before[op.episodes.start] for op in copying)
    each = plan.input_bytes / max(frames, 1)
    efforts = []
    for op in plan.ops:
        shown = 0
        if isinstance(op, MeasureCamera) and not op.profile.every_frame(video=op.video):
            shown = sum(map(sample_size, rows[op.episodes.start : op.episodes.stop].tolist()))
        elif not isinstance(op, CopyFile):
            shown = before[op.episodes.stop] - before[op.episodes.start]
        efforts.append(1.0 + shown * _FRAME_BYTES.get(type(op), each))
    return efforts
