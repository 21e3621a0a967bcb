"""Read the rows of episodes at the positions that the documents give."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from roboreel.dataset.missing_files import missing_file
from roboreel.errors import DatasetError, Problem, StorageError
from roboreel.format.feature import EPISODE_INDEX
from roboreel.format.model import DATA_PATH, EPISODE, ROW_START, ROW_STOP, Model
from roboreel.probes.table_columns import IndexColumn
from roboreel.storage.root import Root
from roboreel.storage.tables import TableFile


def read_rows(
    root: Root,
    model: Model,
    row_ranges: Iterable[tuple[int, int, int]],
    columns: Sequence[str] | None = None,
) -> Iterator[pa.Table]:
    """Read the rows of episode slices, one table per slice; consecutive slices share an open file.

    Args:
        root: the dataset's root.
        model: its documents.
        row_ranges: (row in `Model.episodes`, first frame, frame after the last) of each slice; a negative
            last value means the episode's end.
        columns: names of the columns to read; None reads all.

    Raises:
        StorageError: a file cannot be read.
        DatasetError: a file contradicts the documents, so that rows could belong to another episode.
    """
    episodes = model.episodes
    file: TableFile | None = None
    wanted = None if columns is None else tuple(columns)
    try:
        for row, start, stop in row_ranges:
            path = episodes[DATA_PATH][row].as_py()
            if file is None or file.name != path:
                if file is not None:
                    file.close()
                file = _opened(root, model, row)
            position = _Position(
                episode=int(episodes[EPISODE][row].as_py()),
                start=int(episodes[ROW_START][row].as_py()),
                stop=int(episodes[ROW_STOP][row].as_py()),
            )
            _require(file, position, wanted or ())
            end = position.stop if stop < 0 else position.start + stop
            yield file.rows(position.start + start, end, wanted)
    finally:
        if file is not None:
            file.close()


def _opened(root: Root, model: Model, row: int) -> TableFile:
    """The table of an episode.

    Raises:
        StorageError: it cannot be read, or is missing.
    """
    path = model.episodes[DATA_PATH][row].as_py()
    if path is None:
        raise missing_file(root, model, row)
    try:
        return TableFile(root, path)
    except StorageError as error:
        if root.exists(path):
            raise
        raise missing_file(root, model, row) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Position:
    """An episode's rows `[start, stop)` in its file, according to the documents."""

    episode: int
    start: int
    stop: int


def _require(file: TableFile, position: _Position, columns: Sequence[str]) -> None:
    """Raise `DatasetError` if a file lacks columns, or the rows are not this episode's."""
    names = file.footer.schema.names
    missing = [name for name in columns if name not in names]
    if missing:
        _refuse(file, position, "table.columns", f"has no column '{missing[0]}'")
    if not 0 <= position.start < position.stop <= file.footer.rows:
        said = f"{position.start}:{position.stop} of {file.footer.rows} rows"
        _refuse(file, position, "table.episode-rows", f"its rows should be {said}")
    alone = (position.start, position.stop) == (0, file.footer.rows)
    if alone or EPISODE_INDEX not in names:
        return
    column = file.rows(position.start, position.stop, (EPISODE_INDEX,))[EPISODE_INDEX]
    numbers = IndexColumn(column).whole_numbers(0, len(column))
    if (numbers != position.episode).any():
        other = numbers[numbers != position.episode][0]
        _refuse(file, position, "table.episode-rows", f"among its rows is one of episode {other}")


def _refuse(file: TableFile, position: _Position, rule: str, message: str) -> None:
    problem = Problem(
        rule=rule,
        severity="error",
        message=message,
        path=file.name,
        episode=position.episode,
        action="write the dataset anew with `convert`, and edit that",
    )
    raise DatasetError("rows cannot be read where the documents say that they are", [problem])
