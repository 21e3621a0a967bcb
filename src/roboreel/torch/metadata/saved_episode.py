"""What the documents say of one more episode: a row of a table (v3.0), or lines (v2.1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pyarrow as pa

from roboreel.format import v2
from roboreel.format.extras import extra_column
from roboreel.format.layout import numbered
from roboreel.format.model import EPISODE, LENGTH, TASKS, is_layout
from roboreel.format.stats_columns import with_stats
from roboreel.format.v30_documents import file_numbers
from roboreel.format.v30_episodes import (
    CHUNK_INDEX,
    EPISODES_TEMPLATE,
    FILE_INDEX,
    FROM_INDEX,
    TO_INDEX,
    episode_files,
)
from roboreel.stats.block import StatsBlock, blocks_of
from roboreel.torch.metadata.document_files import parsed_stats
from roboreel.types import Json

_STATS = "stats/"
_COUNTERS = (CHUNK_INDEX, FILE_INDEX)


def unflattened_stats(episode: Mapping[str, Json]) -> dict[str, dict[str, Json]]:
    """Statistics by feature and name, from the `stats/{feature}/{name}` entries of an episode."""
    found: dict[str, dict[str, Json]] = {}
    for name, value in episode.items():
        if name.startswith(_STATS):
            feature, _, key = name.removeprefix(_STATS).rpartition("/")
            found.setdefault(feature, {})[key] = value
    return found


def episode_row(episode: Mapping[str, Json]) -> pa.Table:
    """One row of v3.0's table of episodes.

    Args:
        episode: the row's entries by column, statistics as `stats/{feature}/{name}`.
    """
    columns = {name: _column(name, v) for name, v in episode.items() if not name.startswith(_STATS)}
    return with_stats(pa.table(columns), _block(episode))


def _block(episode: Mapping[str, Json]) -> StatsBlock:
    (block,) = blocks_of([parsed_stats(unflattened_stats(episode))])
    return block


def _column(name: str, value: Json) -> pa.Array:
    plain = value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
    if name == TASKS:
        return pa.array([plain], pa.list_(pa.string()))
    if name in (EPISODE, LENGTH, FROM_INDEX, TO_INDEX) or _is_position(name, _COUNTERS):
        return pa.array([plain], pa.int64())
    if _is_position(name, ("from_timestamp", "to_timestamp")):
        return pa.array([plain], pa.float64())
    return extra_column(name, [plain])[1]


def _is_position(name: str, kinds: Iterable[str]) -> bool:
    return is_layout(name) and name.rpartition("/")[2] in kinds


def episode_lines(episode: Mapping[str, Json]) -> dict[str, bytes]:
    """The lines of v2.1's lists, by document, statistics first.

    Args:
        episode: as for `episode_row`; positions are left out, because v2.1 has one file per episode.
    """
    number = int(episode[EPISODE])
    (stats,) = _block(episode).json_rows()
    known = (EPISODE, TASKS, LENGTH)
    extra = {n: value for n, value in episode.items() if n not in known and not is_layout(n)}
    entry = v2.episode_entry(number, list(episode[TASKS]), int(episode[LENGTH]), extra)
    return {
        v2.EPISODE_STATS: b"".join(v2.json_lines([{EPISODE: number, "stats": stats}])),
        v2.EPISODES: b"".join(v2.json_lines([entry])),
    }


def next_episode_file(files: Iterable[str], chunks_size: int) -> int:
    """The number of the next file of the table of episodes, beyond all that exist."""
    names = episode_files(files)
    if not names:
        return 0
    chunks, numbers = file_numbers(pa.chunked_array([pa.array(names)]))
    known = [
        chunk * chunks_size + file
        for chunk, file in zip(chunks.to_pylist(), numbers.to_pylist(), strict=True)
        if chunk is not None
    ]
    return max(known, default=-1) + 1


def episode_file(number: int, chunks_size: int) -> str:
    """The name of the `number`-th file of the table of episodes."""
    return numbered(EPISODES_TEMPLATE, number, chunks_size)
