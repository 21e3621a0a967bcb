"""Turn the packets of an encoder, in memory, into those of an MP4 file, and describe them to a decoder.

Encoders give h264 and hevc with start codes (ITU-T H.264 and H.265, annex B), MP4 files have each NAL unit
behind its length (ISO/IEC 14496-15). Parameter sets that the sample entry has are left out of the packets.
AV1 keeps its OBUs; only the temporal delimiter in front goes (AV1 in ISOBMFF, 2.4).
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from roboreel.errors import UsageError, VideoError
from roboreel.storage.video.boxes import ENTRY_HEADER, box, boxes
from roboreel.storage.video.config import h264_config, hevc_config
from roboreel.storage.video.index import packet_table_of
from roboreel.storage.video.packets import SampleEntry
from roboreel.storage.video.stream_units import (
    Av1Units,
    H264Units,
    HevcUnits,
    Units,
    split_obus,
    split_units,
)

_START = b"\0\0\1"
_DELIMITER = b"\x12\0"
"""The OBU that begins a temporal unit."""
_UNITS: Mapping[str, Units] = {"h264": H264Units(), "hevc": HevcUnits(), "av1": Av1Units()}
_DEMUXERS = {"h264": "h264", "hevc": "hevc", "av1": "obu"}
_MOST_KNOWN = 32
_known: dict[tuple[str, bytes], SampleEntry] = {}
"""By codec and parameter sets: making an entry takes some milliseconds."""


@dataclass(frozen=True, slots=True)
class StreamPacket:
    """One packet as an MP4 file has it."""

    data: bytes
    keyframe: bool
    """True where decoding can start."""


class EncodedStream:
    """The packets of one encoder for one file."""

    def __init__(self, codec: str, extradata: bytes = b"") -> None:
        """Expect packets.

        Args:
            codec: `h264`, `hevc` or `av1`.
            extradata: parameter sets: in Annex B, as OBUs, or the payload of an `avcC`, `hvcC` or `av1C` box.

        Raises:
            UsageError: another codec.
        """
        if codec not in _DEMUXERS:
            raise UsageError(f"codec is '{codec}', expected h264, hevc or av1")
        self.codec, self.extradata = codec, extradata
        self.entry: SampleEntry | None = None
        """How to decode the packets; known from the first packet on."""
        self._units = _UNITS[codec]
        self._length, sets = _given_sets(codec, extradata)
        self._sets: dict[bytes, None] = dict.fromkeys(sets)
        self._changed = False

    def packet(self, data: bytes) -> StreamPacket:
        """The packet of one frame for the file.

        Raises:
            UsageError: it is not one whole frame of this codec, the first one is not a keyframe, or the
                stream changes its frame size.
            VideoError: no decoder could read it.
        """
        units = split_obus(data) if self.codec == "av1" else split_units(data, self._length)
        found = self._units.inspect(units)
        if found.frames != 1:
            raise UsageError(
                f"a packet must hold one {self.codec} frame, this one holds {found.frames}"
            )
        if self.entry is None:
            if not found.keyframe:
                raise UsageError("the first packet must be a keyframe (an IDR frame)")
            self._begin(found.sets, data if self.codec == "av1" else units)
        elif not self._changed:
            changed = any(own not in self._sets for own in found.sets)
            if changed:
                self._refuse_other_size(found.sets, units)
            self._changed = changed
        return StreamPacket(self._written(data, units, found.sets), found.keyframe)

    def _begin(self, brought: Sequence[bytes], units: bytes | Sequence[bytes]) -> None:
        self._sets |= dict.fromkeys(brought)
        if not self._sets:
            raise UsageError(
                f"the first packet brings no {self.codec} parameter sets: pass them as extradata"
            )
        self.entry = sample_entry_of(self.codec, [*self._sets], units, self.extradata)

    def _refuse_other_size(self, brought: Sequence[bytes], units: Sequence[bytes]) -> None:
        assert self.entry is not None
        if self.codec == "av1" or not self._units.has_sequence(brought):
            return
        try:
            other = sample_entry_of(self.codec, brought, units)
        except VideoError as error:
            raise UsageError("the packet brings parameter sets that no decoder reads") from error
        if (other.width, other.height) != (self.entry.width, self.entry.height):
            raise UsageError(
                f"the stream changes from {self.entry.width}×{self.entry.height} to"
                f" {other.width}×{other.height} pixels (width×height)"
            )

    def _written(self, data: bytes, units: Sequence[bytes], brought: Sequence[bytes]) -> bytes:
        if self.codec == "av1":
            return data[len(_DELIMITER) :] if data.startswith(_DELIMITER) else data
        # once sets change, the entry's are out of date: from then on packets keep what they bring
        if brought and not self._changed:
            units = [unit for unit in units if unit not in self._sets]
        return b"".join([part for unit in units for part in (len(unit).to_bytes(4, "big"), unit)])


def sample_entry_of(
    codec: str, sets: Sequence[bytes], units: bytes | Sequence[bytes], extradata: bytes = b""
) -> SampleEntry:
    """The sample entry that FFmpeg's muxer makes for a stream.

    Args:
        codec: `h264`, `hevc` or `av1`.
        sets: its parameter sets.
        units: those of the first keyframe; of AV1 the whole packet.
        extradata: the encoder's own; of AV1 it is written into the entry.

    Raises:
        VideoError: no decoder could read it.
    """
    key = (codec, b"\0\0\0".join([*sets, extradata]))
    if key not in _known:
        if isinstance(units, bytes):
            stream = (b"" if units.startswith(_DELIMITER) else _DELIMITER) + _with_sets(sets, units)
        else:
            slices = [unit for unit in units if unit not in sets]
            stream = b"".join(_START + unit for unit in [*sets, *slices])
        entry = _muxed_entry(codec, stream)
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        _known[key] = _with_config(entry, extradata) if codec == "av1" else entry
    return _known[key]


def _with_sets(sets: Sequence[bytes], packet: bytes) -> bytes:
    """An AV1 packet with its sequence header, which may be in the extradata only."""
    if any(own in packet for own in sets):
        return packet
    bare = packet.removeprefix(_DELIMITER)
    return (_DELIMITER if bare != packet else b"") + b"".join(sets) + bare


def _muxed_entry(codec: str, stream: bytes) -> SampleEntry:
    import av  # heavy: loaded only for video

    made = io.BytesIO()
    try:
        with av.open(io.BytesIO(stream), "r", format=_DEMUXERS[codec]) as source:
            track = source.streams.video[0]
            with av.open(made, "w", format="mp4") as target:
                copy: Any = target.add_stream_from_template(track, opaque=True)
                packet = next(one for one in source.demux(track) if one.size)
                packet.stream, packet.pts, packet.dts = copy, 0, 0
                target.mux(packet)
    except (av.FFmpegError, ValueError, IndexError, StopIteration) as error:
        raise VideoError(
            f"the first packet is not a readable {codec} keyframe ({error})"
        ) from error
    made.seek(0)
    return packet_table_of(made, "the first packet").entry


def _with_config(entry: SampleEntry, extradata: bytes) -> SampleEntry:
    """An AV1 entry with the sequence header of the extradata, as a muxer writes it, not the packet's.

    svt-av1's two differ, and entries must be equal where files are joined.
    """
    if not extradata:
        return entry
    config = extradata[4:] if extradata[0] & 0x80 else extradata
    data = entry.data[:ENTRY_HEADER]
    for found in boxes(entry.data, ENTRY_HEADER):
        payload = entry.data[found.start : found.stop]
        data += box(found.kind, payload[:4] + config if found.kind == "av1C" else payload)
    return SampleEntry(data=len(data).to_bytes(4, "big") + data[4:], matrix=entry.matrix)


_CONFIGS: Mapping[str, Any] = {"h264": h264_config, "hevc": hevc_config}


def _given_sets(codec: str, extradata: bytes) -> tuple[int, list[bytes]]:
    """(bytes of a unit's length in packets, 0 for start codes; the parameter sets) of an extradata."""
    if not extradata:
        return 0, []
    if codec == "av1":
        return 0, [*split_obus(extradata[4:] if extradata[0] & 0x80 else extradata)]
    if extradata[0] != 1:
        return 0, split_units(extradata, 0)
    try:
        length, units = _CONFIGS[codec](extradata)
    except IndexError as error:
        raise UsageError(f"the extradata is cut short, expected {codec} parameter sets") from error
    return length, units
