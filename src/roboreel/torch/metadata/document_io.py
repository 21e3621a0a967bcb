"""Read and write single documents of a dataset's folder, by the names of lerobot's functions."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from roboreel.dataset.open import open_dataset
from roboreel.errors import DatasetError, MissingFileError, StorageError
from roboreel.format.model import INFO
from roboreel.format.parse import parse_json
from roboreel.format.v30 import GLOBAL_STATS, TASK_TABLE
from roboreel.format.v30_documents import task_table
from roboreel.storage.fs import open_root
from roboreel.storage.tables.tables import TableFile, uncompressed_bytes
from roboreel.torch.metadata.dataset_info import DatasetInfo
from roboreel.torch.metadata.document_files import (
    commit,
    info_bytes,
    local_root,
    parsed_stats,
    stats_bytes,
)
from roboreel.torch.metadata.episode_columns import episode_columns
from roboreel.torch.metadata.episode_list import episodes_dataset
from roboreel.torch.metadata.saved_episode import episode_file
from roboreel.torch.metadata.task_list import tasks_frame, tasks_of_frame
from roboreel.types import Json

Folder = str | os.PathLike[str]
_MIB = 1 << 20


def write_info(info: DatasetInfo, local_dir: Folder) -> None:
    """Write `meta/info.json`."""
    commit(local_root(local_dir), {INFO: info_bytes(info)})


def load_info(local_dir: Folder) -> DatasetInfo:
    """The content of `meta/info.json`.

    Raises:
        MissingFileError: there is none.
        DatasetError: it is not a JSON object.
    """
    document = _json(local_dir, INFO)
    if not isinstance(document, dict):
        raise DatasetError(f"'{INFO}' in '{os.fspath(local_dir)}' is not a JSON object")
    return DatasetInfo.from_dict(document)


def write_stats(stats: Mapping[str, Mapping[str, Json]], local_dir: Folder) -> None:
    """Write `meta/stats.json` from arrays, tensors, lists or numbers by feature and name."""
    commit(local_root(local_dir), {GLOBAL_STATS: stats_bytes(stats)})


def load_stats(local_dir: Folder) -> dict[str, dict[str, np.ndarray[Any, Any]]] | None:
    """The content of `meta/stats.json` as arrays by feature and name; None where there is none."""
    if not open_root(local_dir).exists(GLOBAL_STATS):
        return None
    return cast_stats_to_numpy(_json(local_dir, GLOBAL_STATS))


def cast_stats_to_numpy(
    stats: Mapping[str, Mapping[str, Json]],
) -> dict[str, dict[str, np.ndarray[Any, Any]]]:
    """Statistics as arrays of at least one dimension, by feature and name."""
    return dict(parsed_stats(stats))


def write_tasks(tasks: Any, local_dir: Folder) -> None:
    """Write `meta/tasks.parquet`.

    Args:
        tasks: texts as the index, a column `task_index`.
        local_dir: the dataset's folder.
    """
    commit(local_root(local_dir), {TASK_TABLE: task_table(tasks_of_frame(tasks))})


def load_tasks(local_dir: Folder) -> Any:
    """The tasks of a dataset of any version: texts as the index, a column `task_index`."""
    return tasks_frame(open_dataset(local_dir).tasks)


def write_episodes(episodes: Any, local_dir: Folder) -> None:
    """Write the table of episodes as one file.

    Args:
        episodes: a `datasets.Dataset` or an `EpisodeList`.
        local_dir: the dataset's folder.
    """
    table = getattr(episodes.data, "table", episodes.data)
    commit(local_root(local_dir), {episode_file(0, 1): table.combine_chunks()})


def load_episodes(local_dir: Folder) -> Any:
    """The episodes of a dataset of any version, without statistics."""
    return episodes_dataset(episode_columns(open_dataset(local_dir)))


def get_file_size_in_mb(file_path: Folder) -> float:
    """Size of a file in MiB."""
    root, name = _located(file_path)
    return float(root.stat(name).size_bytes) / _MIB


def get_parquet_file_size_in_mb(parquet_path: Folder) -> float:
    """Size of a table file in MiB, as it would be without compression."""
    return uncompressed_bytes(*_located(parquet_path)) / _MIB


def get_parquet_num_frames(parquet_path: Folder) -> int:
    """Number of rows of a table file."""
    with TableFile(*_located(parquet_path)) as file:
        return file.footer.rows


def _located(path: Folder) -> tuple[Any, str]:
    folder, name = os.path.split(os.fspath(path))
    return open_root(folder or "."), name


def _json(local_dir: Folder, name: str) -> Json:
    try:
        root = open_root(local_dir)
    except StorageError as error:
        raise MissingFileError(str(error)) from error
    if not root.exists(name):
        raise MissingFileError(f"'{os.fspath(local_dir)}' has no '{name}'")
    return parse_json(root.read(name), name)
