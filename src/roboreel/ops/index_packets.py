"""Make the packet index of a dataset, and put it where readers find it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from roboreel.dataset.dataset import Dataset
from roboreel.dataset.make_packet_index import (
    MadeIndex,
    content_stamp,
    make_packet_index,
    store_stamp,
)
from roboreel.dataset.packet_indexes import keep_index
from roboreel.errors import UsageError
from roboreel.format.model import video_path
from roboreel.hub.client import Token
from roboreel.hub.open_remote import open_remote
from roboreel.hub.push_packet_index import push_packet_index
from roboreel.hub.reference import HubReference, parse_reference
from roboreel.progress.choice import ProgressChoice, listening
from roboreel.progress.reporter import begin_phase
from roboreel.storage.local import LocalRoot
from roboreel.storage.names import local_path
from roboreel.types import JsonObject

_Path = str | os.PathLike[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketIndexReport:
    """A packet index that was made."""

    path: str
    """Where it is: a file, or `user/name` on the Hub."""
    commit: str | None
    """The commit that has it on the Hub."""
    videos: int
    packets: int
    size_bytes: int
    """Of the index."""
    video_bytes: int
    """Of all videos that it is of."""
    unreadable: Mapping[str, str]
    """Videos that it lacks, and why."""

    def to_json(self) -> JsonObject:
        """The fields as JSON values."""
        return {**asdict(self), "unreadable": dict(self.unreadable)}


def index_packets(
    source: Dataset | _Path,
    out: _Path | None = None,
    *,
    push: bool = False,
    token: Token = None,
    progress: ProgressChoice = None,
) -> PacketIndexReport:
    """Make the packet index of a dataset, with which readers need one request for the packets of a frame.

    It takes about 1.5 bytes a packet. By default it is kept in the user's cache folder, where readers of
    the same dataset find it. Of a remote dataset, the beginnings of all keyframes are read: with short GOPs,
    nearly all bytes of the videos.

    Args:
        source: a dataset that is open, `user/name[@revision]`, a URL or a path.
        out: write it to this file instead, such as `DIR/meta/packet_index.parquet` to serve `DIR` by a web
            server. Of local files, digests are computed: every byte is read.
        push: True commits it to the dataset's repository on the Hub instead.
        token: the Hub's token.
        progress: True shows a bar on the terminal or in the notebook; a function is called with a
            `ProgressEvent`.

    Raises:
        UsageError: both `out` and `push` are given, `push` is and the dataset is not on the Hub, or there is
            nowhere to keep the index.
        HubError: the Hub can't be reached, or refused.
        StorageError, DatasetError: the dataset cannot be read, or changed meanwhile.
    """
    if push and out is not None:
        raise UsageError("the index is either written to a file (out) or pushed (push), not both")
    dataset = source if isinstance(source, Dataset) else open_remote(source, token=token)
    reference = _pushed_to(dataset, source) if push else None
    stamps = content_stamp if out is not None else store_stamp
    with listening(progress):
        phase = begin_phase("indexing", total=_video_count(dataset), unit="videos")
        made = make_packet_index(dataset, stamps, partial(phase.add, 1))
    report = partial(_report, made)
    if reference is not None:
        version = dataset.version.value
        commit = push_packet_index(reference, made.data, version=version, token=token)
        return report(reference.repo_id, commit)
    return report(_written(dataset, made.data, out), None)


def _pushed_to(dataset: Dataset, source: Dataset | _Path) -> HubReference:
    text = dataset.url if isinstance(source, Dataset) else os.fspath(source)
    reference = None if isinstance(dataset.root, LocalRoot) else parse_reference(text)
    if reference is None:
        raise UsageError(
            f"'{text}' is not a dataset on the Hub, so its index can't be pushed: give user/name, or write"
            " the index to a file (out)"
        )
    is_open = isinstance(source, Dataset)  # its revision is a commit
    return HubReference(reference.repo_id) if is_open else reference


def _written(dataset: Dataset, data: bytes, out: _Path | None) -> str:
    if out is not None:
        path = Path(local_path(out))
        if not path.parent.is_dir():
            raise UsageError(f"'{path.parent}' is not a folder: make it first")
        LocalRoot(path.parent).put(path.name, data)
        return str(path)
    kept = keep_index(dataset.root, data)
    if kept is None:
        raise UsageError(
            "the cache folder is off (ROBOREEL_CACHE=off): name a file for the index (out), or push it"
        )
    return kept


def _video_count(dataset: Dataset) -> int:
    return sum(len(dataset.episodes[video_path(camera)].unique()) for camera in dataset.cameras)


def _report(made: MadeIndex, path: str, commit: str | None) -> PacketIndexReport:
    return PacketIndexReport(
        path=path,
        commit=commit,
        videos=made.videos,
        packets=made.packets,
        size_bytes=len(made.data),
        video_bytes=made.video_bytes,
        unreadable=made.unreadable,
    )
