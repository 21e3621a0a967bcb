"""The table of episodes: a `datasets.Dataset`, else `EpisodeList` with the same access."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from roboreel.errors import UnknownNameError
from roboreel.torch.compat.old_names import OF_EPISODES, AnsweringMissingNames
from roboreel.torch.compat.optional_packages import optional_package, require_package
from roboreel.types import Json


def episodes_dataset(table: pa.Table) -> Any:
    """The table of episodes for users: one dict per episode, one list per column.

    Args:
        table: the columns of v3.0's table of episodes, without statistics.
    """
    datasets = optional_package("datasets", "Dataset")
    if datasets is None:
        return EpisodeList(table)
    return datasets.Dataset(datasets.table.InMemoryTable(table.combine_chunks()))


class EpisodeList(AnsweringMissingNames):
    """Episodes with the access of a `datasets.Dataset`: `[i]` is a dict, `["length"]` a column."""

    _instead = OF_EPISODES

    def __init__(self, table: pa.Table) -> None:
        """Hold a table, one row per episode."""
        self.data = table

    def __len__(self) -> int:
        return int(self.data.num_rows)

    def __getitem__(self, key: Any) -> Any:
        """A dict for an episode; a list for a column; a dict of lists for a slice or several episodes."""
        if isinstance(key, str):
            return self._column(key)
        if isinstance(key, slice):
            return self.data.take(np.arange(len(self))[key]).to_pydict()
        if isinstance(key, (int, np.integer)):
            (row,) = self.data.slice(self._position(int(key)), 1).to_pylist()
            return row
        return self.select(list(key)).data.to_pydict()

    def _column(self, name: str) -> list[Json]:
        if name not in self.data.column_names:
            raise UnknownNameError(
                f"the episodes have no column '{name}': expected one of {self.column_names}"
            )
        column: list[Json] = self.data[name].to_pylist()
        return column

    def _position(self, index: int) -> int:
        count = len(self)
        if not -count <= index < count:
            raise IndexError(f"episode {index} is out of range: total_episodes is {count}")
        return index % count

    def __iter__(self) -> Iterator[dict[str, Json]]:
        for batch in self.data.to_batches(max_chunksize=1000):
            yield from batch.to_pylist()

    @property
    def column_names(self) -> list[str]:
        """Names of the columns."""
        return list(self.data.column_names)

    @property
    def num_rows(self) -> int:
        """Number of episodes."""
        return len(self)

    @property
    def num_columns(self) -> int:
        """Number of columns."""
        return int(self.data.num_columns)

    @property
    def shape(self) -> tuple[int, int]:
        """(episodes, columns)."""
        return self.num_rows, self.num_columns

    def select(self, indices: Sequence[int]) -> EpisodeList:
        """These episodes, in this order."""
        rows = [self._position(int(index)) for index in indices]
        return EpisodeList(self.data.take(pa.array(rows, pa.int64())))

    def select_columns(self, column_names: str | Sequence[str]) -> EpisodeList:
        """All episodes with only these columns."""
        names = [column_names] if isinstance(column_names, str) else list(column_names)
        return EpisodeList(self.data.select(names))

    def filter(self, function: Callable[[dict[str, Json]], bool], **_: object) -> EpisodeList:
        """The episodes for which a function of an episode's dict is true; other arguments are accepted."""
        return self.select([at for at, row in enumerate(self) if function(row)])

    def to_dict(self) -> dict[str, list[Json]]:
        """All columns as lists."""
        found: dict[str, list[Json]] = self.data.to_pydict()
        return found

    def to_list(self) -> list[dict[str, Json]]:
        """All episodes as dicts."""
        return list(self)

    def to_pandas(self) -> Any:
        """A pandas DataFrame.

        Raises:
            MissingDependencyError: pandas is not installed.
        """
        require_package("pandas", "DataFrame")
        return self.data.to_pandas()

    def __repr__(self) -> str:
        return f"EpisodeList(num_rows={len(self)}, columns={self.column_names})"
