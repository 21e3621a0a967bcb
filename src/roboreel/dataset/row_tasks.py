"""The tasks of episodes according to their rows, which may differ from the documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from roboreel.errors import StorageError
from roboreel.executors.worker_options import WorkerOptions
from roboreel.format.inventory import FileFacts
from roboreel.format.model import DATA_PATH, TASKS, Model
from roboreel.probes.cache import cache_of
from roboreel.probes.probe_tables import probe_tables
from roboreel.probes.probing import Probing
from roboreel.probes.table_requests import rows_by_path, table_requests
from roboreel.storage.root import Root


def tasks_of_rows(root: Root, model: Model, files: Sequence[str]) -> list[list[str]]:
    """(episodes,) task texts of each episode's rows, by ascending task index: see `task_indexes_of_rows`.

    Empty if the table has no `task_index`, cannot be read, or has only unknown indexes.
    """
    indexes, strings = task_indexes_of_rows(root, model, files)
    return [[strings[index] for index in own if index in strings] for own in indexes]


def task_indexes_of_rows(
    root: Root, model: Model, files: Sequence[str]
) -> tuple[list[Sequence[int]], Mapping[int, str]]:
    """(episodes,) distinct task indexes of each episode's rows, ascending; and the text of each index.

    No indexes if the table has no `task_index` or cannot be read. Uses the survey cache for unchanged files.

    Args:
        root: the dataset's root.
        model: its documents.
        files: names of its files.
    """
    present, alone = frozenset(files), model.info.version.one_file_per_episode
    groups = {
        path: rows
        for path, rows in rows_by_path(model.episodes[DATA_PATH]).items()
        if path in present and not (alone and len(rows) > 1)
    }
    facts: dict[str, FileFacts] = {}
    for path, found in zip(groups, root.stats(list(groups)), strict=True):
        if not isinstance(found, StorageError):
            facts[path] = FileFacts(size_bytes=found.size_bytes, stamp=found.stamp)
    groups = {path: rows for path, rows in groups.items() if path in facts}
    cache = cache_of(root, files=len(files))
    with Probing(root, workers=WorkerOptions(), cache=cache) as probing:
        answers = probing.answers("tables", probe_tables, table_requests(model, groups, facts))
        probing.save()
    indexes: list[Sequence[int]] = [()] * len(model.episodes)
    order = [row for rows in groups.values() for row in rows]
    for row, found in zip(
        order, answers["tasks"].combine_chunks().flatten().to_pylist(), strict=True
    ):
        indexes[row] = found
    strings = model.tasks
    if not model.has_task_list:
        strings = tasks_by_index(indexes, model.episodes[TASKS].to_pylist())
    return indexes, strings


def tasks_by_index(
    indexes: Sequence[Sequence[int]], listed: Sequence[Sequence[str]]
) -> dict[int, str]:
    """Task text by index without a task list, from episodes with one index and one listed text.

    An index with several texts is left out.

    Args:
        indexes: (episodes,) distinct task indexes of each episode's rows.
        listed: (episodes,) task texts that each episode lists.
    """
    found: dict[int, str] = {}
    disputed: set[int] = set()
    for own, strings in zip(indexes, listed, strict=True):
        if len(own) == 1 and len(strings) == 1:
            (index,), (text,) = own, strings
            if found.setdefault(index, text) != text:
                disputed.add(index)
    return {index: text for index, text in found.items() if index not in disputed}
