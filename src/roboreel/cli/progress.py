"""A progress bar where there is a terminal, silence elsewhere."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

from roboreel.ops import OpResult, Plan


@contextlib.contextmanager
def progress_bar(plan: Plan, *, quiet: bool) -> Iterator[Callable[[OpResult], None] | None]:
    """A function to call with every finished op; None where nothing is to be shown."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TextColumn("{task.fields[ops]} ops"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("writing", total=plan.input_bytes, ops=f"0/{len(plan.ops)}")
        done = 0

        def advance(result: OpResult) -> None:
            nonlocal done
            done += 1
            bar.update(task, advance=result.size_bytes, ops=f"{done}/{len(plan.ops)}")

        yield advance
