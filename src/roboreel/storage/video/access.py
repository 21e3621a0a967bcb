"""Find the keyframes where a decoder can start whatever it decoded before, and what may precede them.

A file marks packets as keyframes where a player may start from scratch. In h264 and hevc some of them
(recovery points of open GOPs and of intra refresh, hevc's CRA pictures) do not reset the decoder: after the
packets of another episode, it would decode them to different pictures. Join only before pictures that reset:
h264 IDR (NAL type 5), hevc IDR and BLA (types 16 to 20; ITU-T H.264 table 7-1, H.265 table 7-1).

A keyframe also depends on the parameter sets that came before it (`headers.py`). A file can be cut at a
keyframe only if a decoder that starts there, with the sets of the sample entry, has the same sets as one that
played the file up to there.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from roboreel.errors import VideoError
from roboreel.storage.video.codec_context import LIMITS, CodecContext
from roboreel.storage.video.headers import (
    ByteSource,
    Head,
    Packet,
    Sets,
    codec_of,
    sets_of_packets,
)
from roboreel.storage.video.packets import PacketRun, PacketTable
from roboreel.storage.video.reorder import may_reorder

CHANGING = "changing"
"""Value of `Joining.sets` where the parameter sets change within a run of packets."""
_BARE = "bare"
_DIGEST_BYTES = 8
_MOST_TRIED = 32
"""Packets that are decoded to find out whether they can be."""


@dataclass(frozen=True, slots=True)
class Joining:
    """What may precede a run of packets in a file."""

    apart: bool = False
    """True where nothing may precede it: it can only begin a file."""
    first: bool = False
    """True where it must begin a file: it makes a decoder drop pictures that wait to be shown, or it does not
    decode after the packets that precede it now."""
    sets: str = ""
    """Runs may follow each other where these are equal; empty where a run only has the sample entry's
    sets."""


class AccessPoints:
    """Tells which packets of an open video file reset a decoder, and which may follow which."""

    def __init__(
        self, file: ByteSource, table: PacketTable, like: AccessPoints | None = None
    ) -> None:
        """Read nothing yet.

        Args:
            file: the file.
            table: its packets.
            like: another one of the same file: what one of them has read of a packet, both know.
        """
        self._file, self._table = file, table
        self._codec = codec_of(table.entry)
        self._known: dict[int, Head] = {} if like is None else like._known
        self._resetting: dict[int, bool] = {} if like is None else like._resetting
        self._bearers = table.keys if table.keyframe[0] else np.insert(table.keys, 0, 0)
        """Decode positions of packets that may bring sets: the keyframes and the file's first packet."""
        self._scanned = 0
        """How many of the bearers have been read."""
        self._brought: list[tuple[int, Sets]] = []
        """The sets that packets bring, by decode position, where they differ from the previous ones."""
        self._tried: dict[int, tuple[int, int]] = {}
        """By change of sets: the last later packet that relies on it, and the first that does not."""
        self._changes: list[tuple[int, Sets]] = []
        """The sets in force that are not the sample entry's, with the decode position where they begin."""

    def resets(self, position: int) -> bool:
        """True where a decoder can start at the packet at a decode position as if it had played up to there.

        For codecs without parameter sets this is assumed of every keyframe.
        """
        if self._codec is None:
            return True
        if position not in self._resetting:
            self._resetting[position] = self._head(position).resets and self._suffices(position)
        return self._resetting[position]

    def starts_over(self, position: int) -> bool:
        """True where a flushed decoder decodes from the packet at a decode position as a new one does.

        A flush keeps the sets that packets brought. A keyframe of AV1 replaces them if it brings any.
        """
        if self._codec is not None and self._codec.whole:
            return bool(self._head(position).sets)
        return self.resets(position) and not self._changes

    def relies_on_earlier_sets(self, position: int) -> bool:
        """True where the packet at a decode position depends on sets that came with earlier packets."""
        return self._codec is not None and not self._suffices(position)

    def is_spoilt(self, position: int) -> bool:
        """True where the packet at a decode position decodes alone, but not with the sets before it."""
        return (
            self._codec is not None
            and bool(self._changed_for(position))
            and self._suffices(position)
        )

    def drops_waiting(self, position: int) -> bool:
        """True where the packet at a decode position makes a decoder drop pictures that wait to be shown."""
        if self._codec is None or not self._head(position).drops_waiting:
            return False
        return may_reorder(self._table.entry, self._head(position).sets)

    def joining(self, run: PacketRun) -> Joining:
        """What may precede a run of packets in a file."""
        first = int(run.positions[0])
        sets = self._sets_within(first, int(run.positions[-1]))
        apart = not self.resets(first) or sets == CHANGING
        return Joining(
            apart=apart, first=self.drops_waiting(first) or self.is_spoilt(first), sets=sets
        )

    def _head(self, position: int) -> Head:
        if position not in self._known:
            self._known[position] = self._read(position)
        return self._known[position]

    def _read(self, position: int) -> Head:
        assert self._codec is not None
        start, size = int(self._table.offset[position]), int(self._table.size[position])
        return self._codec.head(Packet(self._file, start, size))

    def _suffices(self, position: int) -> bool:
        """True where the packet needs no sets besides its own and the sample entry's."""
        if not self._changed_for(position):
            return True
        # packets that continue a recording come before the ones that were joined to it, until sets
        # change again
        change = bisect_left(self._changes, position, key=_position)
        relies, alone = self._tried.get(change, (-1, self._table.packets))
        if relies < position < alone:
            bearers = self._bearers_of(self._before(position), position)
            if self._decodes_alone(position, bearers):
                alone = position
            else:
                relies = position
            self._tried[change] = relies, alone
        return position >= alone

    def _decodes_alone(self, position: int, before: Sequence[int]) -> bool:
        """True where a keyframe and the packets after it decode by themselves, but not after certain packets.

        Where they decode either way, the result is False: success says nothing, even if the frames differ.

        Args:
            position: the keyframe's decode position.
            before: decode positions of earlier keyframes, which bring parameter sets.
        """
        following = self._table.keys[self._table.keys > position]
        stop = min([position + _MOST_TRIED, self._table.packets, *following[:1].tolist()])
        own = range(position, stop)
        return self._decodes((), own) and not self._decodes(before, own)

    def _decodes(self, before: Sequence[int], positions: Sequence[int]) -> bool:
        """True where packets decode without an error after the decoder was given certain others."""
        import av

        # by default FFmpeg hides errors: it gives a frame with pixels of its own
        strict = {**LIMITS, "err_detect": "explode"}
        try:
            context = CodecContext(self._table.entry, self._packet(0), "", strict)
            for at in before:
                context.decode(at, self._packet(at))
                # only their sets are to remain: a picture must not have them to refer to
                context.drain()
                context.flush()
            frames = [frame for at in positions for frame in context.decode(at, self._packet(at))]
            frames += context.drain()
        except (av.FFmpegError, VideoError, OSError, ValueError):
            return False
        return len(frames) == len(positions) and not any(frame.is_corrupt for frame in frames)

    def _packet(self, position: int) -> bytes:
        self._file.seek(int(self._table.offset[position]))
        return self._file.read(int(self._table.size[position]))

    def _bearers_of(self, changed: Sets, position: int) -> list[int]:
        """Decode positions of the packets before a position that last brought each changed set."""
        left, found = set(changed), list[int]()
        for at, sets in reversed(self._brought):
            if at < position and left & sets.keys():
                found.append(at)
                left -= sets.keys()
        return found[::-1]

    def _changed_for(self, position: int) -> bool:
        """True where earlier packets changed sets that this packet does not bring itself."""
        assert self._codec is not None
        if position == 0:
            return False
        if self._codec.whole and self._head(position).sets:
            return False
        changed = self._before(position)
        return not changed.keys() <= self._head(position).sets.keys()

    def _sets_within(self, first: int, last: int) -> str:
        """A name for the sets that a run of packets starts with; `CHANGING` if they change within the run."""
        if self._codec is None:
            return ""
        brought = self._head(first).sets
        if self._codec.whole and brought:
            return ""
        self._before(last + 1)
        own = self._changed({}, brought)
        begin, stop = (bisect_left(self._brought, at, key=_position) for at in (first, last + 1))
        for _, sets in self._brought[begin:stop]:
            if self._changed(own, sets) != own:
                return CHANGING
        return _BARE if self._codec.whole else _digest(own)

    def _before(self, position: int) -> Sets:
        """The sets in force before a decode position that differ from the sample entry's."""
        assert self._codec is not None
        last: Sets | None = None
        stop = int(np.searchsorted(self._bearers, position))
        new, self._scanned = self._bearers[self._scanned : stop], max(self._scanned, stop)
        offset, size = self._table.offset[new].tolist(), self._table.size[new].tolist()
        found = sets_of_packets(self._codec, self._file, zip(offset, size, strict=True))
        for at, sets in zip(new.tolist(), found, strict=True):
            # the same object: `sets_of_packets` saw that the packet begins like the one before
            if sets and sets is not last:
                last = sets
                self._brought.append((at, sets))
                before = self._changes[-1][1] if self._changes else {}
                after = self._changed(before, sets)
                if after != before:
                    self._changes.append((at, after))
        index = bisect_left(self._changes, position, key=_position)
        return self._changes[index - 1][1] if index else {}

    def _changed(self, before: Sets, brought: Sets) -> Sets:
        """The sets in force after a packet brings more, without those of the sample entry."""
        assert self._codec is not None
        own = self._codec.sets
        return {key: data for key, data in {**before, **brought}.items() if own.get(key) != data}


def _position(found: tuple[int, Sets]) -> int:
    return found[0]


def _digest(sets: Mapping[bytes, bytes]) -> str:
    if not sets:
        return ""
    digest = blake2b(digest_size=_DIGEST_BYTES)
    for key, data in sorted(sets.items()):
        digest.update(key + len(data).to_bytes(4, "big") + data)
    return digest.hexdigest()
