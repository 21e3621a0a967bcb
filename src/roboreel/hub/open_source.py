"""Open a dataset or a view file by its path or reference; datasets on the Hub are pulled first."""

from __future__ import annotations

import os
from functools import partial

from roboreel.dataset.dataset import Dataset
from roboreel.dataset.view_file import ViewFile, is_view_file
from roboreel.dataset.view_open import ViewOpener
from roboreel.edit.view import View
from roboreel.errors import UsageError
from roboreel.hub.open_reference import Needs, open_reference


def open_source(
    location: str | os.PathLike[str],
    *,
    follow_links: bool = False,
    needs: Needs = "everything",
) -> Dataset | View:
    """Open a dataset, or the view that a view file describes: see `open_reference` and `open_view`."""
    if not isinstance(location, (str, os.PathLike)):
        raise UsageError(
            f"open() takes the path, URL or reference of one dataset, got {location!r}"
        )
    if is_view_file(location):
        opener = view_opener(follow_links=follow_links, needs=needs)
        return opener.open(ViewFile(location))
    return open_reference(location, follow_links=follow_links, needs=needs)


def open_view(location: str | os.PathLike[str], *, follow_links: bool = False) -> View:
    """Open a view file (`NAME.view.json`). Reads documents only, no rows and no videos.

    Args:
        location: the file.
        follow_links: as in `roboreel.open`, for the datasets that it names.

    Raises:
        StorageError: the file, or a dataset that it names, cannot be read.
        ChangedInputError: a dataset has changed since the file was made.
        DatasetError: the file is not a view file, or a dataset cannot be read safely.
        HubError: a dataset on the Hub cannot be fetched.
    """
    return view_opener(follow_links=follow_links).open(ViewFile(location))


def view_opener(*, follow_links: bool = False, needs: Needs = "everything") -> ViewOpener:
    """What opens the sources of view files, those on the Hub too."""
    open_one = partial(open_reference, needs=needs)
    return ViewOpener(follow_links=follow_links, open_one=open_one)
