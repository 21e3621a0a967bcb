"""How to encode a camera again where nobody says how: near the quality and rate of its videos.

The rule was measured by encoding recordings of five cameras with x264, x265, SVT-AV1 and MPEG-4 at several
qualities, and encoding what they decode to again. At the source's own CRF and keyframe distance the result
has its rate; so a CRF in `info.json` is taken. Otherwise the CRF follows the source's bits per pixel.
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
"""Codecs that are encoded again as what they are."""
_MOST_GOP = 30
"""Frames from keyframe to keyframe, at most: longer GOPs save little, and random access decodes them."""
_KEYFRAME_COST = 11
"""Frames' worth of bits that a keyframe takes more than another frame, with CRF encoders."""
_CRF_PER_OCTAVE = 3
"""Steps of CRF for twice the bits per pixel. Quality alone would take 6 and more, but scenes differ too."""
_MOST_CRF = 51
_OTHER_BITS = 0.07
_USUAL_BITS = {"h264": 0.07, "mpeg4": 0.07, "hevc": 0.03, "vp9": 0.03, "av1": 0.02}
"""Bits per pixel of a frame that is no keyframe, in videos of usual quality, by codec."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Usual:
    """How a codec is encoded at usual quality."""

    crf: float
    best: int
    worst: int
    encoder: str
    preset: int | str
    """The fastest that costs less than half a decibel, or a decibel for SVT-AV1."""
    crf_per_slower: float = 0
    """What a CRF must rise by for half as many frames a second, for frames of the same quality."""


_MEASURED_FPS = 30
_SLOWER = 6 * (1 - 0.6)
"""x264 and x265 give a frame more bits the longer it is shown: their quantizer doubles every 6 steps, and
falls by the duration to the power of 1 - `qcomp`, which is 0.6."""
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
"""x265 leaves the decode times of clips shorter than its delay to chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRate:
    """What is known of a camera's videos of one codec."""

    codec: str
    """Its name: `h264`, `hevc`, `av1`, `mpeg4`, …"""
    bits_per_pixel: float
    fps: Fraction
    gop: float
    """Frames from keyframe to keyframe, on average."""
    crf: float | None = None
    """The CRF that `info.json` states of it."""


def near_encodings(view: MergedSources, inventory: Inventory, camera: str) -> dict[str, Encoding]:
    """How to encode each kind of a camera's videos again, by the four characters of its sample entry.

    Kinds that have no encoder here are left out, unless the target names one.
    """
    found = {}
    for entry, rate in source_rates(view, inventory, camera).items():
        encoding = near_source(rate, view.options.reencoding, view.view.fps or rate.fps)
        if encoding is not None:
            found[entry] = encoding
    return found


def source_rates(view: MergedSources, inventory: Inventory, camera: str) -> dict[str, SourceRate]:
    """What is known of a camera's videos, by the four characters of their sample entries."""
    facts = inventory.cameras[camera]
    declared = view.model.info.features[camera].video_facts
    streams = facts.stream[view.rows]
    rates = {}
    for code in _codes(inventory, sorted(set(streams.tolist()) - {-1})):
        kinds = [n for n, stream in enumerate(inventory.streams) if stream.codec == code]
        rows = view.rows[np.isin(streams, kinds)]
        sizes = {n: inventory.streams[n].width * inventory.streams[n].height for n in kinds}
        packets = facts.packets[rows]
        pixels = sum(
            sizes[stream] * count
            for stream, count in zip(facts.stream[rows].tolist(), packets.tolist(), strict=True)
        )
        rates[code] = SourceRate(
            codec=codec_name(code),
            fps=view.model.info.fps,
            bits_per_pixel=8 * int(facts.size_bytes[rows].sum()) / max(pixels, 1),
            gop=int(packets.sum()) / max(int(facts.keyframes[rows].sum()), 1),
            crf=_declared_crf(declared, code),
        )
    return rates


def near_source(rate: SourceRate, asked: Reencoding, fps: Fraction) -> Encoding | None:
    """How to encode a video again at a frame rate: as asked, else near its quality and rate.

    None where its codec has no encoder here, and none is asked for.
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
    """What to add to a CRF where there are so many times fewer frames a second."""
    return round(usual.crf_per_slower * math.log2(times), 1)


def _declared_crf(declared: Mapping[str, Json], code: str) -> float | None:
    """The CRF that a camera's declaration states, where it speaks of this codec."""
    crf, codec = declared.get("video.crf"), declared.get("video.codec")
    number = isinstance(crf, (int, float)) and not isinstance(crf, bool) and 0 <= crf <= 63
    if not number or not isinstance(codec, str) or same_codec(codec) != codec_name(code):
        return None
    return crf


def _codes(inventory: Inventory, streams: Iterable[int]) -> list[str]:
    return list(dict.fromkeys(inventory.streams[stream].codec for stream in streams))
