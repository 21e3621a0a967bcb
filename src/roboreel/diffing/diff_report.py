"""The result of a comparison: differences that count, and notes that don't."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from roboreel.errors import counted
from roboreel.summary.summary import Summarized, Summary, named
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
"""Subject of a difference; `docs/diff.md` says what each covers."""

KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One way in which two datasets differ: its first occurrence, and how often it occurs."""

    kind: Kind
    what: str
    """Description; the first dataset's value comes before the second's."""
    episode: int | None = None
    """Position of the episode in both datasets; with chosen episodes, its index in the first."""
    other_episode: int | None = None
    """With chosen episodes: the episode's index in the second, if different."""
    row: int | None = None
    """Row of the episode's table, or frame of its camera."""
    column: str | None = None
    """Feature, column or camera, named as in the first dataset."""
    path: str | None = None
    """File, relative to the datasets."""
    count: int = 1
    """Number of occurrences: rows, frames or episodes, depending on the kind."""
    episodes: int = 0
    """Number of episodes with an occurrence."""

    def __str__(self) -> str:
        more = ""
        if self.count > 1:
            inside = f" in {self.episodes} episodes" if self.episodes > 1 else ""
            more = f" (and {self.count - 1} more{inside})"
        location = f"{', '.join(self._location())}: " if self._location() else ""
        return f"{self.kind}: {location}{self.what}{more}"

    def _location(self) -> list[str]:
        parts = []
        if self.episode is not None:
            other = "" if self.other_episode is None else f" ({self.other_episode} in the second)"
            parts.append(f"episode {self.episode}{other}")
        if self.row is not None:
            parts.append(f"{'frame' if self.kind in _OF_FRAMES else 'row'} {self.row}")
        parts += [f"'{name}'" for name in (self.column, self.path) if name]
        return parts

    def to_json(self) -> dict[str, Json]:
        """The difference as a JSON object; a location that doesn't apply is null."""
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
    """Amounts that were compared."""

    episodes: int = 0
    rows: int = 0
    columns: int = 0
    packets: int = 0
    pictures: int = 0
    kinds: list[Kind] = field(default_factory=list)
    """Kinds that were compared completely, in order."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class DiffReport(Summarized):
    """What `diff` found."""

    differences: tuple[Difference, ...]
    notes: tuple[Difference, ...]
    """Changes that keep the content; see `docs/diff.md`."""
    compared: Compared
    decoded: bool
    """True if decoded frames were compared instead of packets."""

    @property
    def same(self) -> bool:
        """True if the two datasets hold the same content."""
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

    def _summary(self) -> Summary:
        compared, of = self.compared, "frames" if self.decoded else "packets"
        number = compared.pictures if self.decoded else compared.packets
        found = counted(len(self.differences), "kind") + " of differences"
        return Summary(
            f"Comparison: {'the same content' if self.same else found}",
            [
                (
                    "compared",
                    f"{counted(compared.episodes, 'episode')}, {counted(compared.rows, 'row')},"
                    f" {number:,} {of}",
                ),
                ("differences", named(self.differences, between="; ")),
                ("notes", named(self.notes, between="; ")),
            ],
        )


class FirstFoundError(Exception):
    """Ends a comparison at the first difference (`first_only`)."""


class DiffLedger:
    """Collects differences and notes; repeated ones are counted on their first occurrence."""

    def __init__(self, *, first_only: bool) -> None:
        self.compared = Compared()
        self._first_only = first_only
        self._found: dict[tuple[bool, Kind, str | None, str], Difference] = {}
        self._last_episode: dict[tuple[bool, Kind, str | None, str], int | None] = {}

    def add_difference(self, found: Difference, *, fold: str = "") -> None:
        """Add a difference; those with equal kind, column and `fold` are counted as one.

        Raises:
            FirstFoundError: with `first_only`, to end the comparison.
        """
        self._add(True, found, fold)
        if self._first_only:
            raise FirstFoundError

    def add_note(self, found: Difference, *, fold: str = "") -> None:
        """Add a difference that doesn't count."""
        self._add(False, found, fold)

    def add(self, found: Difference, *, counts: bool, fold: str = "") -> None:
        """Add a difference if it counts, else a note."""
        (self.add_difference if counts else self.add_note)(found, fold=fold)

    def mark_compared(self, *kinds: Kind) -> None:
        """Record that these kinds are compared completely."""
        self.compared.kinds += [kind for kind in kinds if kind not in self.compared.kinds]

    def report(
        self, *, decoded: bool, pairs: Sequence[tuple[int, int]] | None = None
    ) -> DiffReport:
        """The report of everything found.

        Args:
            decoded: decoded frames were compared instead of packets.
            pairs: indexes of the chosen episodes in both datasets; None if all were compared by position.
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
    """The difference with the indexes of chosen episodes instead of the position of their pair."""
    if pairs is None or found.episode is None:
        return found
    first, second = pairs[found.episode]
    return replace(found, episode=first, other_episode=second if second != first else None)
