"""`meta/info.json` in memory, with the attributes and the mapping access of lerobot's `DatasetInfo`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from roboreel.errors import UnknownNameError
from roboreel.format.model import Info
from roboreel.torch.constants import (
    DEFAULT_CHUNK_SIZE,
    DEFAULT_DATA_FILE_SIZE_IN_MB,
    DEFAULT_DATA_PATH,
    DEFAULT_VIDEO_FILE_SIZE_IN_MB,
    DEFAULT_VIDEO_PATH,
)
from roboreel.torch.errors import ArgumentError
from roboreel.types import Json

_EXTRA = "extra"


@dataclass(kw_only=True)
class DatasetInfo:
    """The fields of `info.json`. Keys that the format does not know are kept, and written back.

    Raises:
        ArgumentError: `fps` or a size is not positive.
    """

    codebase_version: str
    fps: int | float
    features: dict[str, dict[str, Json]]
    """`dtype`, `shape` (a tuple), `names` and more by feature name, in order."""
    total_episodes: int = 0
    total_frames: int = 0
    total_tasks: int = 0
    chunks_size: int = DEFAULT_CHUNK_SIZE
    data_files_size_in_mb: int | float = DEFAULT_DATA_FILE_SIZE_IN_MB
    video_files_size_in_mb: int | float = DEFAULT_VIDEO_FILE_SIZE_IN_MB
    data_path: str = DEFAULT_DATA_PATH
    video_path: str | None = DEFAULT_VIDEO_PATH
    robot_type: str | None = None
    splits: dict[str, str] = field(default_factory=dict)
    tools: list[dict[str, Json]] | None = None
    extra: dict[str, Json] = field(default_factory=dict, repr=False)
    """Further keys, such as v2.x's `total_videos`."""

    def __post_init__(self) -> None:
        for name in ("fps", "chunks_size", "data_files_size_in_mb", "video_files_size_in_mb"):
            value = getattr(self, name)
            if not value > 0:
                raise ArgumentError(f"{name} must be positive, got {value!r}")
        self.features = {name: _feature(spec) for name, spec in self.features.items()}

    def to_dict(self) -> dict[str, Json]:
        """The document, ready for JSON: shapes as lists, `tools` only where there are some."""
        document = {name: getattr(self, name) for name in _NAMES}
        document["features"] = {
            name: {**spec, "shape": list(spec["shape"])} for name, spec in self.features.items()
        }
        if self.tools is None:
            del document["tools"]
        return document | self.extra

    @classmethod
    def from_dict(cls, data: Mapping[str, Json]) -> DatasetInfo:
        """The info of a document; unknown keys go to `extra`."""
        known = {name: data[name] for name in _NAMES if name in data}
        return cls(**known, extra={key: data[key] for key in data if key not in _NAMES})

    @classmethod
    def from_info(cls, info: Info) -> DatasetInfo:
        """The info of an opened dataset, of any version."""
        tools = info.extra.get("tools")
        extra = {key: value for key, value in info.extra.items() if key != "tools"}
        totals = {key: value for key, value in info.totals.items() if key not in _NAMES}
        return cls(
            codebase_version=info.version.value,
            fps=info.fps_value,
            features={name: dict(feature.spec) for name, feature in info.features.items()},
            chunks_size=info.chunks_size,
            data_files_size_in_mb=info.data_file_mb or DEFAULT_DATA_FILE_SIZE_IN_MB,
            video_files_size_in_mb=info.video_file_mb or DEFAULT_VIDEO_FILE_SIZE_IN_MB,
            data_path=info.data_path,
            video_path=info.video_path,
            robot_type=info.robot_type,
            splits=dict(info.splits) if isinstance(info.splits, Mapping) else {},
            tools=tools if isinstance(tools, list) else None,
            extra=totals | extra,
        )

    def __getitem__(self, key: str) -> Any:
        if key in _NAMES:
            return getattr(self, key)
        return self.extra[key]

    def __setitem__(self, key: str, value: Json) -> None:
        if key in _NAMES:
            setattr(self, key, value)
        elif key in self.extra:
            self.extra[key] = value
        else:
            raise UnknownNameError(
                f"info.json has no field '{key}': store your own fields in 'extra'"
            )

    def __contains__(self, key: object) -> bool:
        return key in _NAMES or key in self.extra

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self.keys())

    def get(self, key: str, default: Json = None) -> Any:
        """The value of a key, else `default`."""
        return self.extra.get(key, default) if key not in _NAMES else getattr(self, key)

    def keys(self) -> list[str]:
        """All keys, in the document's order."""
        return [*_NAMES, *self.extra]

    def values(self) -> list[Json]:
        """The values, in the order of `keys`."""
        return [self[key] for key in self.keys()]

    def items(self) -> list[tuple[str, Json]]:
        """(key, value) of all keys."""
        return [(key, self[key]) for key in self.keys()]


_NAMES = tuple(one.name for one in fields(DatasetInfo) if one.name != _EXTRA)
"""The keys of the format, in the order in which they are written."""


def _feature(spec: Mapping[str, Json]) -> dict[str, Json]:
    """A feature's declaration with its shape as a tuple."""
    shape = spec["shape"]
    return {**spec, "shape": (shape,) if isinstance(shape, int) else tuple(shape)}


def create_empty_dataset_info(
    codebase_version: str,
    fps: float,
    features: Mapping[str, Mapping[str, Json]],
    use_videos: bool,
    robot_type: str | None = None,
    chunks_size: int | None = None,
    data_files_size_in_mb: float | None = None,
    video_files_size_in_mb: float | None = None,
) -> DatasetInfo:
    """The `info.json` of a dataset without episodes.

    Args:
        codebase_version: the format version.
        fps: frames per second.
        features: declarations by name.
        use_videos: False leaves the template of video paths empty.
        robot_type: the robot.
        chunks_size: files per chunk folder, 1000 by default.
        data_files_size_in_mb: soft limit of a table file in MiB, 100 by default.
        video_files_size_in_mb: soft limit of a video file in MiB, 200 by default.
    """
    return DatasetInfo(
        codebase_version=codebase_version,
        fps=fps,
        features={name: dict(spec) for name, spec in features.items()},
        robot_type=robot_type,
        chunks_size=chunks_size or DEFAULT_CHUNK_SIZE,
        data_files_size_in_mb=data_files_size_in_mb or DEFAULT_DATA_FILE_SIZE_IN_MB,
        video_files_size_in_mb=video_files_size_in_mb or DEFAULT_VIDEO_FILE_SIZE_IN_MB,
        video_path=DEFAULT_VIDEO_PATH if use_videos else None,
    )
