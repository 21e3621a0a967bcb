"""Read a dataset or view as a Ray dataset: blocks of whole episodes, each read where it is needed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from roboreel.dataset.dataset import Dataset
from roboreel.edit.view import Verbs, View
from roboreel.edit.write_options import lists_options
from roboreel.executors.ray_library import ray_library
from roboreel.hub.open_source import open_source
from roboreel.reading.read_options import ReadKeywords, ReadOptions
from roboreel.reading.reader import reader
from roboreel.storage.local import folder_of

if TYPE_CHECKING:
    from typing_extensions import Unpack


@lists_options(ReadOptions)
def read_dataset(
    source: Verbs | str | os.PathLike[str],
    *,
    episodes: Iterable[int] | None = None,
    override_num_blocks: int | None = None,
    concurrency: int | None = None,
    ray_remote_args: Mapping[str, Any] | None = None,
    **options: Unpack[ReadKeywords],
) -> Any:
    """A `ray.data.Dataset` with a row for each item that `roboreel.reader` gives, by the same names.

    Numbers and frames are tensors: frames (H, W, 3) uint8, with offsets (T, …) and `{feature}_is_pad` (T,).
    Strings, as `task`, are strings. Nothing is decoded here: each task decodes its episodes, and opens only
    the files that they and the chosen features need. Rows come in the order of the view where
    `ray.data.DataContext` says so (`execution_options.preserve_order`).

    Args:
        source: an open dataset, a view, or the path or reference of a dataset or view file. All nodes must
            see its files at the same path.
        episodes: numbers of the episodes to read; by default all.
        override_num_blocks: as in `ray.data.read_datasource`: read tasks, at most one for each episode.
        concurrency: as in `ray.data.read_datasource`: read tasks at a time.
        ray_remote_args: as in `ray.data.read_datasource`: options of the read tasks, such as `num_cpus`.
        **options: the fields of `ReadOptions`; a task decodes in one thread unless `threads` is given.

    Raises:
        MissingDependencyError: the extra `ray` is not installed.
        UsageError: an option makes no sense, or names what is not there.
        StorageError, DatasetError: the dataset cannot be opened.
    """
    data = ray_library("ray.data", purpose="to read a dataset into Ray Data")
    from roboreel.ray.episode_datasource import EpisodeDatasource

    opened = source if isinstance(source, Verbs) else open_source(source)
    view = opened.as_view() if episodes is None else opened.keep(episodes)
    given: ReadKeywords = {"threads": 1, **options}
    return data.read_datasource(
        EpisodeDatasource(reader(view, **given), given, local_folders(view)),
        override_num_blocks=override_num_blocks,
        concurrency=concurrency,
        ray_remote_args=None if ray_remote_args is None else dict(ray_remote_args),
    )


def local_folders(view: View) -> tuple[str, ...]:
    """The folders of the view's datasets; those on the Hub and on object stores have none."""
    roots = [one.dataset.root for one in view.sources if isinstance(one.dataset, Dataset)]
    return tuple(dict.fromkeys(path for one in roots if (path := folder_of(one)) is not None))
