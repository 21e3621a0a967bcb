"""Where episodes come from: their uid, and the dataset, episode and rows that they were.

A uid names a recorded episode, whatever was done to it since. Two slices of one recording have its uid, and
differ in their rows.
"""

from __future__ import annotations

from itertools import count

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roboreel.edit.episode_slices import END
from roboreel.edit.features import features_of
from roboreel.edit.resampling import steps_of
from roboreel.edit.view_data import Source, ViewData
from roboreel.format.model import EPISODE, LENGTH
from roboreel.format.origin_columns import (
    SOURCE_DATASET,
    SOURCE_EPISODE,
    SOURCE_START,
    SOURCE_STOP,
    UID,
)
from roboreel.types import Int64


def loses_uids(view: ViewData) -> bool:
    """True where other uids would be derived from the result: it has other rows, values or statistics.

    Uids are derived from the statistics of episodes, which v2.0 does not have.
    """
    versions = [view.version, *(source.dataset.model.info.version for source in view.sources)]
    if not all(version.has_episode_stats for version in versions):
        return True
    slices = view.slices
    cut = bool((slices.start != 0).any() or (slices.stop != END).any())
    stored = [one.dataset.model.info.features for one in view.sources]
    numeric = {name for own in stored for name, feature in own.items() if feature.is_numeric}
    told = {name for name, feature in features_of(view).items() if feature.is_numeric}
    twice = len({one.dataset.url for one in view.sources}) < len(view.sources)
    touched = any(one.supplied or one.filled or one.removed & numeric for one in view.sources)
    resampled = any(step != 1 for step in steps_of(view))
    return cut or twice or touched or resampled or bool(view.recomputed & told)


def origins(view: ViewData) -> dict[str, pa.Array]:
    """The dataset and the episode of each slice, by column; what a source recorded of its own stays."""
    names, slices = public_names(view), view.slices
    numbers = _of_slices(view, [_whole(source, EPISODE) for source in view.sources])
    found: dict[str, pa.Array] = {
        SOURCE_DATASET: pa.array([names[n] for n in slices.source.tolist()], pa.string()),
        SOURCE_EPISODE: pa.array(numbers, pa.int64()),
    }
    return {name: recorded(view, name, column) for name, column in found.items()}


def source_rows(view: ViewData) -> dict[str, pa.Array]:
    """The rows `[start, stop)` of the episode of origin that each slice has, by column.

    Where a source was itself cut from an episode, they count in that one, at its frame rate.
    """
    slices = view.slices
    lengths = _of_slices(view, [_whole(source, LENGTH) for source in view.sources])
    start = slices.start
    stop = np.where(slices.stop == END, lengths, slices.stop)
    first = recorded(view, SOURCE_START, pa.array(np.zeros_like(start)))
    last = recorded(view, SOURCE_STOP, pa.array(lengths))
    begin, end = first.to_numpy(), last.to_numpy()
    rate = np.maximum(end - begin, 0) / np.maximum(lengths, 1)
    return {
        SOURCE_START: pa.array(begin + np.rint(start * rate).astype(np.int64)),
        SOURCE_STOP: pa.array(begin + np.rint(stop * rate).astype(np.int64)),
    }


def lineage(view: ViewData) -> pa.Table:
    """A row per episode: its number, uid, and the dataset, episode and rows of its origin."""
    columns: dict[str, pa.Array] = {
        EPISODE: pa.array(view.numbers),
        UID: pa.array(view.uids(), pa.string()),
    }
    return pa.table({**columns, **origins(view), **source_rows(view)})


def public_names(view: ViewData) -> list[str]:
    """A distinct name per source to write into the result: its folder's name, with a number if needed.

    Parent folders are private and never written.
    """
    used = {source.dataset.name for source in view.sources}
    names: dict[str, str] = {}
    for source in view.sources:
        plain, url = source.dataset.name, source.dataset.url
        if url in names:
            continue
        numbered = (f"{plain}-{number}" for number in count(2))
        free = (name for name in numbered if name not in used)
        names[url] = plain if plain not in names.values() else next(free)
        used.add(names[url])
    return [names[source.dataset.url] for source in view.sources]


def _whole(source: Source, name: str) -> Int64:
    return np.asarray(source.model.episodes[name].to_numpy(), dtype=np.int64)


def _of_slices(view: ViewData, columns: list[Int64]) -> Int64:
    """(n,) the value of each slice's episode, from a column for each source."""
    found = np.zeros(len(view.slices), dtype=np.int64)
    for number, column in enumerate(columns):
        here = view.slices.source == number
        found[here] = column[view.slices.row[here]]
    return found


def recorded(view: ViewData, name: str, column: pa.Array) -> pa.Array:
    """A column, with the values of sources that have a column of this name and type in their place."""
    parts: list[pa.Array] = []
    order: list[Int64] = []
    for number, source in enumerate(view.sources):
        at = np.flatnonzero(view.slices.source == number)
        order.append(at)
        own = column.take(pa.array(at))
        table = source.model.episodes
        if name in table.column_names and table[name].type == column.type:
            before = table[name].take(pa.array(view.slices.row[at])).combine_chunks()
            own = pc.coalesce(before, own)
        parts.append(own)
    joined = pa.concat_arrays(parts)
    return joined.take(pa.array(np.argsort(np.concatenate(order), kind="stable")))
