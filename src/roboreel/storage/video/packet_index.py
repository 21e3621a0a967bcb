"""The packet index of a dataset: one small file that tells where all packets of its videos are.

A Parquet file with a row per file of the dataset: name, size and stamp; for a video, its packets too
(`packed_packets.py`). A reader that has it needs one request for the packets of a frame.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from roboreel.errors import StorageError, VideoError
from roboreel.storage.root import FileStat, checked
from roboreel.storage.video.headers import codec_of
from roboreel.storage.video.key_access import KeyAccess
from roboreel.storage.video.packed_packets import SCHEMA, unpacked_packets
from roboreel.storage.video.packets import PacketTable
from roboreel.storage.video.stream_units import has_sized_units

INDEX_FILE = "meta/packet_index.parquet"
"""Where a dataset has its packet index, if it does."""
_VERSION_KEY, _VERSION = b"roboreel.packet_index", b"2"
_FILES = pa.schema([("path", pa.string()), ("size_bytes", pa.int64()), ("stamp", pa.string())])
_COLUMNS = pa.schema([*_FILES, *SCHEMA])
_AGAIN = "make it again with `roboreel index`"


class KnownVideo(NamedTuple):
    """What an index says of a video."""

    table: PacketTable
    access: KeyAccess
    only_by_size: bool
    """True if the file has the size that the index says, but no stamp: only its packets can tell more."""


class FileRow(NamedTuple):
    """A file, and the columns of `packed_packets` if it is a video that can be read."""

    path: str
    stat: FileStat
    packed: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class PacketIndex:
    """A packet index in memory, still packed."""

    name: str
    """The file that it is from, for messages."""
    files: Mapping[str, FileStat]
    """Size and stamp of all files of the dataset when the index was made."""
    _table: pa.Table = field(repr=False)
    _row_of: Mapping[str, int] = field(repr=False)

    @property
    def videos(self) -> frozenset[str]:
        """Names of the videos whose packets it has."""
        return frozenset(self._row_of)

    @property
    def packets(self) -> int:
        """Number of packets of all videos."""
        return sum(filter(None, self._table["packets"].to_pylist()))

    def matches(self, path: str, now: FileStat) -> bool:
        """True if it was made from a file that is as it is now; only sizes tell where there are no stamps."""
        then = self.files.get(path)
        same_size = then is not None and then.size_bytes == now.size_bytes
        return same_size and (not now.stamp or now.stamp == self.files[path].stamp)

    def video(self, path: str, now: FileStat) -> KnownVideo | None:
        """What it says of a video; None if it says nothing, or was made from another state of the file.

        Without a stamp, a file of the same size may be another one. Then nothing is said of codecs whose
        packets would not show it.

        Raises:
            VideoError: the index is damaged.
        """
        row = self._row_of.get(path)
        if row is None or not self.matches(path, now):
            return None
        packed = {name: self._table[name][row].as_py() for name in SCHEMA.names}
        try:
            table, access = unpacked_packets(packed, now.size_bytes)
        except VideoError as error:
            raise VideoError(f"'{path}' in '{self.name}': {error}: {_AGAIN}") from error
        only_by_size = not now.stamp
        if only_by_size and not has_sized_units(codec_of(table.entry)):
            return None
        return KnownVideo(table, access, only_by_size)


def rendered_packet_index(rows: Iterable[FileRow]) -> bytes:
    """An index as a file; the same rows give the same bytes."""
    nothing = dict.fromkeys(SCHEMA.names)
    columns = [
        {
            "path": row.path,
            "size_bytes": row.stat.size_bytes,
            "stamp": row.stat.stamp,
            **(row.packed or nothing),
        }
        for row in sorted(rows, key=lambda row: row.path)
    ]
    output = io.BytesIO()
    # a small dataset has more bytes of statistics and schemas than of packets
    plain: Any = {"compression": "zstd", "use_dictionary": False, "write_statistics": False}
    with pq.ParquetWriter(output, _COLUMNS, store_schema=False, **plain) as writer:
        writer.write_table(pa.Table.from_pylist(columns, _COLUMNS))
        writer.add_key_value_metadata({_VERSION_KEY: _VERSION})
    return output.getvalue()


def parsed_packet_index(data: bytes, name: str) -> PacketIndex:
    """The index in a file.

    Args:
        data: the file.
        name: its name, for messages.

    Raises:
        StorageError: it is damaged, or of another version.
    """
    try:
        table = pq.read_table(pa.BufferReader(data)).combine_chunks()
        version = (table.schema.metadata or {}).get(_VERSION_KEY)
        if version == _VERSION:
            table = table.select(_COLUMNS.names).cast(_COLUMNS)
            table.validate()
    except (pa.ArrowException, ValueError, KeyError, OSError) as error:
        raise StorageError(f"'{name}' is not a packet index, or damaged: {_AGAIN}") from error
    if version != _VERSION:
        said = "none" if version is None else version.decode("latin-1")
        raise StorageError(
            f"'{name}' is a packet index of version {said}, expected {_VERSION.decode()}: {_AGAIN}, or"
            " update roboreel"
        )
    paths = [checked(path or "") for path in table["path"].to_pylist()]
    stats = zip(table["size_bytes"].to_pylist(), table["stamp"].to_pylist(), strict=True)
    files = {
        path: FileStat(size or 0, stamp or "")
        for path, (size, stamp) in zip(paths, stats, strict=True)
    }
    is_video = table["table"].is_valid().to_pylist()
    row_of = {path: row for row, path in enumerate(paths) if is_video[row]}
    return PacketIndex(name, files, table, row_of)
