"""Which episodes of a dataset cannot be read, and why."""

from __future__ import annotations

import os

from roboreel.dataset.dataset import Dataset
from roboreel.dataset.open import open_dataset
from roboreel.executors.worker_options import WorkerChoice
from roboreel.survey.survey import survey


def unreadable_episodes(
    dataset: Dataset | str | os.PathLike[str], *, workers: WorkerChoice = 1
) -> dict[int, str]:
    """Why episodes cannot be read, by their position in the dataset: of a missing or short video, say.

    Reads footers, index columns and packet indexes, but no frames: a damaged frame is not found.

    Args:
        dataset: an open dataset, or the path of one.
        workers: as in `roboreel.plan_write`.

    Raises:
        StorageError, DatasetError: the dataset cannot be opened, or no video of a camera is here.
    """
    dataset = dataset if isinstance(dataset, Dataset) else open_dataset(dataset)
    broken = survey(dataset, workers=workers).broken
    return {row: "; ".join(map(str, problems)) for row, problems in broken.items()}
