"""A bar for terminals and notebooks; elsewhere a line per phase."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from html import escape
from typing import Any, TypeAlias

from roboreel.progress.event import ProgressEvent

Show: TypeAlias = Callable[[ProgressEvent], None]

_REFRESHES_PER_S = 4
_BAR_WIDTH = 40
_STYLE = "font-family:var(--jp-code-font-family,monospace);font-size:0.9em"


@contextlib.contextmanager
def shown_bar() -> Iterator[Show]:
    """A function that shows events: a bar on terminals and in notebooks, elsewhere a line per phase."""
    display = _notebook_display()
    if display is not None:
        yield _NotebookBar(display).show
    elif sys.stderr is not None and sys.stderr.isatty():
        with terminal_bar() as show:
            yield show
    else:
        yield _PhaseLines().show


@contextlib.contextmanager
def terminal_bar() -> Iterator[Show]:
    """A function that shows events in a bar on stderr, which is a terminal. The bar disappears at the end."""
    from rich.console import Console, RenderableType
    from rich.progress import BarColumn, Progress, TextColumn
    from rich.text import Text

    class TwoLines(Progress):
        """What is being done on one line, the bar on the next: both fit on 80 columns."""

        def get_renderables(self) -> Iterator[RenderableType]:
            for one in self.tasks:
                yield Text(one.description, no_wrap=True, overflow="ellipsis")
            yield self.make_tasks_table(self.tasks)

    columns = (
        BarColumn(bar_width=_BAR_WIDTH),
        TextColumn("{task.fields[share]}", markup=False),
        TextColumn("{task.fields[more]}", markup=False),
    )
    console = Console(stderr=True)
    bar = TwoLines(*columns, console=console, transient=True, refresh_per_second=_REFRESHES_PER_S)
    task = bar.add_task("", total=None, share="", more="")

    def show(event: ProgressEvent) -> None:
        known = event.fraction is not None
        bar.update(
            task,
            description=event.text,
            completed=event.fraction or 0.0,
            total=1.0 if known else None,
            share=_percent(event),
            more=_details(event),
        )
        if not bar.live.is_started:  # a call that tells nothing shows none
            bar.start()

    try:
        yield show
    finally:
        if bar.live.is_started:
            bar.stop()


def _percent(event: ProgressEvent) -> str:
    return "" if event.fraction is None else f"{event.fraction:4.0%}"


def _details(event: ProgressEvent) -> str:
    return ", ".join(part for part in (event.speed, event.time_left) if part)


class _PhaseLines:
    """A line on stderr when a phase begins."""

    def __init__(self) -> None:
        self._phase = ""

    def show(self, event: ProgressEvent) -> None:
        """Show an event."""
        if event.phase != self._phase:
            self._phase = event.phase
            print(event.phase, file=sys.stderr)


class _NotebookBar:
    """A bar in the output of a notebook's cell, drawn by the browser: needs no widgets."""

    def __init__(self, display: Callable[..., Any]) -> None:
        self._display = display
        self._handle: Any = None  # IPython's handle of what it displays

    def show(self, event: ProgressEvent) -> None:
        """Show an event."""
        shown = {"text/html": notebook_bar(event), "text/plain": str(event)}
        if self._handle is None:
            self._handle = self._display(shown, raw=True, display_id=True)
        else:
            self._handle.update(shown, raw=True)


def notebook_bar(event: ProgressEvent) -> str:
    """The HTML of an event: a bar that the browser draws, in the colours of its theme."""
    value = "" if event.fraction is None else f' value="{event.fraction:.4f}"'
    more = " ".join(part for part in (_percent(event).strip(), _details(event)) if part)
    return (
        f'<div style="{_STYLE}">{escape(event.text)}<br>'
        f'<progress max="1"{value} style="width:20em"></progress> {escape(more)}</div>'
    )


def _notebook_display() -> Callable[..., Any] | None:
    """IPython's `display` in a notebook; None elsewhere."""
    module: Any = sys.modules.get("IPython")  # a notebook has loaded it; nothing else needs it
    shell = None if module is None else module.get_ipython()
    if shell is None or not hasattr(shell, "kernel"):
        return None
    display: Callable[..., Any] = sys.modules["IPython.display"].display
    return display
