"""The table of episodes as v3.0 stores it, from a dataset of any version."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roboreel.dataset.dataset import Dataset
from roboreel.format.fps import seconds_of
from roboreel.format.model import EPISODE, LENGTH, TASKS
from roboreel.format.v30_episodes import (
    CHUNK_INDEX,
    FILE_INDEX,
    FROM_INDEX,
    TO_INDEX,
    episode_files,
    whole_numbers,
)
from roboreel.storage.tables.tables import TableFile
from roboreel.torch.sources.view_dataset import ViewDataset

_STATS = "stats/"


def episode_columns(dataset: Dataset) -> pa.Table:
    """One row per episode, with the columns of v3.0's table of episodes but for `stats/…`.

    Row ranges and lengths are those that roboreel reads; v3.0 tables keep all further columns. For v2.x,
    file numbers are those in the file names, and every video begins at 0 seconds. Those
    of a view say nothing of files.
    """
    known = dict(_rows(dataset))
    if isinstance(dataset, ViewDataset):
        return pa.table(known)
    if dataset.version.one_file_per_episode:
        return pa.table(known | dict(_files(dataset)))
    stored = _stored(dataset)
    names = dict.fromkeys([*stored.column_names, *known])
    return pa.table({n: known[n] if n in known else _whole(stored, n) for n in names})


def _rows(dataset: Dataset) -> Iterator[tuple[str, pa.ChunkedArray]]:
    """Number, tasks, length and row range of every episode."""
    episodes = dataset.episodes
    lengths = episodes[LENGTH].to_numpy()
    stop = np.cumsum(lengths)
    yield from ((name, episodes[name]) for name in (EPISODE, TASKS, LENGTH))
    yield FROM_INDEX, pa.chunked_array([stop - lengths])
    yield TO_INDEX, pa.chunked_array([stop])


def _files(dataset: Dataset) -> Iterator[tuple[str, pa.ChunkedArray]]:
    """Where the files of v2.x are, in v3.0's columns, and the dataset's own columns."""
    episodes = dataset.episodes
    numbers = episodes[EPISODE].to_numpy()
    chunks = pa.chunked_array([numbers // dataset.model.info.chunks_size])
    ends = pa.chunked_array([seconds_of(episodes[LENGTH].to_numpy(), dataset.fps)])
    for prefix in ("data", *(f"videos/{camera}" for camera in dataset.cameras)):
        yield f"{prefix}/{CHUNK_INDEX}", chunks
        yield f"{prefix}/{FILE_INDEX}", episodes[EPISODE]
        if prefix != "data":
            yield f"{prefix}/from_timestamp", pa.chunked_array([np.zeros(len(numbers))])
            yield f"{prefix}/to_timestamp", ends
    yield from ((name, episodes[name]) for name in dataset.model.extra_columns)


def _whole(table: pa.Table, name: str) -> pa.ChunkedArray:
    """A stored column; numbers of files as integers, also where they are stored as doubles."""
    return whole_numbers(table[name]) if name.endswith("_index") else table[name]


def _stored(dataset: Dataset) -> pa.Table:
    """The stored table in order of episodes, without statistics."""
    parts = []
    for name in episode_files(dataset.files):
        with TableFile(dataset.root, name) as file:
            names = [n for n in file.footer.schema.names if not n.startswith(_STATS)]
            parts.append(file.read(names).replace_schema_metadata(None))
    table = pa.concat_tables(parts, promote_options="permissive")
    return table.take(pc.sort_indices(table, [(EPISODE, "ascending")]))
