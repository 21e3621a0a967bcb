"""The tasks of a dataset: a pandas DataFrame, else `TaskList` with the same access."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from roboreel.errors import UnknownNameError
from roboreel.torch.compat.old_names import OF_TASKS, AnsweringMissingNames
from roboreel.torch.compat.optional_packages import optional_package
from roboreel.types import Int64

_COLUMN, _INDEX = "task_index", "task"


def tasks_frame(tasks: Mapping[int, str]) -> Any:
    """The tasks in order of their index: texts as the index, and a column `task_index`.

    Positions equal task indices as long as these are 0, 1, 2, ….

    Args:
        tasks: task text by task index.
    """
    numbers, texts = list(tasks), list(tasks.values())
    pandas = optional_package("pandas", "DataFrame")
    if pandas is None:
        return TaskList(numbers, texts)
    return pandas.DataFrame({_COLUMN: numbers}, index=pandas.Index(texts, name=_INDEX))


def tasks_of_frame(frame: Any) -> dict[int, str]:
    """Task text by task index of a frame that `tasks_frame` made, or of the user's DataFrame."""
    return dict(zip(map(int, frame[_COLUMN]), map(str, frame.index), strict=True))


class TaskRow:
    """One task, as a row of a DataFrame: `name` is the text."""

    def __init__(self, name: str, task_index: int) -> None:
        self.name, self.task_index = name, task_index

    def __getitem__(self, key: str | int) -> int:
        if key not in (_COLUMN, 0):
            raise UnknownNameError(f"the tasks have no column '{key}': expected '{_COLUMN}'")
        return self.task_index

    def __repr__(self) -> str:
        return f"TaskRow(name={self.name!r}, task_index={self.task_index})"


class TaskList(AnsweringMissingNames):
    """Tasks with the access of a DataFrame: `iloc[i].name`, `loc[text].task_index`, `index`."""

    _instead = OF_TASKS
    columns = (_COLUMN,)

    def __init__(self, numbers: list[int], texts: list[str]) -> None:
        """Hold tasks.

        Args:
            numbers: (tasks,) task indices.
            texts: (tasks,) their texts.
        """
        self._numbers, self.index = numbers, TaskTexts(texts)
        self.iloc = _Rows(self._at)
        self.loc = _Rows(self._of)

    def _at(self, position: int) -> TaskRow:
        return TaskRow(self.index[position], self._numbers[position])

    def _of(self, key: str | tuple[str, str]) -> TaskRow | int:
        text, column = key if isinstance(key, tuple) else (key, None)
        if text not in self.index:
            raise UnknownNameError(f"the dataset has no task '{text}'")
        row = self._at(self.index.get_loc(text))
        return row if column is None else row[column]

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, column: str) -> Int64:
        if column != _COLUMN:
            raise UnknownNameError(f"the tasks have no column '{column}': expected '{_COLUMN}'")
        return np.asarray(self._numbers, dtype=np.int64)

    @property
    def empty(self) -> bool:
        """True where there is no task."""
        return not self._numbers

    @property
    def task_index(self) -> Int64:
        """(tasks,) task indices."""
        return self[_COLUMN]

    def iterrows(self) -> Iterator[tuple[str, TaskRow]]:
        """(text, row) of every task."""
        return ((text, self._at(at)) for at, text in enumerate(self.index))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TaskList):
            return NotImplemented
        return (self._numbers, self.index.tolist()) == (other._numbers, other.index.tolist())

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"TaskList({dict(zip(self._numbers, self.index, strict=True))})"


class TaskTexts(list[str]):
    """The texts of tasks, with the methods of a pandas index that readers use."""

    name = _INDEX

    def get_loc(self, text: str) -> int:
        """The position of a text."""
        return self.index(text)

    def tolist(self) -> list[str]:
        """The texts as a plain list."""
        return list(self)

    to_list = tolist


@dataclass(frozen=True, slots=True)
class _Rows:
    """Access to rows by `[key]`."""

    get: Callable[[Any], Any]

    def __getitem__(self, key: Any) -> Any:
        return self.get(key)
