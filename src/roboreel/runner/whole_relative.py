"""Compute statistics of relative actions over a whole result from the tables that were written."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from roboreel.errors import RunError
from roboreel.format.model import DATA_PATH, ROW_START, ROW_STOP
from roboreel.format.values import column_values
from roboreel.plan.plan import Plan, RelativeProgram
from roboreel.stats.feature_stats import FeatureStats, Stats, moments, quantile_name
from roboreel.stats.merge import merged_pair
from roboreel.stats.quantiles import Quantiles
from roboreel.storage.root import Root
from roboreel.storage.tables.tables import TableFile
from roboreel.types import Floats

_ACTION, _STATE = "action", "observation.state"
_NUMBERS = 1 << 21
"""Number of values in chunks that are handled at once."""


def with_relative_actions(root: Root, plan: Plan, merged: Stats) -> Stats:
    """The statistics of all episodes, with `action` described in chunks relative to the state.

    `count` is the number of actions in all chunks. Episodes shorter than a chunk have none.

    Raises:
        RunError: no episode is as long as a chunk, or values are missing.
    """
    program = plan.stats.relative
    if program is None:
        return merged
    quantiles, shares = Quantiles(len(program.relative)), plan.table.profile.quantiles
    found: FeatureStats = {}
    for values in _chunks(root, plan, program):
        count = np.array([len(values)], dtype=np.int64)
        part: FeatureStats = {**moments(values, axis=0), "count": count}
        found = merged_pair(found, part) if found else part
        if shares:
            quantiles.add(values)
    if not found:
        raise RunError(f"no episode is as long as a chunk of actions ({program.chunk} frames)")
    if shares:
        cuts = quantiles.of(shares)
        found |= {quantile_name(q): cut for q, cut in zip(shares, cuts, strict=True)}
    return {**merged, _ACTION: found}


def _chunks(root: Root, plan: Plan, program: RelativeProgram) -> Iterator[Floats]:
    """(n, width) actions of chunks, minus the state at the beginning of each chunk, some chunks at a time."""
    episodes = plan.model.episodes.select([DATA_PATH, ROW_START, ROW_STOP])
    file: TableFile | None = None
    try:
        for row in range(len(episodes)):
            path, start, stop = (column[row].as_py() for column in episodes.columns)
            if file is None or file.name != path:
                if file is not None:
                    file.close()
                file = TableFile(root, path)
            if stop - start >= program.chunk:
                yield from _of_episode(file, start, stop, program)
    finally:
        if file is not None:
            file.close()


def _of_episode(
    file: TableFile, start: int, stop: int, program: RelativeProgram
) -> Iterator[Floats]:
    table = file.rows(start, stop, (_ACTION, _STATE))
    actions, states = (column_values(table[name]) for name in (_ACTION, _STATE))
    if actions is None or states is None:
        raise RunError(f"'{file.name}': values of '{_ACTION}' or '{_STATE}' are missing")
    width = len(program.relative)
    mask = np.array(program.relative, dtype=np.float64)
    base = np.zeros((len(actions), width))
    known = min(width, states.shape[1])
    base[:, :known] = states[:, :known].astype(np.float64) * mask[:known]
    windows = np.lib.stride_tricks.sliding_window_view(
        actions.astype(np.float64), program.chunk, axis=0
    )  # (starts, width, chunk)
    step = max(1, _NUMBERS // (program.chunk * width))
    for at in range(0, len(windows), step):
        # the states of the last `chunk - 1` rows begin no chunk
        part = windows[at : at + step] - base[at : at + step][: len(windows) - at, :, None]
        yield np.ascontiguousarray(part.transpose(0, 2, 1)).reshape(-1, width)
