"""Rows of a dataset's tables with the access of a `datasets.Dataset`, as tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, overload

import numpy as np

from roboreel.edit.view import Verbs
from roboreel.errors import OutOfRangeError, UnknownNameError, listed
from roboreel.reading.host_buffers import HostBuffers
from roboreel.reading.reader import reader
from roboreel.torch.compat.old_names import OF_ROWS, AnsweringMissingNames
from roboreel.torch.compat.optional_packages import require_package
from roboreel.torch.errors import ArgumentError
from roboreel.torch.items.item_tensors import Item, ItemTensors, items_of
from roboreel.types import Int64, JsonObject

_FORMS = (None, "torch", "numpy", "np", "python")
_AHEAD = 1024
"""Rows that are read together while all are iterated."""
_BUFFERS = HostBuffers(0)


class TableRows(AnsweringMissingNames):
    """Rows by position: `[i]` is a dict of tensors, `["action"]` a column, `[2:5]` a dict of columns.

    Videos are no columns.
    """

    _instead = OF_ROWS

    def __init__(
        self,
        source: Verbs,
        features: Mapping[str, JsonObject],
        rows: Int64,
        names: Sequence[str] | None = None,
        form: str | None = None,
    ) -> None:
        """Prepare to read; no table is opened.

        Args:
            source: the whole dataset.
            features: declarations in `info.json`, by name.
            rows: (n,) the dataset's rows, in order.
            names: the columns; None for all.
            form: how rows and columns are given: None for tensors (a column is a list of them), `torch` for
                stacked tensors, `numpy` for arrays, `python` for Python values.
        """
        if form not in _FORMS:
            frame = ". A DataFrame is .to_pandas()" if form == "pandas" else ""
            raise ArgumentError(f"unknown format {form!r}: expected one of {listed(_FORMS)}{frame}")
        stored = [name for name, spec in features.items() if spec["dtype"] != "video"]
        self._source, self._declared, self._rows, self._form = source, features, rows, form
        self._names = stored if names is None else list(names)
        for name in self._names:
            _require(name, stored)
        images = [name for name in self._names if features[name]["dtype"] == "image"]
        self._reader = reader(
            source,
            cameras=images,
            columns=[name for name in self._names if name not in images],
            memory_mb=64,
        )
        self._tensors = ItemTensors(features, uint8=False, depth_unit="mm")

    def __reduce__(self) -> tuple[type[TableRows], tuple[Any, ...]]:
        return TableRows, (self._source, self._declared, self._rows, self._names, self._form)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def num_rows(self) -> int:
        """Number of rows."""
        return len(self)

    @property
    def column_names(self) -> list[str]:
        """Names of the columns."""
        return list(self._names)

    @property
    def features(self) -> dict[str, JsonObject]:
        """Declarations of the columns, as `info.json` has them."""
        return {name: self._declared[name] for name in self._names}

    @property
    def num_columns(self) -> int:
        """Number of columns."""
        return len(self._names)

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return self.num_rows, self.num_columns

    def __getitem__(self, key: Any) -> Any:
        """A row for a number, a column for a name, columns for a slice or several numbers.

        Raises:
            OutOfRangeError: there is no such row. It is an `IndexError`.
            UnknownNameError: there is no such column. It is a `KeyError`.
        """
        if isinstance(key, str):
            return self._column(key)
        if isinstance(key, slice):
            return self._columns(self._rows[key])
        if hasattr(key, "__index__"):
            return self._items(self._rows_of([key]))[0]
        return self._columns(self._rows_of(key))

    def __iter__(self) -> Iterator[Item]:
        for start in range(0, len(self), _AHEAD):
            yield from self._items(self._rows[start : start + _AHEAD])

    def select(self, indices: Sequence[int]) -> TableRows:
        """These rows, in this order."""
        rows = self._rows_of(indices)
        return TableRows(self._source, self._declared, rows, self._names, self._form)

    def select_columns(self, column_names: str | Sequence[str]) -> TableRows:
        """All rows with only these columns."""
        names = [column_names] if isinstance(column_names, str) else list(column_names)
        for name in names:
            _require(name, self._names)
        return TableRows(self._source, self._declared, self._rows, names, self._form)

    def remove_columns(self, column_names: str | Sequence[str]) -> TableRows:
        """All rows without these columns."""
        gone = [column_names] if isinstance(column_names, str) else list(column_names)
        for name in gone:
            _require(name, self._names)
        return self.select_columns([name for name in self._names if name not in gone])

    def filter(
        self,
        function: Callable[..., Any],
        with_indices: bool = False,
        input_columns: str | Sequence[str] | None = None,
        batched: bool = False,
        **_: object,
    ) -> TableRows:
        """The rows for which a function is true; arguments for speed, as `num_proc`, are accepted.

        Args:
            function: is called with a row, or with its values of `input_columns`.
            with_indices: True calls it with the row's number too.
            input_columns: read only these, which is much faster where other columns are images.
            batched: must be False.
        """
        if batched:
            raise ArgumentError("batched is True, expected False: the function gets one row")
        names = [input_columns] if isinstance(input_columns, str) else input_columns
        kept = []
        for number, row in enumerate(self if names is None else self.select_columns(names)):
            values = [row] if names is None else [row[name] for name in names]
            if function(*values, *[number] * with_indices):
                kept.append(number)
        return self.select(kept)

    def with_format(
        self, type: str | None = None, columns: Sequence[str] | None = None, **_: object
    ) -> TableRows:
        """The same rows as `torch` tensors, `numpy` arrays or `python` values, with only some columns."""
        rows = self if columns is None else self.select_columns(columns)
        return TableRows(rows._source, rows._declared, rows._rows, rows._names, type)

    def to_dict(self) -> dict[str, list[Any]]:
        """All columns as lists of Python values."""
        found: dict[str, list[Any]] = self.with_format("python")[:]
        return found

    def to_pandas(self) -> Any:
        """A pandas DataFrame; a vector is an array in its cell.

        Raises:
            MissingDependencyError: pandas is not installed.
        """
        pandas = require_package("pandas", "DataFrame")
        columns = self.with_format("numpy")[:]
        return pandas.DataFrame(
            {name: one if np.ndim(one) == 1 else [*one] for name, one in columns.items()}
        )

    def unique(self, column: str) -> list[Any]:
        """The distinct values of a column of numbers or strings, in the order in which they come."""
        return list(dict.fromkeys(self.with_format("python")[column]))

    def __repr__(self) -> str:
        return f"TableRows(num_rows={len(self)}, columns={self._names})"

    def _column(self, name: str) -> Any:
        alone = self if self._names == [name] else self.select_columns(name)
        return Column(alone) if self._form is None else alone[:][name]

    def _rows_of(self, indices: Any) -> Int64:
        wanted = np.asarray(indices).reshape(-1).astype(np.int64)
        count = len(self)
        positions = np.where(wanted < 0, wanted + count, wanted)
        outside = wanted[(positions < 0) | (positions >= count)]
        if len(outside):
            raise OutOfRangeError(
                f"row {int(outside[0])} is out of range for a table of length {count}"
            )
        return self._rows[positions]

    def _items(self, rows: Int64) -> list[Item]:
        if self._form not in (None, "torch"):
            columns = self._columns(rows)
            return [{name: columns[name][at] for name in columns} for at in range(len(rows))]
        return items_of(self._tensors.batch(self._reader.batch(rows), _BUFFERS), len(rows))

    def _columns(self, rows: Int64) -> dict[str, Any]:
        batch = self._reader.batch(rows)
        if self._form in (None, "torch"):
            found = self._tensors.batch({name: batch[name] for name in self._names}, _BUFFERS)
            return {n: list(v) for n, v in found.items()} if self._form is None else found
        if self._form == "python":
            return {name: _python(batch[name]) for name in self._names}
        return {name: batch[name] for name in self._names}


class Column(Sequence[Any]):
    """A column of `TableRows`: a tensor or string for each row, read when it is asked for."""

    def __init__(self, rows: TableRows) -> None:
        """Take rows with one column."""
        self._of = rows
        (self._name,) = rows.column_names

    def __len__(self) -> int:
        return len(self._of)

    @overload
    def __getitem__(self, key: int) -> Any: ...
    @overload
    def __getitem__(self, key: Any) -> Any: ...
    def __getitem__(self, key: Any) -> Any:
        """The value of a row, or a list of values for a slice or several numbers."""
        return self._of[key][self._name]

    def __iter__(self) -> Iterator[Any]:
        for item in self._of:
            yield item[self._name]

    def __repr__(self) -> str:
        return f"Column({self._name!r}, {len(self)} rows)"


def _require(name: str, known: Sequence[str]) -> None:
    if name not in known:
        raise UnknownNameError(f"no column '{name}': expected one of {listed(sorted(known))}")


def _python(values: Any) -> list[Any]:
    return values if isinstance(values, list) else list(values.tolist())
