"""Open what a command is given: a folder, a URL, or a dataset on the Hub, which is pulled first."""

from __future__ import annotations

import os

from roboreel.cli.shared.progress import progress_shown
from roboreel.dataset.dataset import Dataset
from roboreel.dataset.open import open_dataset
from roboreel.dataset.view_file import is_view_file
from roboreel.edit.view import View
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
