"""Open what a command is given: a folder, a URL, or a dataset on the Hub, which is pulled first."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace

from roboreel.cli.shared.progress import progress_shown
from roboreel.dataset.dataset import Dataset
from roboreel.dataset.open import open_dataset
from roboreel.dataset.view_file import is_view_file
from roboreel.edit.view import View
from roboreel.errors import DatasetError, Problem, RoboreelError, StorageError
from roboreel.hub.open_reference import Needs, local_copy
from roboreel.hub.open_source import open_source

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
    with progress_shown(quiet=False):
        return open_source(source, follow_links=follow_links, needs=needs)


def copied(source: str, *, needs: Needs = "everything") -> str:
    """The folder of the dataset that a command is given; one on the Hub is pulled if it isn't here."""
    with progress_shown(quiet=False):
        return os.fspath(local_copy(source, needs=needs))


def opened_all(sources: Sequence[str], view_of: Callable[[str], View]) -> list[View]:
    """Open several datasets or view files.

    Args:
        sources: the arguments.
        view_of: opens one.

    Raises:
        RoboreelError: some cannot be opened; names all of them.
    """
    found: list[View] = []
    failed: dict[str, RoboreelError] = {}
    for source in sources:
        try:
            found.append(view_of(source))
        except (DatasetError, StorageError) as error:
            failed[source] = error
    if len(failed) == 1:
        raise next(iter(failed.values()))
    if failed:
        reasons = "\n".join(map(str, failed.values()))
        refused = DatasetError(
            f"{len(failed)} of {len(sources)} datasets cannot be opened\n{reasons}"
        )
        refused.problems = tuple(
            replace(problem, dataset=source)
            for source, error in failed.items()
            for problem in _problems_of(error)
        )
        raise refused
    return found


def _problems_of(error: RoboreelError) -> Sequence[Problem]:
    return error.problems if isinstance(error, DatasetError) else ()
