"""The Ray Data sink of `write_episodes`. It imports ray, so it is imported when it is used."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from ray.data.block import BlockAccessor
from ray.data.datasource import Datasink

from roboreel.errors import RoboreelError
from roboreel.executors.seen_folders import require_seen
from roboreel.ray.staged_rows import EpisodeColumns, StagedRow, stage_row
from roboreel.sink.episode_sink import EpisodeSink
from roboreel.storage.names import is_url


class EpisodeDatasink(Datasink):  # type: ignore[misc]  # ray is not installed where types are checked
    """Stages each row as an episode. A task that runs again stages its episodes again, and nothing twice."""

    def __init__(self, sink: EpisodeSink, columns: EpisodeColumns) -> None:
        """Make the staging folder, so that a worker that does not see it can tell."""
        self._sink, self._columns = sink, columns
        self.results: list[StagedRow] = []
        """What became of each row, when all are done."""
        self.refused: RoboreelError | None = None
        """Why rows cannot be staged at all."""

    def get_name(self) -> str:
        """The name of its tasks."""
        return "RoboreelEpisodes"

    def write(self, blocks: Iterable[Any], *_: Any, **__: Any) -> list[StagedRow | RoboreelError]:
        """Stage the rows of blocks; an error comes last: raised, it would be a traceback of Ray's."""
        done: list[StagedRow | RoboreelError] = []
        try:
            self._require_folder()
            for block in blocks:
                rows = BlockAccessor.for_block(block).iter_rows(public_row_format=True)
                done.extend(stage_row(self._sink, self._columns, row) for row in rows)
        except RoboreelError as error:
            done.append(error)
        return done

    def _require_folder(self) -> None:
        folder = os.fspath(self._sink.staging)
        require_seen(None if is_url(folder) else folder)

    def on_write_complete(self, write_result: Any) -> None:
        """Keep what the tasks returned."""
        every = [row for rows in write_result.write_returns for row in rows]
        self.results = [row for row in every if isinstance(row, StagedRow)]
        self.refused = next((row for row in every if isinstance(row, RoboreelError)), None)
