"""What a comparison finds: differences that count, notes that do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from roboreel.types import Json

Kind = Literal[
    "episodes",
    "info",
    "features",
    "tasks",
    "extras",
    "files",
    "rows",
    "columns",
    "values",
    "images",
    "index",
    "timestamps",
    "row-tasks",
    "statistics",
    "cameras",
    "places",
    "streams",
    "packets",
    "pictures",
    "broken",
]
"""What a difference is about; `docs/diff.md` says what each compares."""

KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One way in which two datasets differ: the first place of it, and how often it occurs."""

    kind: Kind
    what: str
    """In words, the first dataset before the second."""
    episode: int | None = None
    """Position of the episode in both; of chosen episodes the number in the first."""
    other_episode: int | None = None
    """Number of the episode in the second, where that is another."""
    row: int | None = None
    """Row of the episode's table, or frame of its camera."""
    column: str | None = None
    """Feature, column or camera, by its name in the first dataset."""
    path: str | None = None
    """File, relative to the datasets."""
    count: int = 1
    """Places in all: rows, frames, episodes, whatever the kind has."""
    episodes: int = 0
    """Episodes in all."""

    def __str__(self) -> str:
        more = ""
        if self.count > 1:
            inside = f" in {self.episodes} episodes" if self.episodes > 1 else ""
            more = f" (and {self.count - 1} more{inside})"
        place = f"{', '.join(self._place())}: " if self._place() else ""
        return f"{self.kind}: {place}{self.what}{more}"

    def _place(self) -> list[str]:
        place = []
        if self.episode is not None:
            other = "" if self.other_episode is None else f" ({self.other_episode} in the second)"
            place.append(f"episode {self.episode}{other}")
        if self.row is not None:
            place.append(f"{'frame' if self.kind in _OF_FRAMES else 'row'} {self.row}")
        place += [f"'{name}'" for name in (self.column, self.path) if name]
        return place

    def to_json(self) -> dict[str, Json]:
        """The difference as a JSON object; absent places are null."""
        return {
            "kind": self.kind,
            "what": self.what,
            "episode": self.episode,
            "other_episode": self.other_episode,
            "row": self.row,
            "column": self.column,
            "path": self.path,
            "count": self.count,
            "episodes": self.episodes,
        }


_OF_FRAMES = {"packets", "pictures", "places"}


@dataclass(slots=True)
class Compared:
    """How much was compared."""

    episodes: int = 0
    rows: int = 0
    columns: int = 0
    packets: int = 0
    pictures: int = 0
    kinds: list[Kind] = field(default_factory=list)
    """Kinds that were compared to their end, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffReport:
    """What `diff` found."""

    differences: tuple[Difference, ...]
    notes: tuple[Difference, ...]
    """What is not the same, but holds the same content; see `docs/diff.md`."""
    compared: Compared
    decoded: bool
    """True where pictures were compared instead of packets."""

    @property
    def same(self) -> bool:
        """True where the two datasets hold the same content."""
        return not self.differences

    def to_json(self) -> dict[str, Json]:
        """The report as a JSON object."""
        frames = ("pictures", self.compared.pictures)
        if not self.decoded:
            frames = ("packets", self.compared.packets)
        return {
            "same": self.same,
            "compared": {
                "episodes": self.compared.episodes,
                "rows": self.compared.rows,
                "columns": self.compared.columns,
                frames[0]: frames[1],
                "kinds": list(self.compared.kinds),
            },
            "differences": [difference.to_json() for difference in self.differences],
            "notes": [note.to_json() for note in self.notes],
        }


class FirstFoundError(Exception):
    """Ends a comparison that was asked for the first difference only."""


class DiffLedger:
    """Grows while two datasets are compared; what is alike is folded into its first place."""

    def __init__(self, *, first_only: bool) -> None:
        self.compared = Compared()
        self._first_only = first_only
        self._found: dict[tuple[bool, Kind, str | None, str], Difference] = {}
        self._last_episode: dict[tuple[bool, Kind, str | None, str], int | None] = {}

    def differs(self, found: Difference, *, fold: str = "") -> None:
        """Take a difference; `fold` tells apart what is not folded within a kind and column.

        Raises:
            FirstFoundError: one is enough.
        """
        self._add(True, found, fold)
        if self._first_only:
            raise FirstFoundError

    def noted(self, found: Difference, *, fold: str = "") -> None:
        """Take what is not the same, but means the same."""
        self._add(False, found, fold)

    def judge(self, found: Difference, *, counts: bool, fold: str = "") -> None:
        """Take a difference, or a note."""
        (self.differs if counts else self.noted)(found, fold=fold)

    def done(self, *kinds: Kind) -> None:
        """Note that these kinds are compared."""
        self.compared.kinds += [kind for kind in kinds if kind not in self.compared.kinds]

    def report(
        self, *, decoded: bool, pairs: Sequence[tuple[int, int]] | None = None
    ) -> DiffReport:
        """What was found.

        Args:
            decoded: pictures were compared instead of packets.
            pairs: numbers of the chosen episodes in both datasets; None where all were compared by position.
        """
        found = [(key[0], _named(each, pairs)) for key, each in self._found.items()]
        return DiffReport(
            differences=tuple(each for counts, each in found if counts),
            notes=tuple(each for counts, each in found if not counts),
            compared=self.compared,
            decoded=decoded,
        )

    def _add(self, counts: bool, found: Difference, fold: str) -> None:
        key = (counts, found.kind, found.column, fold)
        new_episode = found.episode is not None and self._last_episode.get(key) != found.episode
        self._last_episode[key] = found.episode
        known = self._found.get(key)
        if known is None:
            self._found[key] = replace(found, episodes=int(new_episode))
        elif found.row is not None or new_episode or found.episode is None:
            total = known.episodes + int(new_episode)
            self._found[key] = replace(known, count=known.count + found.count, episodes=total)


def _named(found: Difference, pairs: Sequence[tuple[int, int]] | None) -> Difference:
    """The difference with the numbers of chosen episodes instead of the position of their pair."""
    if pairs is None or found.episode is None:
        return found
    first, second = pairs[found.episode]
    return replace(found, episode=first, other_episode=second if second != first else None)
