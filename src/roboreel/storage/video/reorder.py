"""Find out from the stream itself whether frames are shown in another order than they are decoded in.

The times in a container say in which order frames are shown. So do the streams: h264 and hevc by a count in
each picture (picture order count), MPEG-4 by the type of each picture. Where they contradict each other, a
player shows the frames in the stream's order, and a reader by time finds different ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import IO

import numpy as np

from roboreel.storage.video.bits import Bits
from roboreel.storage.video.headers import (
    Codec,
    Packet,
    Sets,
    codec_of,
    packet_in_memory,
    skip_hevc_profile,
)
from roboreel.storage.video.packets import Int64, PacketTable, SampleEntry

_MOST_PACKETS = 64
"""Packets to examine from the beginning of a file: an encoder that reorders frames does so within two
seconds."""
_FEWEST = 3
"""Fewest packets from one keyframe to the next that make reordering possible."""
_WITH_FORMAT = (100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135)
"""Profiles of h264 whose SPS contains the chroma format."""
_H264_SPS, _H264_PPS, _HEVC_SPS, _HEVC_PPS, _MPEG4_LAYER = 7, 8, 33, 34, 0x20


@dataclass(frozen=True, slots=True)
class _CodedFrame:
    resets: bool
    """True where counts restart with it."""
    reference: bool
    """True where later counts are relative to its own."""
    low: int
    """The lowest bits of its count."""


def contradicts_times(file: IO[bytes], table: PacketTable) -> bool:
    """True where a file's times follow the decode order, but its stream shows frames in another order.

    Only some packets from the beginning of the file are examined, and none if the stream's setup rules it
    out.
    """
    codec = codec_of(table.entry)
    if codec is None or codec.slice_of is None or not table.in_order or not _has_room(table):
        return False
    spans = zip(table.offset.tolist(), table.size.tolist(), strict=True)
    packets = [Packet(file, *span) for span, _ in zip(spans, range(_MOST_PACKETS), strict=False)]
    sets = {**codec.sets, **codec.head(packets[0]).sets}
    try:
        return _KINDS[codec.name](codec, sets, packets)
    except (ValueError, LookupError):  # data that cannot be read proves nothing
        return False


def reorders(entry: SampleEntry, packets: Iterable[bytes]) -> bool:
    """True where packets in decode order, as an MP4 file has them, show their frames in another order."""
    codec = codec_of(entry)
    read = [packet_in_memory(data) for data in packets]
    if codec is None or codec.slice_of is None or not read:
        return False
    sets = {**codec.sets, **codec.head(read[0]).sets}
    try:
        return _KINDS[codec.name](codec, sets, read)
    except (ValueError, LookupError):  # data that cannot be read proves nothing
        return False


def may_reorder(entry: SampleEntry, sets: Sets) -> bool:
    """False where an hevc stream says that frames are shown in decode order.

    Args:
        entry: the stream's sample entry.
        sets: additional parameter sets that the stream brings.
    """
    codec = codec_of(entry)
    known = {**(codec.sets if codec else {}), **sets}
    try:
        return any(_hevc_sequence(data)[2] for data in _of_kind(known, _HEVC_SPS).values())
    except ValueError:
        return True


def _has_room(table: PacketTable) -> bool:
    keys = table.keys[table.keys < _MOST_PACKETS]
    ends = np.append(keys[1:], min(table.packets, _MOST_PACKETS))
    return bool((ends - keys >= _FEWEST).any()) if len(keys) else table.packets >= _FEWEST


def _of_kind(sets: Sets, kind: int) -> dict[int, bytes]:
    """The sets of one kind, by number."""
    return {key[-1]: data for key, data in sets.items() if key[0] == kind}


def display_positions(
    file: IO[bytes], entry: SampleEntry, spans: Sequence[tuple[int, int]]
) -> Int64:
    """(n,) the number of the frame that each packet shows, counted from 0, as the stream counts its pictures.

    Where packets are missing at the end, numbers are missing among the last ones.

    Args:
        file: has the packets.
        entry: how to decode them.
        spans: (start, size) in the file of each packet, in decode order; the first one is a keyframe.

    Raises:
        ValueError, LookupError: the stream does not tell.
    """
    packets = [Packet(file, *span) for span in spans]
    codec = codec_of(entry)
    if codec is None or codec.name not in _COUNTS or not packets:
        return np.arange(len(packets), dtype=np.int64)
    sets = {**codec.sets, **codec.head(packets[0]).sets}
    frames, bits = _COUNTS[codec.name](codec, sets, packets)
    if not bits:
        return np.arange(len(packets), dtype=np.int64)
    groups = _counts_by_group(frames, bits)
    if sum(map(len, groups)) != len(packets):
        raise ValueError("a packet without a picture")
    usual = 2 if codec.name == "h264" else 1  # h264 counts fields
    step = math.gcd(usual, *(count - group[0] for group in groups for count in group))
    first = np.cumsum([0, *map(len, groups[:-1])])
    numbers = [(np.array(group) - min(group)) // step for group in groups]
    return np.concatenate([own + at for own, at in zip(numbers, first, strict=True)])


def _counts_by_group(frames: Iterable[_CodedFrame], bits: int) -> list[list[int]]:
    """The counts of pictures in decode order, in a group from one restart of counts to the next."""
    period = 1 << bits
    groups: list[list[int]] = []
    before = 0
    for frame in frames:
        count = frame.low
        if frame.resets or not groups:
            groups.append([])
        else:
            # the count with these low bits that is nearest to the last reference's (H.264 8.2.1, H.265 8.3.1)
            count = before + (frame.low - before + period // 2) % period - period // 2
        groups[-1].append(count)
        before = count if frame.reference or frame.resets else before
    return groups


def _falls(frames: Iterable[_CodedFrame], bits: int) -> bool:
    """True where a picture's count is lower than an earlier one since counts restarted (8.2.1, 8.3.1)."""
    period = 1 << bits
    before = highest = 0
    for frame in frames:
        if frame.resets:
            before = highest = frame.low
            continue
        near = (frame.low - before + period // 2) % period - period // 2
        count = before + near
        if count < highest:
            return True
        highest = count
        if frame.reference:
            before = count
    return False


def _h264(codec: Codec, sets: Sets, packets: Iterable[Packet]) -> bool:
    return _falls(*_h264_counts(codec, sets, packets))


def _h264_counts(
    codec: Codec, sets: Sets, packets: Iterable[Packet]
) -> tuple[Iterable[_CodedFrame], int]:
    """The coded frames, and the bits of their counts; 0 bits where they are shown as they are decoded."""
    sequences, parameters = _of_kind(sets, _H264_SPS), _of_kind(sets, _H264_PPS)
    own = {number: _h264_sequence(data) for number, data in sequences.items()}
    if all(found.bits is None for found in own.values()):
        return (), 0
    of_frame = {number: _second_number(data) for number, data in parameters.items()}

    def frame(unit: bytes) -> _CodedFrame:
        bits = Bits(unit[1:])  # a slice header (7.3.3)
        bits.golomb()  # first_mb_in_slice
        bits.golomb()  # slice_type
        sequence = own[of_frame[bits.golomb()]]
        if sequence.bits is None:
            raise ValueError("counts that no slice has")
        bits.take(2 if sequence.planes else 0)  # colour_plane_id
        bits.take(sequence.frame_bits)  # frame_num
        if sequence.fields and bits.take(1):  # field_pic_flag
            bits.take(1)  # bottom_field_flag
        resets = unit[0] & 0x1F == 5
        if resets:
            bits.golomb()  # idr_pic_id
        return _CodedFrame(resets, bool(unit[0] & 0x60), bits.take(sequence.bits))

    widths = {found.bits for found in own.values() if found.bits is not None}
    return map(frame, _slices(codec, packets)), min(widths)


@dataclass(frozen=True, slots=True)
class _H264Sequence:
    bits: int | None
    """Bits of a picture's count in its slices; None where the decode order gives the count."""
    frame_bits: int
    planes: bool
    fields: bool


def _h264_sequence(data: bytes) -> _H264Sequence:
    """The fields of an SPS that describe slices (7.3.2.1.1)."""
    bits = Bits(data)
    profile = bits.take(8)
    bits.take(16)  # constraint flags, level_idc
    bits.golomb()  # seq_parameter_set_id
    planes = False
    if profile in _WITH_FORMAT:
        chroma = bits.golomb()
        planes = chroma == 3 and bool(bits.take(1))
        bits.golomb()  # bit_depth_luma_minus8
        bits.golomb()  # bit_depth_chroma_minus8
        bits.take(1)  # qpprime_y_zero_transform_bypass_flag
        if bits.take(1):  # seq_scaling_matrix_present_flag
            for number in range(12 if chroma == 3 else 8):
                if bits.take(1):
                    _skip_scaling(bits, 16 if number < 6 else 64)
    frame_bits = bits.golomb() + 4
    kind = bits.golomb()  # pic_order_cnt_type
    count_bits = bits.golomb() + 4 if kind == 0 else None
    if kind == 1:
        bits.take(1)  # delta_pic_order_always_zero_flag
        bits.golomb()  # offset_for_non_ref_pic
        bits.golomb()  # offset_for_top_to_bottom_field
        for _ in range(bits.golomb()):
            bits.golomb()  # offset_for_ref_frame
    bits.golomb()  # max_num_ref_frames
    bits.take(1)  # gaps_in_frame_num_value_allowed_flag
    bits.golomb()  # pic_width_in_mbs_minus1
    bits.golomb()  # pic_height_in_map_units_minus1
    return _H264Sequence(count_bits, frame_bits, planes, not bits.take(1))


def _skip_scaling(bits: Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            coded = bits.golomb()
            change = (coded + 1) // 2 if coded % 2 else -(coded // 2)
            following = (last + change) % 256
        last = following or last


def _second_number(data: bytes) -> int:
    """The number of the SPS that a PPS refers to."""
    bits = Bits(data)
    bits.golomb()
    return bits.golomb()


def _hevc(codec: Codec, sets: Sets, packets: Iterable[Packet]) -> bool:
    return _falls(*_hevc_counts(codec, sets, packets))


def _hevc_counts(
    codec: Codec, sets: Sets, packets: Iterable[Packet]
) -> tuple[Iterable[_CodedFrame], int]:
    """As `_h264_counts`."""
    sequences = {n: _hevc_sequence(data) for n, data in _of_kind(sets, _HEVC_SPS).items()}
    if not any(reorders for _, _, reorders in sequences.values()):
        return (), 0
    parameters = {n: _hevc_parameters(data) for n, data in _of_kind(sets, _HEVC_PPS).items()}

    def frame(unit: bytes) -> _CodedFrame:
        kind, bits = unit[0] >> 1 & 0x3F, Bits(unit[2:])
        bits.take(2 if 16 <= kind <= 23 else 1)  # IRAP pictures have no_output_of_prior_pics_flag
        sequence, output_flag, extra = parameters[bits.golomb()]
        width, planes, _ = sequences[sequence]
        if kind in (19, 20):
            return _CodedFrame(True, True, 0)
        bits.take(extra)
        bits.golomb()  # slice_type
        bits.take((1 if output_flag else 0) + (2 if planes else 0))
        # the counts of later pictures are relative to reference pictures of the lowest temporal layer
        reference = unit[1] & 7 == 1 and not (kind < 16 and kind % 2 == 0) and not 6 <= kind <= 9
        return _CodedFrame(16 <= kind <= 18, reference, bits.take(width))

    return map(frame, _slices(codec, packets)), min(s[0] for s in sequences.values())


def _hevc_sequence(data: bytes) -> tuple[int, bool, bool]:
    """(bits of a picture's count, separate planes, frames are reordered) of an SPS (7.3.2.2)."""
    bits = Bits(data)
    layers = skip_hevc_profile(bits)
    bits.golomb()  # sps_seq_parameter_set_id
    planes = bits.golomb() == 3 and bool(bits.take(1))
    bits.golomb()  # pic_width_in_luma_samples
    bits.golomb()  # pic_height_in_luma_samples
    if bits.take(1):  # conformance_window_flag
        for _ in range(4):
            bits.golomb()
    bits.golomb()  # bit_depth_luma_minus8
    bits.golomb()  # bit_depth_chroma_minus8
    count_bits = bits.golomb() + 4
    reordered = 0
    for _ in range(layers + 1 if bits.take(1) else 1):
        bits.golomb()  # sps_max_dec_pic_buffering_minus1
        reordered = bits.golomb()
        bits.golomb()  # sps_max_latency_increase_plus1
    return count_bits, planes, reordered > 0


def _hevc_parameters(data: bytes) -> tuple[int, bool, int]:
    """(number of its SPS, slices have an output flag, extra slice header bits) of a PPS."""
    bits = Bits(data)
    bits.golomb()  # pps_pic_parameter_set_id
    sequence = bits.golomb()
    bits.take(1)  # dependent_slice_segments_enabled_flag
    return sequence, bool(bits.take(1)), bits.take(3)


def _mpeg4(codec: Codec, sets: Sets, packets: Iterable[Packet]) -> bool:
    if all(_has_low_delay(data) for data in _of_kind(sets, _MPEG4_LAYER).values()):
        return False
    # vop_coding_type 2: a B-VOP
    return any(unit[0] >> 6 == 2 for unit in _slices(codec, packets))


def _has_low_delay(data: bytes) -> bool:
    """True where a video object layer says that it has no B-VOPs (ISO/IEC 14496-2, 6.2.3)."""
    bits = Bits(data)
    bits.take(1 + 8)  # random_accessible_vol, video_object_type_indication
    if bits.take(1):  # is_object_layer_identifier
        bits.take(4 + 3)
    if bits.take(4) == 15:  # aspect_ratio_info: an own ratio follows
        bits.take(16)
    if not bits.take(1):  # vol_control_parameters
        return False
    bits.take(2)  # chroma_format
    return bool(bits.take(1))


def _slices(codec: Codec, packets: Iterable[Packet]) -> Iterable[bytes]:
    assert codec.slice_of is not None
    return filter(None, map(codec.slice_of, packets))


_COUNTS: dict[str, Callable[[Codec, Sets, Iterable[Packet]], tuple[Iterable[_CodedFrame], int]]] = {
    "h264": _h264_counts,
    "hevc": _hevc_counts,
}
_KINDS: dict[str, Callable[[Codec, Sets, Iterable[Packet]], bool]] = {
    "h264": _h264,
    "hevc": _hevc,
    "mpeg4": _mpeg4,
}
