"""Documents of datasets of very many episodes, whose tables and videos exist by name only."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from fabrication import CHUNK_SIZE, episode_table
from scale_fabrication import (
    CAMERAS,
    EPISODES_PER_FILE,
    EPISODES_PER_TABLE,
    ROW_GROUP,
    SHAPE,
    TASK_COUNT,
    episodes_table,
    info_of,
    numbered,
    stats_of,
    tasks_of,
    write_v2_documents,
)

from roboreel.storage.links import Listing
from roboreel.storage.local import LocalRoot

VERSIONS = ("v2.1", "v3.0")


class ListedRoot(LocalRoot):
    """A folder with documents and one table, that lists the names of all other tables and videos as well."""

    def listing(self) -> Listing:
        document = json.loads(self.read("meta/info.json"))
        documents = (f"meta/{name}" for name in self.below("meta"))
        named = _names(document["codebase_version"], document["total_episodes"])
        return Listing(tuple(sorted({*documents, *named})))


def _names(version: str, episodes: int) -> Iterator[str]:
    if version == "v3.0":
        for number in range(-(-episodes // EPISODES_PER_FILE)):
            yield f"data/{numbered(number)}.parquet"
            yield from (f"videos/{camera}/{numbered(number)}.mp4" for camera in CAMERAS)
        return
    for episode in range(episodes):
        chunk = f"chunk-{episode // CHUNK_SIZE:03d}"
        yield f"data/{chunk}/episode_{episode:06d}.parquet"
        yield from (f"videos/{chunk}/{name}/episode_{episode:06d}.mp4" for name in CAMERAS)


def fabricate(root: Path, *, version: str, episodes: int) -> None:
    """The documents of that version and size; those that are there already are kept."""
    if (root / "meta/info.json").is_file():
        return
    shutil.rmtree(root, ignore_errors=True)
    (root / "meta").mkdir(parents=True)
    table = root / next(_names(version, episodes))
    table.parent.mkdir(parents=True)
    pq.write_table(episode_table(SHAPE, episode=0, start=0), table)
    if version == "v3.0":
        _write_v3(root, episodes)
    else:
        write_v2_documents(root, episodes, has_stats=True)
    document = json.dumps(info_of(version, episodes))
    (root / "meta/info.json").write_text(document, encoding="utf-8")


def _write_v3(root: Path, episodes: int) -> None:
    tasks = tasks_of(episodes)
    for number, first in enumerate(range(0, episodes, EPISODES_PER_TABLE)):
        path = root / "meta/episodes" / f"{numbered(number)}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        count = min(EPISODES_PER_TABLE, episodes - first)
        table = episodes_table(first, count, number, tasks)
        pq.write_table(table, path, row_group_size=ROW_GROUP)
    indexes = pa.array(np.arange(min(TASK_COUNT, episodes)))
    pq.write_table(pa.table({"task_index": indexes, "task": tasks}), root / "meta/tasks.parquet")
    (root / "meta/stats.json").write_text(json.dumps(stats_of(0)), encoding="utf-8")
