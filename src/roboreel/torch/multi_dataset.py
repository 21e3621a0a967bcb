"""Several datasets as one, with the interface of lerobot's `MultiLeRobotDataset`."""

from __future__ import annotations

import importlib
import logging
import os
import reprlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch.utils.data import Dataset

from roboreel.torch import constants
from roboreel.torch.errors import ArgumentError, WrongTypeError
from roboreel.torch.mixing.mixed_dataset import Item, MixedDataset
from roboreel.torch.mixing.mixed_features import Stats
from roboreel.types import Json

_LOG = logging.getLogger(__name__)
_TOLERANCE_S = 1e-4


class MultiLeRobotDataset(Dataset[Item]):
    """The items of several datasets, one dataset after another, with the features that all have.

    `dataset_index` is the number of an item's dataset. `MixedDataset` does more: weights, names, padding.

    Args:
        repo_ids: the datasets' names.
        root: the folder in which each dataset is in a folder of its name; by default `HF_LEROBOT_HOME`, or
            the Hub.
        episodes: by name, the episodes to use; by default all.
        image_transforms: applied to the frames of cameras.
        delta_timestamps: windows by feature, in seconds: see `LeRobotDataset`.
        tolerances_s: by name, how far a frame's time may be off; by default 0.0001 s.
        download_videos: False downloads no videos.
        video_backend: the decoder.
        token: the Hub's token.

    Raises:
        ArgumentError: there are no datasets, or their frame rates differ. It is a `ValueError`.
        WrongTypeError: `repo_ids` is no list, or `episodes` is not by name. It is a `TypeError`.
        NoCommonFeaturesError: the datasets have no feature in common. It is a `RuntimeError`.
    """

    def __init__(
        self,
        repo_ids: list[str],
        root: str | os.PathLike[str] | None = None,
        episodes: Mapping[str, list[int]] | None = None,
        image_transforms: Callable[[Any], Any] | None = None,
        delta_timestamps: dict[str, list[float]] | None = None,
        tolerances_s: Mapping[str, float] | None = None,
        download_videos: bool = True,
        video_backend: str | None = None,
        *,
        token: str | bool | None = None,
    ) -> None:
        _require_lists(repo_ids, episodes)
        self.repo_ids = list(repo_ids)
        self.root = constants.HF_LEROBOT_HOME if root is None else Path(root)
        self.tolerances_s = {
            name: (tolerances_s or {}).get(name, _TOLERANCE_S) for name in self.repo_ids
        }
        self.image_transforms, self.delta_timestamps = image_transforms, delta_timestamps
        # looked up when called, as programs may put a class of their own in its place
        dataset_class: Any = importlib.import_module("roboreel.torch").LeRobotDataset
        self._datasets: list[Any] = [
            dataset_class(
                name,
                root=None if root is None else self.root / name,
                episodes=(episodes or {}).get(name),
                image_transforms=image_transforms,
                delta_timestamps=delta_timestamps,
                tolerance_s=self.tolerances_s[name],
                download_videos=download_videos,
                video_backend=video_backend,
                token=token,
            )
            for name in self.repo_ids
        ]
        self._mixed = MixedDataset(self._datasets)
        self._require_one_rate()
        self.disabled_features = self._mixed.disabled_features
        if self.disabled_features:
            _LOG.warning(
                "features are left out because not all datasets have them: %s",
                ", ".join(sorted(self.disabled_features)),
            )
        self.stats: Stats = self._mixed.stats

    def set_image_transforms(self, image_transforms: Callable[[Any], Any] | None) -> None:
        """Apply other transforms to the frames of cameras from now on.

        Args:
            image_transforms: a function of a frame; None for none.
        """
        self.image_transforms = image_transforms
        for dataset in self._datasets:
            dataset.set_image_transforms(image_transforms)

    def clear_image_transforms(self) -> None:
        """Apply no transforms from now on."""
        self.set_image_transforms(None)

    @property
    def repo_id_to_index(self) -> dict[str, int]:
        """Number of a dataset by its name."""
        return {name: number for number, name in enumerate(self.repo_ids)}

    @property
    def repo_index_to_id(self) -> dict[int, str]:
        """Name of a dataset by its number."""
        return dict(enumerate(self.repo_ids))

    @property
    def fps(self) -> int | float:
        """Frames per second, the same in all datasets."""
        rate: int | float = self._datasets[0].meta.fps
        return rate

    @property
    def video(self) -> bool:
        """True if a camera is stored as video."""
        return bool(self.video_frame_keys)

    @property
    def features(self) -> dict[str, dict[str, Json]]:
        """What `info.json` says of the features that all datasets have."""
        return self._mixed.features

    @property
    def camera_keys(self) -> list[str]:
        """Names of the cameras that all datasets have."""
        return [name for name, one in self.features.items() if one["dtype"] in ("video", "image")]

    @property
    def video_frame_keys(self) -> list[str]:
        """Names of those cameras that the first dataset stores as video."""
        return [name for name, one in self.features.items() if one["dtype"] == "video"]

    @property
    def num_frames(self) -> int:
        """Frames of all datasets."""
        return self._mixed.num_frames

    @property
    def num_episodes(self) -> int:
        """Episodes of all datasets."""
        return self._mixed.num_episodes

    @property
    def tolerance_s(self) -> float:
        """A little less than the time between two frames, in seconds."""
        return 1 / self.fps - _TOLERANCE_S

    def __len__(self) -> int:
        return self.num_frames

    def __getitem__(self, idx: int) -> Item:
        return _without_robot(self._mixed[idx])

    def __getitems__(self, indices: list[int]) -> list[Item]:
        """Items at indices; items of the same dataset are read together."""
        return [_without_robot(item) for item in self._mixed.__getitems__(indices)]

    def __repr__(self) -> str:
        return (
            f"MultiLeRobotDataset(repo_ids={self.repo_ids}, num_frames={self.num_frames},"
            f" num_episodes={self.num_episodes}, fps={self.fps:g}, camera_keys={self.camera_keys})"
        )

    def _require_one_rate(self) -> None:
        for name, dataset in zip(self.repo_ids, self._datasets, strict=True):
            if dataset.meta.fps != self.fps:
                raise ArgumentError(
                    f"'{self.repo_ids[0]}' has {self.fps:g} fps and '{name}' {dataset.meta.fps:g}:"
                    " `roboreel resample` one of them, or use MixedDataset"
                )


def _require_lists(repo_ids: object, episodes: object) -> None:
    """Raise `WrongTypeError` for one name, and for episodes that are not by name."""
    if isinstance(repo_ids, str | os.PathLike):
        raise WrongTypeError(
            f"repo_ids is {str(repo_ids)!r}, expected a list of names: MultiLeRobotDataset(['user/a',"
            " 'user/b']). LeRobotDataset opens one dataset"
        )
    if episodes is not None and not isinstance(episodes, Mapping):
        raise WrongTypeError(
            f"episodes is {reprlib.repr(episodes)}, expected the episodes by name: {{'user/a': [0, 1]}}"
        )


def _without_robot(item: Item) -> Item:
    item.pop("robot_index")
    return item
