"""Snapshots of datasets as the Hub's client and lerobot keep them."""

from __future__ import annotations

import contextlib
from typing import Any

from roboreel.format.model import INFO
from roboreel.format.version import VERSIONS
from roboreel.hub.client import asking, library
from roboreel.hub.environment import client_cache, endpoint
from roboreel.hub.reference import HubReference
from roboreel.storage.local import LocalRoot


def snapshot_download(repo_id: str, **arguments: Any) -> str:
    """Call `huggingface_hub.snapshot_download` for a dataset, with clear errors; returns the folder.

    Args:
        repo_id: `user/name`.
        arguments: those of `huggingface_hub.snapshot_download`; `repo_type` is "dataset" unless given.

    Raises:
        HubError: the Hub can't be reached, or refused.
        MissingDependencyError: the extra `hub` isn't installed.
    """
    reference = HubReference(repo_id, arguments.get("revision"))
    download = library(str(reference)).snapshot_download
    given = {"repo_type": "dataset", **arguments}
    if endpoint() is not None:  # the client itself knows only the one it was imported with
        given.setdefault("endpoint", endpoint())
    with asking(reference):
        return str(download(repo_id, **given))


def cached_snapshot(reference: HubReference) -> str | None:
    """The folder of a dataset's snapshot in a cache; None if there is none, or an incomplete one.

    Without a revision, the newest version that roboreel reads is looked for, then the main branch.
    """
    newest_first = [version.value for version in reversed(VERSIONS)]
    revisions = [reference.revision] if reference.revision else [*newest_first, "main"]
    for revision in revisions:
        # the client has an error of its own for each way in which nothing is there
        with contextlib.suppress(OSError, ValueError):
            folder = str(
                library(str(reference)).snapshot_download(
                    reference.repo_id,
                    repo_type="dataset",
                    revision=revision,
                    cache_dir=str(client_cache(reference.repo_id)),
                    local_files_only=True,
                )
            )
            if LocalRoot(folder).exists(INFO):
                return folder
    return None
