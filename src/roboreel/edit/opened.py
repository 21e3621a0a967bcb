"""An open dataset, as far as a view knows it: what `edit/` asks of `dataset/`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePath
from typing import Any, Protocol

import pyarrow as pa

from roboreel.format.model import Model
from roboreel.types import JsonObject


class Opened(Protocol):
    """An open dataset, as far as a view knows it."""

    @property
    def url(self) -> str:
        """Its path."""
        ...

    @property
    def name(self) -> str:
        """The name of its folder: what a result may say of it, wherever it is published."""
        ...

    @property
    def follow_links(self) -> bool:
        """True where links may lead out of it."""
        ...

    @property
    def model(self) -> Model:
        """Its documents."""
        ...

    def rows(
        self, row_ranges: Iterable[tuple[int, int, int]], columns: Sequence[str] | None = None
    ) -> Iterator[pa.Table]:
        """Reads rows of episode slices: for the verbs that need values."""
        ...

    def tasks_of_rows(self) -> Sequence[Sequence[str]]:
        """(episodes,) texts of the tasks that the rows of each have. Reads them."""
        ...

    def uids(self) -> Sequence[str]:
        """(episodes,) the uid of each episode: stored, or derived from what the documents say of it."""
        ...

    def described(self, folder: str) -> JsonObject:
        """What a view file in a folder says of it: where it is, what its documents were, its uids."""
        ...

    def save_view(self, view: Any, path: str | PurePath) -> None:
        """Writes a view as a view file: `edit/` itself opens no file."""
        ...
