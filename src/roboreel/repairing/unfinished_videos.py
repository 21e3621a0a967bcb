"""Repair videos that their writer did not finish: they have packets, but no index."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from roboreel.errors import StorageError
from roboreel.format.model import Info
from roboreel.format.repairs import SKIP
from roboreel.repairing.draft import Draft
from roboreel.storage.root import Root
from roboreel.storage.video.index import read_packet_table
from roboreel.storage.video.packets import SampleEntry
from roboreel.storage.video.recover import recover_video

_TAKE = re.compile(r"\.roboreel-recording/((?:take|kept/[^/]+)/(?P<camera>.+)\.mp4)")
"""Videos of takes that were not saved, of our recorder."""
_MOST_BOXES = 1000


def finish_videos(draft: Draft, info: Info) -> None:
    """Give unfinished videos an index; those of takes that were not saved are kept apart."""
    for name in draft.list():
        if name.endswith(".mp4") and lacks_index(draft, name):
            take = _TAKE.fullmatch(name)
            camera = take["camera"] if take else _camera_of(name, info)
            if camera is not None:
                _finish(draft, info, name, camera, take[1] if take else None)


def lacks_index(root: Root, name: str) -> bool:
    """True if a file begins as an MP4, holds data, and ends without an index."""
    size = root.stat(name).size_bytes
    at, seen = 0, set()
    for _ in range(_MOST_BOXES):
        (head,) = root.ranges(name, [(at, 16)])
        if len(head) < 8:
            break
        length, kind = struct.unpack_from(">I4s", head)
        if length == 1 and len(head) == 16:
            length = struct.unpack_from(">Q", head, 8)[0]
        seen.add(kind)
        if at == 0 and kind != b"ftyp":
            return False
        if kind == b"moov":
            return at + length > size and b"mdat" in seen
        if length < 8 or at + length > size:
            break
        at += length
    return b"mdat" in seen


def _camera_of(name: str, info: Info) -> str | None:
    """The camera whose folder a video is in, or whose name it begins with."""
    folder, _, own = name.rpartition("/")
    found = [c for c in info.cameras if f"/{c}/" in f"/{folder}/" or own.startswith(f"{c}_")]
    return max(found, key=len, default=None)


def _finish(draft: Draft, info: Info, name: str, camera: str, take: str | None) -> None:
    entries = _entries(draft, camera, name)
    frames = 0
    for entry in (None, *entries):
        frames = recover_video(draft, name, into=draft.made, fps=info.fps, entry=entry)
        if frames:
            break
    if not frames:
        what = "the file has no index, and none of its frames can be recovered"
        draft.leave("video.readable", what, path=name, choice="" if take else SKIP)
        return
    if take is not None:
        kept = draft.keep_apart(name, take)
        what = f"a take that was not saved has {frames:,} frames: recovered as '{kept}'"
        draft.repaired("video.readable", what, path=name)
        return
    draft.take_made(name)
    draft.repaired(
        "video.readable", f"the file had no index: recovered {frames:,} frames", path=name
    )


def _entries(draft: Draft, camera: str, name: str) -> Iterator[SampleEntry]:
    """How the first readable video of the camera is decoded."""
    for other in draft.list():
        if other != name and other.endswith(".mp4") and f"/{camera}/" in f"/{other}":
            try:
                yield read_packet_table(draft, other).entry
            except StorageError:
                continue
            return
