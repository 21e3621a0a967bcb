"""Settings for encoding a camera's video."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from roboreel.errors import UsageError
from roboreel.types import Json

HARDWARE = (
    "h264_videotoolbox", "hevc_videotoolbox", "h264_nvenc", "hevc_nvenc", "h264_vaapi",
    "h264_qsv",
)  # fmt: skip
"""Hardware encoders that `auto` tries, in this order."""
AUTO, SOFTWARE = "auto", "libsvtav1"
_ENCODERS = {"h264": "libx264", "hevc": "libx265", "av1": "libsvtav1"}
_OTHERS = ("hevc_vaapi", "hevc_qsv", "av1_nvenc", "av1_vaapi", "av1_qsv")
VCODECS = (AUTO, *_ENCODERS, "libsvtav1", "libaom-av1", *HARDWARE, *_OTHERS)
_SVT_PRESET = 12
_SVT_PARAMETERS, _NO_DELAY = "svtav1-params", "pred-struct=1"
_MOST_PIXELS = 1 << 14
_EXACT = {
    "libx264": ("x264-params", "mbtree=0"),
    "libx265": ("x265-params", "log-level=none:info=0:open-gop=0:frame-threads=2"),
}
"""Options that make an encoder's output the same on every machine, and its keyframes safe to cut at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """Settings of a video encoder, with the names and defaults of lerobot's `VideoEncoderConfig`.

    Raises:
        UsageError: a setting is not valid for any encoder.
    """

    vcodec: str = "libsvtav1"
    """`h264`, `hevc`, `av1`, an encoder's own name, or `auto`: a working hardware encoder, else AV1."""
    pix_fmt: str | None = "yuv420p"
    """The pixel format; None keeps the format of the frames."""
    g: int | None = 2
    """Frames from keyframe to keyframe."""
    crf: float | None = 30
    """CRF: lower gives better quality and larger files."""
    preset: int | str | None = None
    """The encoder's own speed setting; None means 12 for `libsvtav1`, else the encoder's default."""
    fast_decode: int = 0
    """Tune for fast decoding, 0 to 2."""
    extra_options: Mapping[str, str | int | float] = field(default_factory=dict)
    """The encoder's own options, which never override the settings above."""
    size: tuple[int, int] | None = None
    """(width, height) in pixels to scale frames to; None keeps their size."""

    def __post_init__(self) -> None:
        _require(self.vcodec in VCODECS, "vcodec", self.vcodec, f"one of {', '.join(VCODECS)}")
        pixels = self.pix_fmt is None or _is_string(self.pix_fmt)
        _require(pixels, "pix_fmt", self.pix_fmt, "a pixel format such as yuv420p")
        _require(self.g is None or _is_whole(self.g, 1), "g", self.g, "frames, 1 or more")
        known = self.crf is None or (_is_number(self.crf) and 0 <= self.crf <= 63)
        _require(known, "crf", self.crf, "a number from 0 to 63")
        preset = self.preset is None or isinstance(self.preset, str) or _is_whole(self.preset, -2)
        _require(preset, "preset", self.preset, "a number or a name that the encoder accepts")
        fast = _is_whole(self.fast_decode, 0) and self.fast_decode <= 2
        _require(fast, "fast_decode", self.fast_decode, "0, 1 or 2")
        for name, value in self.extra_options.items():
            sound = _is_string(name) and (_is_string(value) or _is_number(value))
            _require(sound, f"extra option '{name}'", value, "a string or a number")
        if self.size is not None:
            _require_size(self.size, self.pix_fmt or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reencoding:
    """Settings for videos that must be re-encoded; None stays near the source's quality and rate.

    The names are those of `Encoding`.

    Raises:
        UsageError: a setting is not valid for any encoder.
    """

    vcodec: str | None = None
    """By default the source's codec."""
    pix_fmt: str | None = None
    """By default the source's pixel format."""
    g: int | None = None
    """Frames from keyframe to keyframe; by default the source's, at most 30."""
    crf: float | None = None
    """By default the CRF in the source's `info.json`, else one chosen from the source's bits per pixel."""
    preset: int | str | None = None
    """By default a fast preset: `veryfast` for h264 and hevc, 10 for `libsvtav1`."""
    fast_decode: int | None = None
    size: tuple[int, int] | None = None
    """(width, height) in pixels to scale frames to; only for `View.encode`."""

    def __post_init__(self) -> None:
        Encoding(**self.given)

    @property
    def given(self) -> dict[str, Any]:
        """The settings that are not None, by name."""
        names = (one.name for one in fields(self))
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}


def encoder_name(vcodec: str) -> str:
    """The library's name of an encoder: `libx264` for `h264`."""
    return _ENCODERS.get(vcodec, vcodec)


