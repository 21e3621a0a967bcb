"""A progress bar where there is a terminal, silence elsewhere."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

import numpy as np

from roboreel.edit.plan import (
    ROWS,
    CopyFile,
    CopyTables,
    CopyVideos,
    EncodeVideo,
    MeasureCamera,
    RemuxVideo,
    WriteTables,
)
from roboreel.ops import OpResult, Plan

_COPYING = (WriteTables, CopyTables, RemuxVideo, CopyVideos)
_FRAME_BYTES: dict[type[object], float] = {MeasureCamera: 1e6, EncodeVideo: 5e6}
"""How many bytes are copied while a frame is measured, or encoded."""


@contextlib.contextmanager
def progress_bar(plan: Plan, *, quiet: bool) -> Iterator[Callable[[OpResult], None] | None]:
    """A function to call with every finished op; None where nothing is to be shown."""
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
        TextColumn("{task.fields[ops]} ops"),
        TimeRemainingColumn(),
    )
    efforts = op_efforts(plan)
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("writing", total=sum(efforts), ops=f"0/{len(plan.ops)}")
        done = 0

        def advance(result: OpResult) -> None:
            nonlocal done
            done += 1
            bar.update(task, advance=efforts[result.number], ops=f"{done}/{len(plan.ops)}")

        yield advance


def op_efforts(plan: Plan) -> list[float]:
    """What each op will take, in bytes copied: what decodes or encodes takes as long as many of them."""
    rows = plan.inputs[ROWS].to_numpy()
    before = np.concatenate([[0], np.cumsum(rows)])
    copying = [op for op in plan.ops if isinstance(op, _COPYING)]
    frames = sum(int(before[op.episodes.stop] - before[op.episodes.start]) for op in copying)
    each = plan.input_bytes / max(frames, 1)
    efforts = []
    for op in plan.ops:
        shown = 0
        if not isinstance(op, CopyFile):
            shown = int(before[op.episodes.stop] - before[op.episodes.start])
        per_frame = _FRAME_BYTES.get(type(op), each)
        efforts.append(1.0 + shown * per_frame)
    return efforts
