"""Rules about documents and file names, beyond those that opening checks."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from roboreel.dataset.dataset import Dataset
from roboreel.errors import Severity, counted
from roboreel.format import v30
from roboreel.format.feature import has_nested_names
from roboreel.format.inventory import Inventory
from roboreel.format.model import DATA_PATH, EPISODE, INFO
from roboreel.format.parse import Problems
from roboreel.format.v30_episodes import (
    EPISODES_FOLDER,
    FROM_INDEX,
    TO_INDEX,
    episode_files,
    whole_numbers,
)
from roboreel.format.version import FormatVersion
from roboreel.probes.table_requests import rows_by_path
from roboreel.storage.tables.tables import read_table
from roboreel.types import Int64


def check_documents(dataset: Dataset, inventory: Inventory, problems: Problems) -> None:
    """Check documents against each other, and report files that no document names."""
    _check_unused(dataset, problems)
    for feature in filter(has_nested_names, dataset.features.values()):
        message = f"the names of its dimensions are nested lists: {feature.names}"
        problems.add("feature.names", message, path=INFO, column=feature.name, severity="note")
    if dataset.version is FormatVersion.V30:
        _check_tasks(dataset, problems)
        _check_ranges(dataset, inventory.rows, problems)
        _check_unlisted(dataset, inventory, problems)


def _check_unused(dataset: Dataset, problems: Problems) -> None:
    for name in dataset.model.other_files:
        size = f"{dataset.root.stat(name).size_bytes:,} bytes"
        top, _, rest = name.partition("/")
        if top == "data" and rest.endswith(".parquet"):
            # v3.0 readers take every table one folder below `data`: its rows shift all others
            worst = dataset.version is FormatVersion.V30 and rest.count("/") == 1
            message = f"no episode uses this table ({size})"
            severity: Severity = "error" if worst else "warning"
            problems.add("file.unused", message, path=name, severity=severity)
        elif top == "videos" and rest.endswith(".mp4"):
            message = f"no episode or camera uses this video ({size})"
            problems.add("file.unused", message, path=name)


def _check_unlisted(dataset: Dataset, inventory: Inventory, problems: Problems) -> None:
    """Report rows of a table that no episode has: v3.0 readers count them as rows of the dataset."""
    for path, members in rows_by_path(dataset.episodes[DATA_PATH]).items():
        if path is None:
            continue
        rows = inventory.table_rows.get(path, 0)
        unlisted = rows - int(inventory.rows[members].sum())
        if unlisted > 0:
            size = inventory.files[path].size_bytes * unlisted // rows
            message = (
                f"{counted(unlisted, 'row')} of this table belong to no listed episode (about"
                f" {size:,} bytes)"
            )
            problems.error("episode.unlisted", message, path=path, amount=unlisted)


def _check_tasks(dataset: Dataset, problems: Problems) -> None:
    indexes = list(dataset.tasks)
    if indexes != list(range(len(indexes))):
        message = f"the task indexes are {indexes[:10]}, but readers expect 0 to {len(indexes) - 1}"
        problems.error("task.contiguous", message, path=v30.TASK_TABLE)


def _check_ranges(dataset: Dataset, rows: Int64, problems: Problems) -> None:
    """Check the row ranges that v3.0 readers rely on; roboreel derives them itself."""
    names = (FROM_INDEX, TO_INDEX)
    parts = [
        read_table(dataset.root, name, columns=[EPISODE, *names])
        for name in episode_files(dataset.files)
    ]
    table = pa.concat_tables(parts, promote_options="permissive").sort_by(EPISODE)
    absent = [name for name in names if name not in table.column_names]
    if absent:
        message = f"the table of episodes has no column {', '.join(absent)}, which readers need to find rows"
        problems.error("episode.range", message, path=EPISODES_FOLDER)
        return
    stop = np.cumsum(rows)
    start = stop - rows
    numbers = dataset.episodes[EPISODE].to_pylist()
    said = [whole_numbers(table[name]).to_pylist() for name in names]
    for row, (a, b) in enumerate(zip(*said, strict=True)):
        if (a, b) != (start[row], stop[row]):
            message = f"the declared rows are {a}:{b}, but the episode's rows are {start[row]}:{stop[row]}"
            off = max(abs((a or 0) - start[row]), abs((b or 0) - stop[row]))
            location = {"path": EPISODES_FOLDER, "episode": numbers[row]}
            problems.error("episode.range", message, amount=float(off), **location)
