"""Settings of video encoders with the fields, defaults and methods of lerobot's `configs.video`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

import numpy as np
import numpy.typing as npt

from roboreel.errors import UsageError, VideoError
from roboreel.format.depth import CODES, DepthScale
from roboreel.format.encoding import HARDWARE, SOFTWARE, Encoding, channels, encoder_name
from roboreel.storage.video.encoders import available, require_format
from roboreel.torch.constants import DEPTH_METER_UNIT, DEPTH_MILLIMETER_UNIT
from roboreel.torch.errors import ArgumentError
from roboreel.torch.features.feature_facts import is_depth_map
from roboreel.types import Json, JsonObject

__all__ = [
    "DEFAULT_DEPTH_MAX",
    "DEFAULT_DEPTH_MIN",
    "DEFAULT_DEPTH_PIX_FMT",
    "DEFAULT_DEPTH_SHIFT",
    "DEFAULT_DEPTH_UNIT",
    "DEFAULT_DEPTH_USE_LOG",
    "DEPTH_ENCODER_INFO_FIELD_NAMES",
    "DEPTH_METER_UNIT",
    "DEPTH_MILLIMETER_UNIT",
    "DEPTH_QMAX",
    "DEPTH_QUANT_BITS",
    "HW_VIDEO_CODECS",
    "LIBSVTAV1_DEFAULT_PRESET",
    "VALID_VIDEO_CODECS",
    "VIDEO_CODECS_ALIASES",
    "VIDEO_ENCODER_INFO_FIELD_NAMES",
    "VIDEO_ENCODER_INFO_KEYS",
    "DepthEncoderConfig",
    "RGBEncoderConfig",
    "VideoEncoderConfig",
    "depth_encoder_defaults",
    "encoder_config_from_video_info",
    "encoding_of",
    "infer_depth_unit",
    "is_depth_map",
    "rgb_encoder_defaults",
]

HW_VIDEO_CODECS = list(HARDWARE)
VALID_VIDEO_CODECS = frozenset({"h264", "hevc", "libsvtav1", "libaom-av1", "auto", *HARDWARE})
VIDEO_CODECS_ALIASES = {"av1": "libsvtav1"}
LIBSVTAV1_DEFAULT_PRESET = 12
VIDEO_ENCODER_INFO_FIELD_NAMES = frozenset(
    {"g", "crf", "preset", "fast_decode", "extra_options", "video_backend"}
)
VIDEO_ENCODER_INFO_KEYS = frozenset(f"video.{name}" for name in VIDEO_ENCODER_INFO_FIELD_NAMES)
DEPTH_ENCODER_INFO_FIELD_NAMES = frozenset({"depth_min", "depth_max", "shift", "use_log"})

DEPTH_QUANT_BITS, DEPTH_QMAX = 12, CODES - 1
_SCALE = DepthScale()
DEFAULT_DEPTH_MIN, DEFAULT_DEPTH_MAX = _SCALE.nearest, _SCALE.farthest
DEFAULT_DEPTH_SHIFT, DEFAULT_DEPTH_USE_LOG = _SCALE.shift, _SCALE.logarithmic
DEFAULT_DEPTH_PIX_FMT = "gray12le"
DEFAULT_DEPTH_UNIT = DEPTH_MILLIMETER_UNIT

_Config = TypeVar("_Config", bound="VideoEncoderConfig")


def infer_depth_unit(dtype: npt.DTypeLike) -> str:
    """`m` for depths of floating point, `mm` for whole numbers."""
    floating = np.issubdtype(np.dtype(dtype), np.floating)
    return DEPTH_METER_UNIT if floating else DEPTH_MILLIMETER_UNIT


@dataclass
class VideoEncoderConfig:
    """Settings of a video encoder.

    Raises:
        ArgumentError: no encoder here takes them.
    """

    vcodec: str = SOFTWARE
    """The codec or encoder; `auto` becomes a hardware encoder that works, else `libsvtav1`."""
    pix_fmt: str = "yuv420p"
    g: int | None = 2
    """Frames from keyframe to keyframe."""
    crf: float | None = 30
    """CRF: lower gives better quality and larger files."""
    preset: int | str | None = None
    """The encoder's speed setting; 12 for `libsvtav1`."""
    fast_decode: int = 0
    video_backend: str = "pyav"
    extra_options: dict[str, Any] = field(default_factory=dict)
    """The encoder's own options; they change none of the settings above."""

    _DEFAULT_CHANNELS: ClassVar[int | None] = None

    def __post_init__(self) -> None:
        self.resolve_vcodec()
        if self.preset is None and self.vcodec == SOFTWARE:
            self.preset = LIBSVTAV1_DEFAULT_PRESET
        self.validate()

    @classmethod
    def _kwargs_from_video_info(cls, video_info: JsonObject | None) -> dict[str, Json]:
        known = video_info or {}
        names = {"video.codec": "vcodec", "video.pix_fmt": "pix_fmt"}
        names |= {f"video.{name}": name for name in VIDEO_ENCODER_INFO_FIELD_NAMES}
        found = {name: known.get(key) for key, name in names.items()}
        return {name: value for name, value in found.items() if value is not None and value != {}}

    @classmethod
    def from_video_info(cls: type[_Config], video_info: JsonObject | None) -> _Config:
        """The settings that a camera's `info` states; others are the defaults."""
        return cls(**cls._kwargs_from_video_info(video_info))

    def detect_available_encoders(self, encoders: Sequence[str] | str) -> list[str]:
        """Those of some encoders that are here."""
        names = [encoders] if isinstance(encoders, str) else encoders
        there = set(available())
        return [name for name in names if encoder_name(name) in there]

    def resolve_vcodec(self) -> None:
        """Replace `auto` and other names of a codec by the encoder's.

        Raises:
            ArgumentError: the codec is unknown.
        """
        self.vcodec = VIDEO_CODECS_ALIASES.get(self.vcodec, self.vcodec)
        if self.vcodec not in VALID_VIDEO_CODECS:
            raise ArgumentError(
                f"vcodec is '{self.vcodec}', expected one of {', '.join(sorted(VALID_VIDEO_CODECS))}"
            )
        if self.vcodec == "auto":
            from roboreel.ops.inputs import hardware_encoder_that_works  # only `auto` asks for it

            self.vcodec = hardware_encoder_that_works()

    def validate(self) -> None:
        """Check the settings without encoding anything.

        Raises:
            ArgumentError: no encoder here takes them.
        """
        wanted = self._DEFAULT_CHANNELS
        try:
            encoding_of(self)
            require_format(encoder_name(self.vcodec), self.pix_fmt)
        except (UsageError, VideoError) as error:
            raise ArgumentError(str(error)) from error
        if wanted is not None and channels(self.pix_fmt) != wanted:
            raise ArgumentError(
                f"pix_fmt {self.pix_fmt} has {channels(self.pix_fmt)} channels, expected a format with"
                f" {wanted}"
            )

    def get_codec_options(
        self, encoder_threads: int | None = None, as_strings: bool = False
    ) -> dict[str, Any]:
        """The options that lerobot gives to the encoder.

        Args:
            encoder_threads: threads of the encoder; None leaves it to the encoder.
            as_strings: True gives all values as text.
        """
        options = {"g": self.g, **self._own_options(encoder_threads)}
        options |= {name: v for name, v in self.extra_options.items() if options.get(name) is None}
        known = {name: value for name, value in options.items() if value is not None}
        return {name: str(v) for name, v in known.items()} if as_strings else known

    def _own_options(self, threads: int | None) -> dict[str, Any]:
        codec, crf, preset = self.vcodec, self.crf, self.preset
        usual = {"crf": crf, "preset": preset}
        if codec == SOFTWARE:
            speed = f"fast-decode={max(0, min(2, self.fast_decode))}"
            return {**usual, "svtav1-params": speed + (f":lp={threads}" if threads else "")}
        if codec in ("h264", "hevc"):
            tune = {"tune": "fastdecode"} if self.fast_decode else {}
            return {**usual, **tune, "threads": threads}
        if codec == "libaom-av1":
            return {**usual, "threads": threads, **({"row-mt": 1} if threads else {})}
        maker = codec.partition("_")[2]
        if maker == "videotoolbox":
            return {} if crf is None else {"q:v": max(1, min(100, 100 - crf * 2))}
        if maker == "vaapi":
            return {"qp": crf}
        quality = {"rc": 0, "qp": crf} if maker == "nvenc" else {"global_quality": crf}
        return {**quality, "preset": preset}


