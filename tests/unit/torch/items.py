"""Datasets in memory, with the items and the metadata of `LeRobotDataset`."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

INDEX = {"dtype": "int64", "shape": (1,), "names": None}


class Items:
    """`frames` items; the values of each feature are 100 times the frame's number, plus 0, 1, 2, …."""

    def __init__(
        self,
        repo_id: str,
        frames: int,
        shapes: Mapping[str, tuple[int, ...]],
        *,
        robot: str = "arm",
        windows: Mapping[str, int] | None = None,
        fps: int = 30,
        **_: Any,
    ) -> None:
        features = {name: {"dtype": "float32", "shape": shape} for name, shape in shapes.items()}
        self.repo_id, self.frames, self.windows = repo_id, frames, windows or {}
        self.num_episodes, self.shapes = 1, dict(shapes)
        self.meta = SimpleNamespace(
            features={**features, "index": INDEX},
            robot_type=robot,
            fps=fps,
            stats={
                name: {
                    "min": np.full(shape[:1], 1.0),
                    "max": np.full(shape[:1], 3.0),
                    "mean": np.full(shape[:1], 2.0),
                    "std": np.full(shape[:1], 0.5),
                    "count": np.array([frames]),
                }
                for name, shape in shapes.items()
            },
        )
        self.transforms: Any = None

    def __len__(self) -> int:
        return self.frames

    def __getitem__(self, index: int) -> dict[str, Any]:
        item: dict[str, Any] = {"index": torch.tensor(index), "task": self.repo_id}
        for name, shape in self.shapes.items():
            values = torch.arange(float(np.prod(shape))).reshape(shape) + 100 * index
            item[name] = values[0] if shape == (1,) else values
            if name in self.windows:
                item[name] = torch.stack([item[name]] * self.windows[name])
                item[f"{name}_is_pad"] = torch.zeros(self.windows[name], dtype=torch.bool)
        return item

    def set_image_transforms(self, transforms: Any) -> None:
        """Remember them."""
        self.transforms = transforms
