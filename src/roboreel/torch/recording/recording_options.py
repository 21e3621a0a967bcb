"""What `create` and `resume` of the dataset class are told about recording, for roboreel's recorder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from roboreel.format.encoding import Encoding
from roboreel.torch.errors import ArgumentError
from roboreel.torch.media.encoder_configs import (
    DEPTH_ENCODER_INFO_FIELD_NAMES,
    DepthEncoderConfig,
    RGBEncoderConfig,
    encoding_of,
    is_depth_map,
)
from roboreel.types import Json, JsonObject

_STORED_IMAGES: dict[str, Json] = {"depth_unit": "mm"}
"""Depths stored as images are whole millimetres."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingOptions:
    """Options of recording, with the reference's names and defaults.

    Raises:
        ArgumentError: a number is not positive, or an encoder is named twice.
    """

    rgb_encoder: Any = None
    """Settings for color cameras: roboreel's, lerobot's, or None for the defaults."""
    depth_encoder: Any = None
    """Settings for depth cameras: roboreel's, lerobot's, or None for the defaults."""
    vcodec: str | None = None
    """The codec for color cameras, instead of `rgb_encoder`."""
    encoder_threads: int | None = None
    """Threads of each encoder; None leaves them to the recorder."""
    batch_encoding_size: int = 1
    """Accepted and ignored: every episode is encoded while it is recorded."""
    streaming_encoding: bool = False
    """Accepted and ignored: every episode is encoded while it is recorded."""
    encoder_queue_maxsize: int = 30
    """Most frames of a camera that wait in memory for its encoder; further frames wait on the disk."""

    def __post_init__(self) -> None:
        for name in ("batch_encoding_size", "encoder_queue_maxsize", "encoder_threads"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ArgumentError(f"{name} must be 1 or more, got {value}")
        if self.vcodec is not None and self.rgb_encoder is not None:
            raise ArgumentError(
                "vcodec and rgb_encoder both set the encoder: pass only rgb_encoder"
            )

    def encodings(self, cameras: Iterable[str], depths: Iterable[str]) -> dict[str, Encoding]:
        """The settings of each camera stored as video.

        Args:
            cameras: all of them.
            depths: those that hold depths.
        """
        colours = self.rgb_encoder or RGBEncoderConfig(vcodec=self.vcodec or "libsvtav1")
        depth, known = self.depth_encoder or DepthEncoderConfig(), set(depths)
        return {name: encoding_of(depth if name in known else colours) for name in cameras}

    def declared(self, features: Mapping[str, JsonObject]) -> dict[str, JsonObject]:
        """The features of a new dataset, with the unit or the scale of depths in their `info`."""
        return {name: {**one, **self._depth_info(one)} for name, one in features.items()}

    def _depth_info(self, feature: JsonObject) -> dict[str, Json]:
        if not is_depth_map(feature):
            return {}
        added = self._scale if feature["dtype"] == "video" else _STORED_IMAGES
        return {"info": {**feature["info"], **added}} if added else {}

    @property
    def _scale(self) -> dict[str, Json]:
        """The scale that `depth_encoder` asks for, as `info` states it; nothing where it is not given."""
        names = sorted(DEPTH_ENCODER_INFO_FIELD_NAMES)
        given = {name: getattr(self.depth_encoder, name, None) for name in names}
        return {f"video.{name}": value for name, value in given.items() if value is not None}

    def require_same_scale(self, features: Mapping[str, JsonObject]) -> None:
        """Raise `ArgumentError` if depths would be stored on another scale than those that are there."""
        usual = {
            f"video.{n}": getattr(DepthEncoderConfig, n) for n in DEPTH_ENCODER_INFO_FIELD_NAMES
        }
        for name, feature in features.items():
            if feature["dtype"] != "video" or not is_depth_map(feature):
                continue
            stored = {**usual, **feature["info"]}
            other = [key for key, value in self._scale.items() if value != stored[key]]
            if other:
                raise ArgumentError(
                    f"camera '{name}': depth_encoder has {other[0]}={self._scale[other[0]]}, but the depth"
                    f" of this dataset is stored with {stored[other[0]]}: leave depth_encoder out"
                )
