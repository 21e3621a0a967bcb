"""Rows of episodes, read where the documents say that they lie."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from roboreel.errors import DatasetError, Problem
from roboreel.format.feature import EPISODE_INDEX
from roboreel.format.model import DATA_PATH, EPISODE, ROW_START, ROW_STOP
from roboreel.probes.index_columns import IndexColumn
from roboreel.storage.root import Root
from roboreel.storage.tables import TableFile


def read_rows(
    root: Root,
    episodes: pa.Table,
    row_ranges: Iterable[tuple[int, int, int]],
    columns: Sequence[str] | None = None,
) -> Iterator[pa.Table]:
    """The rows of stretches of episodes, one table after another. A file is opened once for neighbours.

    Args:
        root: the dataset.
        episodes: its `Model.episodes`.
        stretches: (row in `episodes`, first frame, the frame after the last) of each; a negative last is
            the episode's end.
        columns: those to read; None reads all.

    Raises:
        StorageError: a file cannot be read.
        DatasetError: a file contradicts the documents, so that rows could be another episode's.
    """
    file: TableFile | None = None
    wanted = None if columns is None else tuple(columns)
    try:
        for row, start, stop in row_ranges:
            path = episodes[DATA_PATH][row].as_py()
            if file is None or file.name != path:
                if file is not None:
                    file.close()
                file = TableFile(root, path)
            place = _Position(
                episode=int(episodes[EPISODE][row].as_py()),
                start=int(episodes[ROW_START][row].as_py()),
                stop=int(episodes[ROW_STOP][row].as_py()),
            )
            _require(file, place, wanted or ())
            end = place.stop if stop < 0 else place.start + stop
            yield file.rows(place.start + start, end, wanted)
    finally:
        if file is not None:
            file.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Position:
    """Where the documents say that an episode's rows lie."""

    episode: int
    start: int
    stop: int


def _require(file: TableFile, place: _Position, columns: Sequence[str]) -> None:
    """Raise `DatasetError` where a file lacks columns, or the rows are not this episode's."""
    names = file.footer.schema.names
    missing = [name for name in columns if name not in names]
    if missing:
        _refuse(file, place, "table.columns", f"has no column '{missing[0]}'")
    if not 0 <= place.start < place.stop <= file.footer.rows:
        said = f"{place.start}:{place.stop} of {file.footer.rows} rows"
        _refuse(file, place, "table.episode-rows", f"its rows should be {said}")
    alone = (place.start, place.stop) == (0, file.footer.rows)
    if alone or EPISODE_INDEX not in names:
        return
    column = file.rows(place.start, place.stop, (EPISODE_INDEX,))[EPISODE_INDEX]
    numbers = IndexColumn(column).whole_numbers(0, len(column))
    if (numbers != place.episode).any():
        other = numbers[numbers != place.episode][0]
        _refuse(file, place, "table.episode-rows", f"among its rows is one of episode {other}")


def _refuse(file: TableFile, place: _Position, rule: str, message: str) -> None:
    problem = Problem(
        rule=rule,
        severity="error",
        message=message,
        path=file.name,
        episode=place.episode,
        action="write the dataset anew with `convert`, and edit that",
    )
    raise DatasetError("rows cannot be read where the documents say that they are", [problem])
