"""Make the packet index of a dataset: read the index and the keyframes' beginnings of all its videos."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from roboreel.dataset.dataset import Dataset
from roboreel.errors import ChangedInputError, StorageError, VideoError
from roboreel.format.model import video_path
from roboreel.storage.local import LocalRoot
from roboreel.storage.root import FileStat, Root
from roboreel.storage.video.access import AccessPoints
from roboreel.storage.video.index import read_packet_table
from roboreel.storage.video.key_access import key_access
from roboreel.storage.video.keyframe_heads import KeyframeHeads
from roboreel.storage.video.packed_packets import packed_packets
from roboreel.storage.video.packet_index import INDEX_FILE, FileRow, rendered_packet_index

_THREADS = 4
_BLOCK_BYTES = 1 << 20
Stamps = Callable[[Root, str, FileStat], FileStat]


@dataclass(frozen=True, slots=True)
class MadeIndex:
    """A packet index that was made, and what it was made from."""

    data: bytes = field(repr=False)
    """The file."""
    videos: int
    packets: int
    video_bytes: int
    unreadable: Mapping[str, str]
    """Why a video is not in it, by name."""


def make_packet_index(
    dataset: Dataset, stamps: Stamps, done: Callable[[], object] = lambda: None
) -> MadeIndex:
    """The packet index of a dataset.

    Args:
        dataset: the dataset, local or remote. Of a remote one, parts of the videos are read: with short GOPs,
            nearly all of them.
        stamps: gives size and stamp of a file that is to be noted: `store_stamp` or `content_stamp`.
        done: called after each video.

    Raises:
        StorageError: a file is missing, or changed meanwhile.
        HubError: the Hub can't be reached, or refused.
    """
    root, videos = dataset.root, _videos(dataset)
    names = [name for name in dataset.files if name != INDEX_FILE]
    now = {name: _found(stat) for name, stat in zip(names, root.stats(names), strict=True)}
    others = set(names).difference(videos)
    rows = [FileRow(name, stamps(root, name, now[name])) for name in names if name in others]
    unreadable: dict[str, str] = {}
    packets = 0
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="roboreel-index") as pool:
        for row, error in pool.map(partial(_video_row, root, stamps, now), videos):
            rows.append(row)
            if row.packed is None:
                unreadable[row.path] = error
            else:
                packets += row.packed["packets"]
            done()
    return MadeIndex(
        data=rendered_packet_index(rows),
        videos=len(videos) - len(unreadable),
        packets=packets,
        video_bytes=sum(row.stat.size_bytes for row in rows if row.packed is not None),
        unreadable=unreadable,
    )


def store_stamp(_root: Root, _name: str, stat: FileStat) -> FileStat:
    """Size and stamp of a file, as its store tells them: for an index that is kept for the same store."""
    return stat


def content_stamp(root: Root, name: str, stat: FileStat) -> FileStat:
    """Size of a file, and the digest by which the Hub knows its content; reads local files completely."""
    if not isinstance(root, LocalRoot):
        return stat
    digest = hashlib.sha256()
    with root.input(name) as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return FileStat(stat.size_bytes, f"sha256:{digest.hexdigest()}")


def _found(stat: FileStat | StorageError) -> FileStat:
    if isinstance(stat, StorageError):
        raise stat
    return stat


def _videos(dataset: Dataset) -> list[str]:
    """Names of the video files that episodes use, as far as they are there."""
    files = frozenset(dataset.files)
    names = {
        path
        for camera in dataset.cameras
        for path in dataset.episodes[video_path(camera)].unique().to_pylist()
    }
    return sorted(name for name in names if name in files)


def _video_row(
    root: Root, stamps: Stamps, now: Mapping[str, FileStat], name: str
) -> tuple[FileRow, str]:
    """(row of a video, why it has no packets)."""
    noted = stamps(root, name, now[name])
    try:
        table = read_packet_table(root, name)
        points = AccessPoints(KeyframeHeads(root.kept_open(name), table), table)
        packed = packed_packets(table, key_access(points, table))
    except VideoError as error:
        return FileRow(name, noted), str(error)
    if root.stat(name) != now[name]:
        raise ChangedInputError(
            f"'{name}' in '{root.url}' changed while it was read: run this again"
        )
    return FileRow(name, noted, packed), ""
