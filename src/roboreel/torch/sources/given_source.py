"""Views, view files and open datasets in place of a dataset's name or folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from roboreel.dataset.dataset import Dataset
from roboreel.dataset.view_file import ENDING, is_view_file
from roboreel.edit.view import Verbs
from roboreel.errors import UsageError
from roboreel.hub.open_source import open_view
from roboreel.storage.local import LocalRoot
from roboreel.torch.sources.view_dataset import ViewDataset, view_dataset


def given_source(repo_id: Any, root: Any) -> Dataset | None:
    """What a call names by a view, a view file or an open dataset; None where it names a folder or a name.

    Args:
        repo_id: as the caller gave it; it counts where `root` is None.
        root: likewise.

    Raises:
        StorageError: a view file, or a dataset that it names, cannot be read.
        DatasetError: likewise.
    """
    given = repo_id if root is None else root
    if isinstance(given, str | os.PathLike) and is_view_file(given):
        given = open_view(given)
    if isinstance(given, Verbs):
        return given if isinstance(given, Dataset) else view_dataset(given.as_view())
    return None


def source_name(repo_id: Any, source: Dataset) -> Any:
    """The name of a source: what was given for it, or that of its folder or file."""
    if isinstance(repo_id, Verbs):
        return source.name
    if isinstance(repo_id, str | os.PathLike) and is_view_file(repo_id):
        return os.path.basename(repo_id).removesuffix(ENDING)
    return repo_id


def source_root(repo_id: Any, root: Any, source: Dataset) -> Any:
    """Where a source is: the view file, the dataset's folder or URL; of a view a path that does not exist."""
    given = repo_id if root is None else root
    if not isinstance(given, Verbs):
        return Path(given)
    if isinstance(source, ViewDataset):
        return Path(f"{source.name}{ENDING}")
    return Path(source.url) if isinstance(source.root, LocalRoot) else source.url


def refuse_source(source: Dataset | None, what: str) -> None:
    """Raise `UsageError` where something is to be written into a view, or a dataset without a folder.

    Args:
        source: what the caller gave, None for a folder.
        what: what cannot be done, such as "recorded into".
    """
    if isinstance(source, ViewDataset):
        raise UsageError(
            f"a view cannot be {what}: write it first (roboreel.write), and open the result"
        )
