"""What metadata says without reading anything more: properties of `info.json`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from roboreel.torch.compat.old_names import OF_METADATA, AnsweringMissingNames
from roboreel.torch.compat.optional_packages import require_package
from roboreel.torch.constants import LANGUAGE_COLUMNS
from roboreel.torch.features.feature_facts import is_depth_map
from roboreel.torch.metadata.dataset_info import DatasetInfo
from roboreel.types import Json


class MetadataFacts(AnsweringMissingNames):
    """The part of `LeRobotDatasetMetadata` that `info.json` answers."""

    _instead = OF_METADATA

    repo_id: str
    repo_type: str
    root: Path
    info: DatasetInfo

    @property
    def url_root(self) -> str:
        """URL of the dataset on the Hub."""
        kind = "buckets" if self.repo_type == "bucket" else "datasets"
        return f"hf://{kind}/{self.repo_id}"

    @property
    def _version(self) -> Any:
        """The format version, as the package `packaging` has versions."""
        return require_package("packaging.version", "Version").Version(self.info.codebase_version)

    @property
    def data_path(self) -> str:
        """Template of the paths of tables."""
        return self.info.data_path

    @property
    def video_path(self) -> str | None:
        """Template of the paths of videos; None without cameras stored as video."""
        return self.info.video_path

    @property
    def robot_type(self) -> str | None:
        """The robot."""
        return self.info.robot_type

    @property
    def fps(self) -> int | float:
        """Frames per second."""
        return self.info.fps

    @property
    def features(self) -> dict[str, dict[str, Json]]:
        """Declarations by feature name, in order."""
        return self.info.features

    @property
    def image_keys(self) -> list[str]:
        """Cameras stored as images in the tables."""
        return [name for name, spec in self.features.items() if spec["dtype"] == "image"]

    @property
    def video_keys(self) -> list[str]:
        """Cameras stored as videos."""
        return [name for name, spec in self.features.items() if spec["dtype"] == "video"]

    @property
    def camera_keys(self) -> list[str]:
        """Cameras, however they are stored."""
        return [n for n, spec in self.features.items() if spec["dtype"] in ("video", "image")]

    @property
    def depth_keys(self) -> list[str]:
        """Cameras whose values are depths."""
        return [name for name, spec in self.features.items() if is_depth_map(spec)]

    @property
    def has_language_columns(self) -> bool:
        """True where a language column is declared."""
        return any(name in self.features for name in LANGUAGE_COLUMNS)

    @property
    def names(self) -> dict[str, Any]:
        """Names of the dimensions by feature, in whatever form `info.json` has them."""
        return {name: spec.get("names") for name, spec in self.features.items()}

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes by feature."""
        return {name: tuple(spec["shape"]) for name, spec in self.features.items()}

    @property
    def total_episodes(self) -> int:
        """Number of episodes."""
        return self.info.total_episodes

    @property
    def total_frames(self) -> int:
        """Number of frames of all episodes."""
        return self.info.total_frames

    @property
    def total_tasks(self) -> int:
        """Number of tasks."""
        return self.info.total_tasks

    @property
    def chunks_size(self) -> int:
        """Files (v3.0) or episodes (v2.x) per chunk folder."""
        return self.info.chunks_size

    @property
    def data_files_size_in_mb(self) -> int | float:
        """Soft limit of a table file in MiB."""
        return self.info.data_files_size_in_mb

    @property
    def video_files_size_in_mb(self) -> int | float:
        """Soft limit of a video file in MiB."""
        return self.info.video_files_size_in_mb

    def get_chunk_settings(self) -> dict[str, int | float]:
        """`chunks_size`, `data_files_size_in_mb` and `video_files_size_in_mb`."""
        return {
            "chunks_size": self.chunks_size,
            "data_files_size_in_mb": self.data_files_size_in_mb,
            "video_files_size_in_mb": self.video_files_size_in_mb,
        }

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({{\n"
            f"    Repository ID: '{self.repo_id}',\n"
            f"    Total episodes: '{self.total_episodes}',\n"
            f"    Total frames: '{self.total_frames}',\n"
            f"    Features: '{list(self.features)}',\n"
            "})"
        )
