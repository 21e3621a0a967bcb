"""A dataset class as the tools see it, without what reads items."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import roboreel
from roboreel.testing import make_dataset
from roboreel.torch.dataset_metadata import LeRobotDatasetMetadata


class Opened:
    """The constructor and the attributes of `LeRobotDataset` that the tools use."""

    def __init__(
        self,
        repo_id: str,
        root: str | Path | None = None,
        image_transforms: Any = None,
        delta_timestamps: Any = None,
        tolerance_s: float = 1e-4,
        return_uint8: bool = False,
    ) -> None:
        self.meta = LeRobotDatasetMetadata(repo_id, root=root)
        self.repo_id, self.root = repo_id, Path(self.meta.root)
        self.image_transforms, self.delta_timestamps = image_transforms, delta_timestamps
        self.tolerance_s, self._return_uint8 = tolerance_s, return_uint8

    def column(self, name: str) -> list[Any]:
        """The values of a column in all rows."""
        dataset = roboreel.open(self.root)
        spans = [
            (row, 0, length) for row, length in enumerate(dataset.episodes["length"].to_pylist())
        ]
        return [v for table in dataset.rows(spans, [name]) for v in table[name].to_pylist()]

    @property
    def tasks(self) -> list[list[str]]:
        """The tasks of each episode."""
        listed: list[list[str]] = roboreel.open(self.root).episodes["tasks"].to_pylist()
        return listed


def made(path: Path, **options: Any) -> Opened:
    """A small dataset, `me/{name of its folder}`."""
    arguments = {"version": "v3.0", "episodes": (6, 4, 5, 3, 7), "cameras": {}, **options}
    return Opened(f"me/{path.name}", root=make_dataset(path, **arguments), tolerance_s=0.01)


def states(dataset: Opened) -> np.ndarray[Any, Any]:
    """(rows, n) the values of `observation.state`."""
    return np.array(dataset.column("observation.state"))
