"""What can be asked of an open dataset and of a view, and saved of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from roboreel.edit import standstill as still
from roboreel.edit.lineage import lineage
from roboreel.edit.standstill import StillSuggestion
from roboreel.edit.view_data import ViewData

_FUNCTIONS = {
    "check": "roboreel.check(view)",
    "concat": "roboreel.concat([a, b])",
    "convert": "roboreel.convert(view, to='v2.1', out='new_folder')",
    "filter": "view.keep(episodes)",
    "lengths": "roboreel.reader(dataset).lengths",
    "merge": "roboreel.concat([a, b])",
    "read": "roboreel.reader(view)",
    "to_pandas": "dataset.rows().to_pandas(), or dataset.episodes.to_pandas()",
    "write": "roboreel.write(view, out='new_folder')",
}


class Viewable:
    """An open dataset or a view."""

    __slots__ = ()

    if not TYPE_CHECKING:  # with it, type checkers would accept every name

        def __getattr__(self, name: str) -> Any:
            if hasattr(type(self), name):  # a property raised AttributeError: raise that again
                return object.__getattribute__(self, name)
            hint = f": use {_FUNCTIONS[name]}" if name in _FUNCTIONS else ""
            text = f"'{type(self).__name__}' object has no attribute '{name}'{hint}"
            raise AttributeError(text, name=name, obj=self)

    def as_view(self) -> ViewData:
        """The view of all of it."""
        raise NotImplementedError

    def lineage(self) -> pa.Table:
        """A row per episode: its number, its uid, and the dataset, episode and rows that it comes from."""
        return lineage(self.as_view())

    def save(self, path: str | PurePath) -> None:
        """Write the edits as data, to a view file (`NAME.view.json`) that `roboreel.open` opens.

        Nothing else is written: no rows and no frames. An earlier view file of that name is replaced.

        Raises:
            UsageError: the name has another ending, or an edit cannot be saved: cameras from other videos.
            DatasetError: what has the name is no view file.
            StorageError: a dataset has changed since it was opened, or the disk refuses.
        """
        view = self.as_view()
        view.sources[0].dataset.save_view(view, path)

    def suggest_still(
        self,
        feature: str = "observation.state",
        *,
        episodes: Iterable[int] | None = None,
    ) -> StillSuggestion:
        """Suggest what `trim_still` should take as standing still. Reads the rows at once.

        Args:
            feature: the numeric feature that tells.
            episodes: those to look at; by default all.

        Raises:
            UsageError: there is no such feature or episode.
        """
        view = self.as_view()
        return still.suggested(view, feature, view.positions(episodes))