def encoder_settings(encoding: Encoding) -> dict[str, str]:
    """The settings for a library: encoder (`codec`), pixel format (`pix_fmt`), and options."""
    codec = encoder_name(encoding.vcodec)
    options = {"codec": codec}
    if encoding.pix_fmt is not None:
        options["pix_fmt"] = encoding.pix_fmt
    if (gop := gop_of(encoding)) is not None:
        options["g"] = str(gop)
    options |= _tuned(encoding, codec)
    parameters = {"libsvtav1": "svtav1-params", "libx264": "x264-params", "libx265": "x265-params"}
    for name, value in encoding.extra_options.items():
        if name == parameters.get(codec) and name in options:
            options[name] += f":{value}"
        else:
            options.setdefault(name, str(value))
    if codec == "libx264":
        options.setdefault("threads", "2")  # its output depends on the number of threads
    return options


def gop_of(encoding: Encoding) -> int | None:
    """Frames from keyframe to keyframe: `encoding.g`, or 1 where x265 is to lose nothing.

    x265 4 (in PyAV 18) changed values in lossless videos whose frames refer to others: docs/design/0025.
    """
    given = str(encoding.extra_options.get("x265-params", ""))
    exact = encoder_name(encoding.vcodec) == "libx265" and "lossless=1" in given.split(":")
    return 1 if exact else encoding.g


def without_delay(encoding: Encoding) -> Encoding:
    """AV1 settings with which the encoder holds no frames back; other encoders' settings as they are."""
    extra = dict(encoding.extra_options)
    given = str(extra.get(_SVT_PARAMETERS, ""))
    if encoder_name(encoding.vcodec) != SOFTWARE or "pred-struct=" in given:
        return encoding
    extra[_SVT_PARAMETERS] = f"{given}:{_NO_DELAY}" if given else _NO_DELAY
    return replace(encoding, extra_options=extra)


def describe(encoding: Encoding) -> dict[str, Json]:
    """The encoder's entries in `info.json`, as lerobot writes them."""
    return {
        "video.g": gop_of(encoding),
        "video.crf": encoding.crf,
        "video.preset": _preset(encoding),
        "video.fast_decode": encoding.fast_decode,
        "video.video_backend": "pyav",
        "video.extra_options": dict(encoding.extra_options),
    }


def canonical_codec(codec: str) -> str:
    """The codec that an encoder writes: `h264`, `hevc` or `av1`."""
    known = {"libx264": "h264", "libx265": "hevc", "libsvtav1": "av1", "libaom-av1": "av1"}
    return known.get(codec, codec.partition("_")[0])


def channels(pix_fmt: str) -> int:
    """Number of components in a pixel format."""
    return 1 if pix_fmt.startswith("gray") else 4 if pix_fmt.startswith("yuva") else 3


def _tuned(encoding: Encoding, codec: str) -> dict[str, str]:
    """Quality, speed and tuning as the encoder's own options."""
    crf, preset = encoding.crf, _preset(encoding)
    quality = {} if crf is None else {"crf": format(crf, "g")}
    speed = {} if preset is None else {"preset": str(preset)}
    if codec == "libsvtav1":
        return {**quality, **speed, "svtav1-params": f"fast-decode={encoding.fast_decode}"}
    if codec in _EXACT:
        name, exact = _EXACT[codec]
        tune = {"tune": "fastdecode"} if encoding.fast_decode else {}
        return {**quality, **speed, **tune, name: exact}
    maker = codec.partition("_")[2]
    if maker == "videotoolbox":
        return {} if crf is None else {"q:v": str(round(max(1, min(100, 100 - 2 * crf))))}
    if maker in ("nvenc", "vaapi", "qsv"):
        name = {"nvenc": "qp", "vaapi": "qp", "qsv": "global_quality"}[maker]
        fixed = {} if crf is None else {name: str(round(crf))}
        mode = {"rc": "constqp"} if maker == "nvenc" else {}
        return {**mode, **fixed, **({} if maker == "vaapi" else speed)}
    return {**quality, **speed}


def _preset(encoding: Encoding) -> int | str | None:
    svt = encoder_name(encoding.vcodec) == SOFTWARE
    return _SVT_PRESET if svt and encoding.preset is None else encoding.preset


def _is_string(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _is_whole(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _require_size(size: object, pix_fmt: str) -> None:
    wanted = f"(width, height) in pixels, 16 to {_MOST_PIXELS}"
    sides = size if isinstance(size, tuple) and len(size) == 2 else (0, 0)
    sound = all(_is_whole(side, 16) and side <= _MOST_PIXELS for side in sides)
    _require(sound, "size", size, wanted)
    even = "420" not in pix_fmt or not any(side % 2 for side in sides)
    _require(even, "size", size, f"even numbers, as {pix_fmt} needs")


def _require(sound: bool, name: str, value: object, expected: str) -> None:
    if not sound:
        raise UsageError(f"{name} is {value!r}, expected {expected}")
