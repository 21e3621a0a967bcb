"""The statistics of a view: of numbers computed from its rows, of cameras those stored with its episodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

from roboreel.dataset.dataset import Dataset
from roboreel.edit.view import View
from roboreel.edit.view_data import Source
from roboreel.format.model import EPISODE
from roboreel.reading.reader import reader
from roboreel.stats.feature_stats import Stats
from roboreel.stats.merge import StatsMerger
from roboreel.torch.compute_stats import get_feature_stats


def view_stats(view: View) -> Stats:
    """Statistics of all episodes of a view, by feature and name; reads all of its numbers.

    Those of cameras are merged from the stored ones of the episodes that it takes, whole or trimmed; a camera
    has none where these have none.
    """
    merger = StatsMerger()
    for part in (*_of_numbers(view), *_of_cameras(view)):
        for name, stats in part.items():
            merger.add_part(name, stats)
    found = merger.result()
    return {name: found[name] for name in view.features if name in found}


def _of_numbers(view: View) -> Iterator[Stats]:
    """The statistics of each episode's numbers."""
    numbers = [name for name, feature in view.features.items() if feature.is_numeric]
    if not numbers:
        return
    rows = reader(view, cameras=(), columns=numbers)
    bounds = rows.bounds.tolist()
    for start, stop in pairwise(bounds):
        values = rows.batch(range(start, stop))
        yield {
            name: get_feature_stats(values[name], 0, keepdims=values[name].ndim == 1)
            for name in numbers
            if values[name].size
        }


def _of_cameras(view: View) -> Iterator[Stats]:
    """The stored statistics of each episode's cameras."""
    slices, cameras = view.slices, set(view.camera_keys)
    stored = [_stored(source) for source in view.sources]
    for number, row in zip(slices.source.tolist(), slices.row.tolist(), strict=True):
        source = view.sources[number]
        found = stored[number](int(source.model.episodes[EPISODE][row].as_py()))
        named = {source.renamed.get(name, name): stats for name, stats in found.items()}
        yield {name: stats for name, stats in named.items() if name in cameras}


def _stored(source: Source) -> Callable[[int], Stats]:
    """The stored statistics of a dataset's episodes, by their numbers."""
    dataset = source.dataset
    if not isinstance(dataset, Dataset):
        return lambda _: {}
    if not dataset.version.has_episode_stats:
        whole = dataset.stats()
        return lambda _: whole
    return dataset.stored_stats().of
