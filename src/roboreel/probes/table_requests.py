"""Build the requests that ask table files about their episodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from roboreel.format.inventory import FileFacts
from roboreel.format.model import EPISODE, LENGTH, ROW_START, Model
from roboreel.probes.probe_request import ProbeRequest, bounds_of
from roboreel.probes.probe_tables import TableContext

_FILE_US, _EPISODE_US, _ROWS_PER_US = 200, 40, 100


def rows_by_path(paths: pa.ChunkedArray) -> dict[str | None, list[int]]:
    """Group the rows of the episodes table by the path in a column; order is kept."""
    grouped: dict[str | None, list[int]] = {}
    for row, path in enumerate(paths.to_pylist()):
        grouped.setdefault(path, []).append(row)
    return grouped


def table_requests(
    model: Model, groups: Mapping[str, Sequence[int]], files: Mapping[str, FileFacts]
) -> ProbeRequest:
    """Request what `probe_tables` finds about the episodes that the documents place in each file.

    Args:
        model: the documents.
        groups: rows of the episodes table, by path of the table file.
        files: size and stamp of each file.
    """
    members = np.array([row for rows in groups.values() for row in rows], dtype=np.int64)
    counts = np.array([len(rows) for rows in groups.values()], dtype=np.int64)
    bounds = bounds_of(counts.tolist())
    numbers, starts, lengths = (
        model.episodes[name].to_numpy().astype(np.int64)[members]
        for name in (EPISODE, ROW_START, LENGTH)
    )
    rows_before = bounds_of(lengths.tolist())
    rows_of_files = rows_before[bounds[1:]] - rows_before[bounds[:-1]]
    return ProbeRequest(
        context=TableContext(
            one_file_per_episode=model.info.version.one_file_per_episode,
            fps=model.info.fps,
            declared=tuple(model.info.features),
        ),
        paths=list(groups),
        files=[files[path] for path in groups],
        bounds=bounds,
        episodes=np.stack([numbers, starts, lengths], axis=1),
        cost_us=_FILE_US + _EPISODE_US * counts + rows_of_files // _ROWS_PER_US,
    )
