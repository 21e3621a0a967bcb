"""A view in the place of a dataset: the one that writing it would give, which has no files of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

import pyarrow as pa

from roboreel.dataset.dataset import Dataset
from roboreel.dataset.stored_stats import StoredStats
from roboreel.edit.view import View
from roboreel.errors import UsageError
from roboreel.format.feature import with_index_features
from roboreel.format.model import EPISODE, LENGTH, TASKS, Info, Model
from roboreel.reading.reader import reader
from roboreel.stats.feature_stats import Stats
from roboreel.torch.sources.view_stats import view_stats


@dataclass(frozen=True, slots=True, repr=False)
class ViewDataset(Dataset):
    """What a view would be as a dataset: its features, episodes, tasks and statistics."""

    view: View = field(kw_only=True)

    def as_view(self) -> View:
        """The view."""
        return self.view

    @property
    def name(self) -> str:
        """The names of the folders of its datasets."""
        return self.view.name

    @property
    def tasks(self) -> Mapping[int, str]:
        """Text of each task by the `task_index` that items have. Reads the rows' tasks."""
        return reader(self.view, cameras=(), columns=("task_index",)).tasks

    def stats(self) -> Stats:
        """Statistics of all episodes: see `view_stats`."""
        return view_stats(self.view)

    def stored_stats(self) -> StoredStats:
        """Raise `UsageError`: a view stores no statistics."""
        raise UsageError(
            "a view stores no statistics of its episodes: write it first (roboreel.write)"
        )


def view_dataset(view: View) -> ViewDataset:
    """A view in the place of a dataset.

    Raises:
        UsageError: it has no dataset that can be read.
    """
    first = view.sources[0].dataset
    if not isinstance(first, Dataset):
        raise UsageError(
            f"the view of '{first.url}' cannot be read: open it again with roboreel.open"
        )
    own = Model(info=_info(view), tasks=view.tasks, episodes=_episodes(view))
    return ViewDataset(first.root, own, (), view=view)


def _info(view: View) -> Info:
    info = view.model.info
    splits = view.splits if view.splits is not None else {"train": f"0:{view.num_episodes}"}
    return replace(
        info,
        fps=view.fps,
        fps_value=info.fps_value if view.fps == info.fps else _number(view.fps),
        features=with_index_features(view.features),
        splits=dict(splits),
        totals={},
    )


def _number(fps: Fraction) -> int | float:
    return int(fps) if fps.denominator == 1 else float(fps)


def _episodes(view: View) -> pa.Table:
    """The columns of a dataset's table of episodes that do not say where files are."""
    return view.episodes.select([EPISODE, TASKS, LENGTH])
