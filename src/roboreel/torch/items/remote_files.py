"""The files of a dataset that are not on this machine, read from the Hub as they are needed."""

from __future__ import annotations

from collections.abc import Sequence
from shlex import join

from roboreel.dataset.dataset import Dataset
from roboreel.dataset.open import dataset_below
from roboreel.errors import HubError, StorageError, UsageError, counted, listed
from roboreel.hub.hub_root import HubRoot
from roboreel.hub.reference import HubReference
from roboreel.torch.dataset_metadata import LeRobotDatasetMetadata


def remote_dataset(
    meta: LeRobotDatasetMetadata, missing: Sequence[str], token: str | bool | None
) -> Dataset:
    """The dataset on the Hub, at the commit of its documents here; its files are read by ranges.

    Args:
        meta: its documents.
        missing: names of files that are not here, for messages.
        token: the Hub's token.

    Raises:
        HubError: the Hub can't be reached, or refused.
        UsageError: it is in a storage bucket.
        StorageError: the documents here are of another state.
    """
    lacks = f"'{meta.root}' lacks files ({listed(missing[:2])})"
    if meta.repo_type == "bucket":
        raise UsageError(
            f"{lacks}, and storage buckets cannot be streamed: copy the bucket into a folder, and pass"
            " this folder as root"
        )
    try:
        dataset = dataset_below(HubRoot(HubReference(meta.repo_id, meta.revision), token))
    except HubError as error:
        raise HubError(f"{lacks}: {error}{without_videos(missing, meta.dataset)}") from error
    if dataset.total_frames != meta.total_frames:
        raise StorageError(
            f"'{meta.repo_id}' has {counted(dataset.total_frames, 'frame')} on the Hub, but"
            f" {meta.total_frames} in the local documents: pass force_cache_sync=True to update them"
        )
    return dataset


def lacking(missing: Sequence[str]) -> str:
    """A part of a message: which files are not here; empty for none."""
    if not missing:
        return ""
    files = counted(len(missing), "file")
    return f" lacks {files} ({listed(missing[:2])}), which"


def without_videos(missing: Sequence[str], dataset: Dataset) -> str:
    """A part of a message: how to do without the files; empty if they are not only videos."""
    if not missing or not all(name.startswith("videos/") for name in missing):
        return ""
    option = ["--drop-missing-cameras"] if dataset.missing_cameras else ["--on-broken", "skip"]
    repair = join(["roboreel", "repair", dataset.url, *option, "-o", f"{dataset.url}_repaired"])
    return (
        ". Without these, hf_dataset and get_raw_item() of LeRobotDataset(…, download_videos=False) have the"
        f" rows, and this writes the dataset: {repair}"
    )
