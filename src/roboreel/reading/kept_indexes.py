"""Packet tables of videos as bytes, to know a video without opening it."""

from __future__ import annotations

import io
import json
import platform
from dataclasses import dataclass
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from roboreel.storage.root import FileStat
from roboreel.storage.video.indexed_video import IndexedVideo
from roboreel.storage.video.packets import PacketTable, SampleEntry

_FORMAT = 1
_DIGEST_BYTES = 16
_ARRAYS = ("offset", "size", "pts", "keyframe")
_SAMPLED_PACKETS = 16


@dataclass(frozen=True, slots=True)
class KeptIndex:
    """What is known of a video file of some size and stamp."""

    key: str
    """Changes with the file's content, and with the code that decodes it."""
    table: PacketTable


def content_key(video: IndexedVideo, stat: FileStat) -> str:
    """A key that other files do not have, nor this one after a change.

    Covers size, stamp, the whole index and the bytes of some packets; also the releases that decode, which
    need not give the same pixels.

    Raises:
        StorageError: the file cannot be read.
    """
    table = video.table
    digest = blake2b(digest_size=_DIGEST_BYTES)
    digest.update(repr((_FORMAT, *_decoders(), stat.size_bytes, stat.stamp)).encode())
    digest.update(repr(_facts(table)).encode())
    for name in _ARRAYS:
        digest.update(np.ascontiguousarray(getattr(table, name)).tobytes())
    count = min(_SAMPLED_PACKETS, table.packets)
    chosen = np.linspace(0, table.packets - 1, count).astype(np.int64)
    for packet in video.packets(chosen) if count else ():
        digest.update(packet)
    return digest.hexdigest()


def rendered_index(index: KeptIndex) -> bytes:
    """An index as bytes, which `parsed_index` reads."""
    body = io.BytesIO()
    facts = {"key": index.key, "decoders": _decoders(), "table": _facts(index.table)}
    text = np.frombuffer(json.dumps(facts).encode(), np.uint8)
    np.savez(body, facts=text, **{name: getattr(index.table, name) for name in _ARRAYS})
    data = body.getvalue()
    return blake2b(data, digest_size=_DIGEST_BYTES).digest() + data


def parsed_index(data: bytes) -> KeptIndex | None:
    """The index; None if it is damaged, or from other releases."""
    body = memoryview(data)[_DIGEST_BYTES:]
    if blake2b(body, digest_size=_DIGEST_BYTES).digest() != data[:_DIGEST_BYTES]:
        return None
    with np.load(io.BytesIO(body), allow_pickle=False) as arrays:
        facts = json.loads(arrays["facts"].tobytes())
        if facts["decoders"] != _decoders():
            return None
        return KeptIndex(facts["key"], _table(facts["table"], arrays))


def _facts(table: PacketTable) -> dict[str, Any]:
    entry = table.entry
    return {
        "entry": [part.hex() for part in (entry.data, entry.matrix, entry.needs)],
        "timescale": table.timescale,
        "shown_from": table.shown_from,
        "shown_to": table.shown_to,
        "other_tracks": list(table.other_tracks),
    }


def _table(facts: dict[str, Any], arrays: Any) -> PacketTable:
    data, matrix, needs = map(bytes.fromhex, facts.pop("entry"))
    others = tuple(facts.pop("other_tracks"))
    columns = {name: arrays[name] for name in _ARRAYS}
    entry = SampleEntry(data=data, matrix=matrix, needs=needs)
    return PacketTable(entry=entry, other_tracks=others, **facts, **columns)


def _decoders() -> list[str]:
    """What a frame's pixels and an index depend on, other than the file; found without loading it."""
    releases = []
    for package in ("av", "roboreel"):
        try:
            releases.append(version(package))
        except PackageNotFoundError:
            releases.append("")
    return [str(_FORMAT), *releases, platform.machine()]
