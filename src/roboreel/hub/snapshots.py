"""Complete snapshots in the caches of lerobot and of the Hub's client, to open without a network."""

from __future__ import annotations

import contextlib

from roboreel.format.model import INFO
from roboreel.format.version import VERSIONS
from roboreel.hub.client import library
from roboreel.hub.environment import client_cache
from roboreel.hub.reference import HubReference
from roboreel.storage.local import LocalRoot


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
