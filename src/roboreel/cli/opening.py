"""Open what a command is given: a folder, a URL, or a dataset on the Hub, which is pulled first."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

from roboreel.cli.output import human_bytes
from roboreel.dataset.dataset import Dataset
from roboreel.dataset.open import open_dataset
from roboreel.dataset.view_file import is_view_file
from roboreel.edit.view import View
from roboreel.hub.open_reference import Needs, local_copy
from roboreel.hub.open_source import open_source
from roboreel.hub.pull_work import Progress

SOURCE_HELP = "Folder of the dataset, user/name[@REVISION] on the Hub, or a view file."


def opened(source: str, *, follow_links: bool, needs: Needs = "everything") -> Dataset:
    """Open the dataset that a command is given.

    Args:
        source: the argument.
        follow_links: True to follow links that lead out of a local folder.
        needs: what to fetch of a dataset on the Hub that isn't here.
    """
    return open_dataset(copied(source, needs=needs), follow_links=follow_links)


def opened_source(
    source: str, *, follow_links: bool, needs: Needs = "everything"
) -> Dataset | View:
    """Open the dataset or view file that a command is given: see `opened`."""
    if not is_view_file(source):
        return opened(source, follow_links=follow_links, needs=needs)
    with pull_bar(quiet=False) as progress:
        return open_source(source, follow_links=follow_links, needs=needs, progress=progress)


def copied(source: str, *, needs: Needs = "everything") -> str:
    """The folder of the dataset that a command is given; one on the Hub is pulled if it isn't here."""
    with pull_bar(quiet=False) as progress:
        return os.fspath(local_copy(source, needs=needs, progress=progress))


@contextlib.contextmanager
def pull_bar(*, quiet: bool) -> Iterator[Progress | None]:
    """A bar of the bytes that a pull has; None where nothing is to be shown."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("pulling"), BarColumn(), TextColumn("{task.fields[size]}"))
    bar = Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True)
    task = bar.add_task("", total=None, size="")

    def show(here: int, wanted: int) -> None:
        if not bar.live.is_started:  # a dataset that is here shows none
            bar.start()
        size = f"{human_bytes(here)} of {human_bytes(wanted)}"
        bar.update(task, completed=here, total=wanted, size=size)

    try:
        yield show
    finally:
        if bar.live.is_started:
            bar.stop()
