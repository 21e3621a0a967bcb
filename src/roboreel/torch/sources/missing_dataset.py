"""The error where a folder has no dataset, and none can be downloaded into it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from roboreel.errors import HubError, MissingDependencyError, MissingFileError, StorageError
from roboreel.format.model import INFO
from roboreel.torch.sources.dataset_root import has_documents, is_path

_SHOWN = 3


@contextlib.contextmanager
def explaining_missing(repo_id: str, root: str | os.PathLike[str]) -> Iterator[None]:
    """Say which folder has no dataset where the download inside the block fails.

    Args:
        repo_id: `user/name`, which is downloaded.
        root: the folder where its documents were looked for.

    Raises:
        MissingFileError: the folder has no dataset, and the download failed. It is a `FileNotFoundError`.
    """
    try:
        yield
    except (HubError, StorageError, MissingDependencyError) as error:
        if has_documents(root):
            raise
        reason = str(error).removeprefix(f"'{repo_id}': ")
        raise MissingFileError(
            f"{_has_none(root, repo_id)}{_here(repo_id)}. Downloading '{repo_id}' failed: {reason}"
        ) from None


def refuse_missing_path(path: str, root: str | os.PathLike[str]) -> None:
    """Raise `MissingFileError` where a path was given in place of `user/name`, and has no dataset.

    Args:
        path: what was given for `repo_id`.
        root: the folder where its documents were looked for.
    """
    if is_path(path):
        raise MissingFileError(
            f"{_has_none(root, path)}. '{path}' is a path, not the name of a dataset on the Hub"
            " ('user/name'), so nothing is downloaded"
        )


def _has_none(root: str | os.PathLike[str], repo_id: str) -> str:
    inner = _datasets_inside(root)
    named = [name for name in inner if name == os.path.basename(repo_id)] or inner
    meant = f" (did you mean {' or '.join(map(repr, named[:_SHOWN]))} inside it?)" if inner else ""
    return f"'{root}' has no dataset: there is no {INFO}{meant}"


def _datasets_inside(root: str | os.PathLike[str]) -> list[str]:
    if "://" in os.fspath(root):
        return []
    with contextlib.suppress(OSError):  # no folder, or none that may be read
        return sorted(one.name for one in Path(root).iterdir() if (one / INFO).is_file())
    return []


def _here(repo_id: str) -> str:
    """A hint where the dataset is at this path, below the current folder."""
    if not os.path.isfile(os.path.join(repo_id, INFO)):
        return ""
    return f" (the folder './{repo_id}' has one: pass root='{repo_id}' to open it)"
