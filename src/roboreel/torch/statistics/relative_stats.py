"""Statistics of actions as seen from the state in which each chunk of them begins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from roboreel.edit.relative_actions import ACTION, STATE, RelativeActions, relative_components
from roboreel.errors import counted
from roboreel.stats.feature_stats import Array
from roboreel.torch.errors import ArgumentError
from roboreel.torch.features.feature_facts import feature_of
from roboreel.torch.statistics.running_stats import RunningQuantileStats
from roboreel.types import Bools, Floats, Int64, JsonObject

_STARTS_AT_ONCE = 50_000


def compute_relative_action_stats(
    hf_dataset: Any,
    features: Mapping[str, JsonObject],
    chunk_size: int,
    exclude_joints: Sequence[str] | None = None,
    num_workers: int = 0,
) -> dict[str, Array]:
    """(components,) statistics of `action[s + j] - state[s]` over all chunks that are within an episode.

    Args:
        hf_dataset: gives the columns `action`, `observation.state` and `episode_index` by name.
        features: declarations by name.
        chunk_size: frames of a chunk.
        exclude_joints: joints whose names contain one of these stay absolute.
        num_workers: threads that compute; 0 and 1 for none.

    Raises:
        ArgumentError: there is no action or state, or the state lacks components.
        RuntimeError: no episode has as many frames as a chunk.
    """
    wanted = RelativeActions(chunk=chunk_size, kept=tuple(exclude_joints or ()))
    declared = {n: feature_of(n, features[n]) for n in (ACTION, STATE) if n in features}
    relative = np.array(relative_components(wanted, declared), dtype=np.bool_)
    actions, states = (np.array(hf_dataset[name], dtype=np.float32) for name in (ACTION, STATE))
    starts = _chunk_starts(np.array(hf_dataset["episode_index"]), chunk_size)
    if not len(starts):
        raise RuntimeError(
            f"no episode is as long as a chunk, {counted(chunk_size, 'frame')}: pass a smaller chunk_size"
        )
    running = RunningQuantileStats()
    for values in _batches(actions, states, starts, chunk_size, relative, num_workers):
        running.update(values)
    return running.get_statistics()


def _chunk_starts(episodes: Int64, chunk_size: int) -> Int64:
    """Rows at which a chunk begins that is within one episode."""
    if chunk_size < 1:
        raise ArgumentError(f"chunk_size is {chunk_size}, expected 1 or more")
    count = len(episodes) - chunk_size + 1
    starts = np.arange(max(count, 0))
    found: Int64 = starts[episodes[starts] == episodes[starts + chunk_size - 1]]
    return found


def _batches(
    actions: npt.NDArray[np.float32],
    states: npt.NDArray[np.float32],
    starts: Int64,
    chunk_size: int,
    relative: Bools,
    workers: int,
) -> Iterator[Floats]:
    """(n, components) values of chunks, in order, some chunks at a time."""
    base = np.zeros((len(states), len(relative)))
    known = min(len(relative), states.shape[1])
    base[:, :known] = states[:, :known] * relative[:known]

    def values(batch: Int64) -> Floats:
        chunks = actions[batch[:, None] + np.arange(chunk_size)].astype(np.float64)
        return np.asarray(chunks - base[batch][:, None]).reshape(-1, len(relative))

    parts = [starts[at : at + _STARTS_AT_ONCE] for at in range(0, len(starts), _STARTS_AT_ONCE)]
    if workers < 2:
        yield from map(values, parts)
        return
    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(values, parts)
