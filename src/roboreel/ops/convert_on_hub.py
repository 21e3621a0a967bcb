"""Convert a dataset of the Hub: its local copy is brought up to date, converted, and pushed back."""

from __future__ import annotations

import os
from pathlib import Path

from roboreel.dataset.open import open_dataset
from roboreel.format.v30 import GLOBAL_STATS
from roboreel.format.version import FormatVersion
from roboreel.hub.pull import default_folder, pull
from roboreel.hub.push import push
from roboreel.hub.push_report import PushReport
from roboreel.hub.reference import HubReference, parse_reference
from roboreel.hub.versions import get_repo_versions


def hub_reference(source: str | os.PathLike[str]) -> HubReference | None:
    """The reference to the Hub that names a dataset; None where it names a folder."""
    return None if os.path.exists(source) else parse_reference(os.fspath(source))


def copy_to_convert(reference: HubReference, to: FormatVersion, *, synced: bool) -> Path:
    """The folder of the local copy of a dataset on the Hub, pulled where it lacks files.

    Args:
        reference: the dataset; without a revision its tag `v2.0` is pulled if it has one.
        to: the version it will be converted to. A copy that has it already was converted by an earlier run.
        synced: compare an existing copy with the Hub too, and fetch what it lacks.

    Raises:
        HubError: the Hub cannot be reached, or refuses.
        UsageError, StorageError: the copy differs from the Hub, or cannot be written.
    """
    folder = default_folder(reference)
    if folder.exists() and (not synced or open_dataset(folder).version is to):
        return folder
    has_v20 = any(str(one) == "2.0" for one in get_repo_versions(reference.repo_id))
    tagged = f"{reference.repo_id}@v2.0" if has_v20 and reference.revision is None else ""
    return Path(pull(tagged or str(reference), folder).path)


def push_conversion(
    folder: str | os.PathLike[str],
    repo_id: str,
    branch: str | None,
    *,
    keep_old_stats: bool,
    remove: bool = False,
) -> PushReport:
    """Push a converted dataset, and tag its version.

    Args:
        folder: the dataset.
        repo_id: the repository, `user/name`.
        branch: the branch, created if it does not exist; None is the main branch.
        keep_old_stats: False removes `meta/stats.json` there if the dataset does not have it.
        remove: remove other files of the format too that the dataset does not have.

    Raises:
        UsageError: the Hub has other files that the dataset does not have.
        HubError: the Hub cannot be reached, or refuses.
    """
    gone = set(push(folder, repo_id, branch=branch, dry_run=True).removed)
    stale = gone <= {GLOBAL_STATS} and not keep_old_stats
    return push(folder, repo_id, branch=branch, remove=stale or remove)
