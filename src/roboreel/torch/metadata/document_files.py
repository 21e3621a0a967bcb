"""Write documents of a dataset in a local folder: each whole or not at all, in a given order."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from roboreel.errors import StorageError, UsageError
from roboreel.format import v2, v20
from roboreel.format.model import INFO
from roboreel.format.v30 import GLOBAL_STATS, TASK_TABLE
from roboreel.format.v30_documents import task_table
from roboreel.format.version import FormatVersion
from roboreel.stats.feature_stats import parse_array, stats_to_json
from roboreel.storage.local import LocalRoot
from roboreel.storage.names import local_path
from roboreel.storage.tables.tables_write import write_table
from roboreel.torch.metadata.dataset_info import DatasetInfo
from roboreel.types import Json
from roboreel.writing.partial_files import PartialFiles


def local_root(root: str | os.PathLike[str]) -> LocalRoot:
    """The folder to write in, which need not exist.

    Raises:
        UsageError: it is not on a local disk.
    """
    text = os.fspath(root)
    if "://" in text:
        raise UsageError(f"cannot write to '{text}': documents can only be written on a local disk")
    return LocalRoot(local_path(text))


def commit(
    root: LocalRoot,
    whole: Mapping[str, bytes | pa.Table],
    lines: Mapping[str, bytes] | None = None,
) -> None:
    """Replace documents, then append to others; `info.json` comes last. All are on the disk when it returns.

    Args:
        root: the dataset.
        whole: new content by name.
        lines: lines to append by name.
    """
    files = PartialFiles(root)
    try:
        for name, content in whole.items():
            if isinstance(content, pa.Table):
                write_table(root, files.partial(name), content)
            else:
                files.put(name, content)
        files.sync()
        _publish(root, files, [name for name in whole if name != INFO])
        for name, data in (lines or {}).items():
            _append(root, name, data)
        _publish(root, files, [name for name in whole if name == INFO])
    finally:
        files.discard()


def _publish(root: LocalRoot, files: PartialFiles, names: Sequence[str]) -> None:
    """Give files their names, in order, and force that to the disk."""
    for name in names:
        root.take(files.source(name), name)
    root.sync_folders(names)


def _append(root: LocalRoot, name: str, data: bytes) -> None:
    """Append whole lines to a document; where the disk is full, it stays as it was."""
    size = root.stat(name).size_bytes if root.exists(name) else 0
    try:
        root.append(name, data)
    except StorageError:
        if root.exists(name):
            root.cut(name, size)
        raise
    root.sync([name])


def info_bytes(info: DatasetInfo) -> bytes:
    """`info.json`."""
    return json.dumps(info.to_dict(), indent=4, ensure_ascii=False).encode()


def stats_bytes(stats: Mapping[str, Mapping[str, Json]]) -> bytes:
    """`stats.json` of arrays, lists or numbers by feature and name."""
    return json.dumps(stats_to_json(parsed_stats(stats)), indent=4, ensure_ascii=False).encode()


def parsed_stats(stats: Mapping[str, Mapping[str, Json]]) -> dict[str, dict[str, np.ndarray]]:
    """Statistics as arrays of at least one dimension; what is not numeric is left out."""
    return {
        name: {
            key: array
            for key, value in parts.items()
            if (array := parse_array(key, _plain(value))) is not None
        }
        for name, parts in stats.items()
    }


def _plain(value: Json) -> Json:
    """A tensor as an array."""
    return value.numpy() if hasattr(value, "numpy") else value


def task_documents(
    version: FormatVersion, tasks: Mapping[int, str], new: Mapping[int, str]
) -> tuple[dict[str, bytes | pa.Table], dict[str, bytes]]:
    """(documents to replace, lines to append) for new tasks.

    Args:
        version: the dataset's version.
        tasks: all tasks, with the new ones.
        new: the new ones.
    """
    if version.one_file_per_episode:
        return {}, {v2.TASK_LIST: b"".join(v2.task_lines(new))}
    return {TASK_TABLE: task_table(tasks)}, {}


def stats_documents(
    version: FormatVersion, stats: Mapping[str, Mapping[str, Json]], *, there: bool
) -> dict[str, bytes]:
    """`stats.json` of the whole dataset, for versions that have it.

    Args:
        version: the dataset's version.
        stats: statistics by feature and name.
        there: True where the file exists; v2.1 has it only then.
    """
    if version.has_global_stats:
        return {GLOBAL_STATS: stats_bytes(stats)}
    document = v20.stats_document(parsed_stats(stats)) if there else None
    return {} if document is None else {GLOBAL_STATS: json.dumps(document, indent=4).encode()}