@dataclass
class RGBEncoderConfig(VideoEncoderConfig):
    """Settings for cameras of three channels."""

    _DEFAULT_CHANNELS: ClassVar[int | None] = 3


@dataclass
class DepthEncoderConfig(VideoEncoderConfig):
    """Settings for depth cameras, and how depths become codes of 12 bits. Lengths are metres."""

    vcodec: str = "hevc"
    pix_fmt: str = DEFAULT_DEPTH_PIX_FMT
    extra_options: dict[str, Any] = field(default_factory=lambda: {"x265-params": "lossless=1"})
    depth_min: float = DEFAULT_DEPTH_MIN
    """The depth of code 0."""
    depth_max: float = DEFAULT_DEPTH_MAX
    """The depth of code 4095."""
    shift: float = DEFAULT_DEPTH_SHIFT
    """Added to depths before the logarithm."""
    use_log: bool = DEFAULT_DEPTH_USE_LOG

    _DEFAULT_CHANNELS: ClassVar[int | None] = 1

    @classmethod
    def _kwargs_from_video_info(cls, video_info: JsonObject | None) -> dict[str, Json]:
        known = video_info or {}
        found = {name: known.get(f"video.{name}") for name in DEPTH_ENCODER_INFO_FIELD_NAMES}
        given = {name: value for name, value in found.items() if value is not None}
        return {**super()._kwargs_from_video_info(video_info), **given}


