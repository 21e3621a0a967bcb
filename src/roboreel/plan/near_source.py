"""Default settings for re-encoding a camera: near the quality and bit rate of its videos.

The rule was measured by encoding recordings of five cameras with x264, x265, SVT-AV1 and MPEG-4 at several
qualities, and re-encoding the decoded result. At the source's own CRF and keyframe distance the result has
the source's bit rate, so a CRF in `info.json` is used. Otherwise the CRF follows the source's bits per pixel.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from roboreel.format.declared import codec_name, same_codec
from roboreel.format.encoding import Encoding, Reencoding, canonical_codec, encoder_name
from roboreel.format.inventory import Inventory
from roboreel.plan.merge_sources import MergedSources
from roboreel.types import Json

ENCODED = ("h264", "hevc", "av1")
"""Codecs that keep their codec."""
_MOST_GOP = 30
"""Largest keyframe distance in frames: longer GOPs save little, and random access must decode them."""
_KEYFRAME_COST = 11
"""Extra bits of a keyframe with CRF encoders, in units of another frame's bits."""
_CRF_PER_OCTAVE = 3
"""CRF steps for a doubling of bits per pixel. Quality alone would need 6 or more, but scenes differ too."""
_MOST_CRF = 51
_OTHER_BITS = 0.07
_USUAL_BITS = {"h264": 0.07, "mpeg4": 0.07, "hevc": 0.03, "vp9": 0.03, "av1": 0.02}
"""Bits per pixel of a frame other than a keyframe, in videos of usual quality, by codec."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Usual:
    """Settings of a codec at usual quality."""

    crf: float
    best: int
    worst: int
    encoder: str
    preset: int | str
    """The fastest preset that costs less than 0.5 dB (1 dB for SVT-AV1)."""
    crf_per_slower: float = 0
    """What to add to a CRF at half the frame rate to keep the quality of frames."""


_MEASURED_FPS = 30
_SLOWER = 6 * (1 - 0.6)
"""x264 and x265 give a frame more bits the longer it is shown: the quantizer doubles every 6 steps, and is
divided by the duration to the power of 1 - `qcomp`, with `qcomp` = 0.6."""
_USUAL = {
    "h264": _Usual(
        crf=22.5, best=17, worst=28, encoder="libx264", preset="veryfast", crf_per_slower=_SLOWER
    ),
    "hevc": _Usual(
        crf=24, best=18, worst=30, encoder="libx265", preset="veryfast", crf_per_slower=_SLOWER
    ),
    "av1": _Usual(crf=30, best=22, worst=36, encoder="libsvtav1", preset=10),
}
_NO_B_FRAMES: Mapping[str, str | int | float] = {"x265-params": "bframes=0"}
"""x265 writes arbitrary decode times for clips shorter than its delay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRate:
    """Measured facts about a camera's videos of one codec."""

    codec: str
    """Its name: `h264`, `hevc`, `av1`, `mpeg4`, …"""
    bits_per_pixel: float
    fps: Fraction
    gop: float
    """Average keyframe distance in frames."""
    crf: float | None = None
    """The CRF in `info.json`."""


def near_encodings(merged: MergedSources, inventory: Inventory, camera: str) -> dict[str, Encoding]:
    """Settings to re-encode each kind of a camera's videos, by the four characters of its sample entry.

    Kinds without an encoder here are left out, unless the target names one.
    """
    found = {}
    own = merged.view.encodings.get(camera)
    asked = own if isinstance(own, Reencoding) else merged.options.reencoding
    for entry, rate in _source_rates(merged, inventory, camera).items():
        encoding = near_source(rate, asked, merged.view.new_fps or rate.fps)
        if encoding is not None:
            found[entry] = encoding
    return found


def _source_rates(
    merged: MergedSources, inventory: Inventory, camera: str
) -> dict[str, SourceRate]:
    """Facts about a camera's videos, by the four characters of their sample entries."""
    facts = inventory.cameras[camera]
    declared = merged.model.info.features[camera].video_facts
    streams = facts.stream[merged.rows]
    rates = {}
    for code in _codes(inventory, sorted(set(streams.tolist()) - {-1})):
        kinds = [n for n, stream in enumerate(inventory.streams) if stream.codec == code]
        rows = merged.rows[np.isin(streams, kinds)]
        sizes = {n: inventory.streams[n].width * inventory.streams[n].height for n in kinds}
        packets = facts.packets[rows]
        pixels = sum(
            sizes[stream] * count
            for stream, count in zip(facts.stream[rows].tolist(), packets.tolist(), strict=True)
        )
        rates[code] = SourceRate(
            codec=codec_name(code),
            fps=merged.view.sources[merged.source[rows[0]]].model.info.fps,
            bits_per_pixel=8 * int(facts.size_bytes[rows].sum()) / max(pixels, 1),
            gop=int(packets.sum()) / max(int(facts.keyframes[rows].sum()), 1),
            crf=_declared_crf(declared, code),
        )
    return rates


def near_source(rate: SourceRate, asked: Reencoding, fps: Fraction) -> Encoding | None:
    """Settings to re-encode a video at a frame rate: as asked, else near its quality and bit rate.

    None if its codec has no encoder here, and the user names none.
    """
    vcodec = asked.vcodec or (rate.codec if rate.codec in ENCODED else None)
    if vcodec is None:
        return None
    encoder = encoder_name(vcodec)
    codec = canonical_codec(encoder)
    usual = _USUAL.get(codec)
    gop = min(max(round(rate.gop), 1), _MOST_GOP)
    near = Encoding(
        vcodec=vcodec,
        pix_fmt=None,
        g=gop,
        crf=None if usual is None else _crf(rate, codec, usual, fps),
        preset=usual.preset if usual is not None and usual.encoder == encoder else None,
        extra_options=_NO_B_FRAMES if encoder == "libx265" else {},
    )
    return replace(near, **asked.given)


def _crf(rate: SourceRate, codec: str, usual: _Usual, fps: Fraction) -> float:
    if rate.crf is not None and codec == rate.codec:
        return min(rate.crf + _slower(usual, rate.fps / fps), _MOST_CRF)
    inner = rate.bits_per_pixel / (1 + _KEYFRAME_COST / max(rate.gop, 1))
    usual_bits = _USUAL_BITS.get(rate.codec, _OTHER_BITS)
    octaves = math.log2(inner / usual_bits) if inner > 0 else 0.0
    near = min(max(usual.crf - _CRF_PER_OCTAVE * octaves, usual.best), usual.worst)
    return min(round(near + _slower(usual, _MEASURED_FPS / fps)), _MOST_CRF)


def _slower(usual: _Usual, times: Fraction) -> float:
    """What to add to a CRF if the frame rate is `times` lower."""
    return round(usual.crf_per_slower * math.log2(times), 1)


def _declared_crf(declared: Mapping[str, Json], code: str) -> float | None:
    """The CRF that a camera's declaration states for this codec, else None."""
    crf, codec = declared.get("video.crf"), declared.get("video.codec")
    number = isinstance(crf, (int, float)) and not isinstance(crf, bool) and 0 <= crf <= 63
    if not number or not isinstance(codec, str) or same_codec(codec) != codec_name(code):
        return None
    return crf


def _codes(inventory: Inventory, streams: Iterable[int]) -> list[str]:
    return list(dict.fromkeys(inventory.streams[stream].codec for stream in streams))
