"""The files of v3.0's table of episodes: a recording has one per episode until its files are joined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from roboreel.errors import DatasetError
from roboreel.format.parse import Problems
from roboreel.format.v30_episodes import EPISODES_FOLDER
from roboreel.storage.root import FileStat, Root
from roboreel.storage.tables.tables import TableFile

WORTH_KEEPING = 16
"""Files from which on a dataset keeps what it read, to read only new ones when it is refreshed."""


@dataclass(frozen=True, slots=True)
class EpisodeParts:
    """What was read of the table of episodes, without statistics."""

    stamps: Mapping[str, FileStat]
    """Size and stamp of each file, in order."""
    table: pa.Table = field(repr=False)

    @property
    def is_worth_keeping(self) -> bool:
        """True where reading all files again would take long."""
        return len(self.stamps) >= WORTH_KEEPING


def read_episode_parts(
    root: Root, names: Sequence[str], problems: Problems, known: EpisodeParts | None = None
) -> EpisodeParts:
    """The table of episodes in these files.

    Args:
        root: the dataset.
        names: the files, in order.
        problems: an error is added to it where they do not fit together.
        known: what was read before: where its files are the first of these, and unchanged, only the others
            are read.

    Raises:
        StorageError: a file cannot be read.
        DatasetError: the files do not fit together.
    """
    stamps = {name: root.stat(name) for name in names}
    begin = 0 if known is None else len(known.stamps)
    parts: list[pa.Table] = []
    if known is not None and list(stamps.items())[:begin] == list(known.stamps.items()):
        parts, names = [known.table], names[begin:]
    parts += [_without_stats(root, name) for name in names]
    try:
        table = pa.concat_tables(parts, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        problems.error(
            "episode.columns",
            f"the files of the table have different columns: {error}",
            path=EPISODES_FOLDER,
        )
        problems.raise_errors("the table of episodes cannot be read")
        raise DatasetError("the table of episodes cannot be read") from error
    return EpisodeParts(stamps, table)


def _without_stats(root: Root, name: str) -> pa.Table:
    with TableFile(root, name) as file:
        columns = [n for n in file.footer.schema.names if not n.startswith("stats/")]
        return file.read(columns).replace_schema_metadata(None)