def rgb_encoder_defaults() -> RGBEncoderConfig:
    """The usual settings for cameras of three channels."""
    return RGBEncoderConfig()


def depth_encoder_defaults() -> DepthEncoderConfig:
    """The usual settings for depth cameras."""
    return DepthEncoderConfig()


def encoder_config_from_video_info(video_info: JsonObject | None) -> VideoEncoderConfig:
    """The settings in a camera's `info`; settings of a depth camera for a depth camera."""
    depth = is_depth_map({"info": video_info})
    return (DepthEncoderConfig if depth else RGBEncoderConfig).from_video_info(video_info)


def encoding_of(config: Any, encoder_threads: int | None = None) -> Encoding:
    """Roboreel's `Encoding` of encoder settings, ours or lerobot's.

    Args:
        config: any object with the fields of `VideoEncoderConfig`; None for the defaults.
        encoder_threads: threads of the encoder; None leaves them to it.

    Raises:
        UsageError: a setting that no encoder could take.
    """
    names = ("vcodec", "pix_fmt", "g", "crf", "preset", "fast_decode")
    given = {name: getattr(config, name) for name in names if hasattr(config, name)}
    extra: Mapping[str, Any] = getattr(config, "extra_options", None) or {}
    return Encoding(**given, extra_options={**extra, **_threads(given, encoder_threads)})


def _threads(given: Mapping[str, Any], threads: int | None) -> dict[str, Json]:
    if threads is None:
        return {}
    if given.get("vcodec", SOFTWARE) in (SOFTWARE, "av1"):
        return {"svtav1-params": f"lp={threads}"}
    return {"threads": threads}
