"""What is in a staging folder: the attempt that wins of each episode, and the episodes that have none."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from roboreel.errors import StorageError
from roboreel.sink.episode_key import EpisodeKey
from roboreel.sink.staging_area import BEGUN, EPISODES, FAILED, TABLE, StagedName, staged_name
from roboreel.storage.write_root import WriteRoot
from roboreel.types import Json, JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class SkippedEpisode:
    """An episode that the result does not have."""

    key: EpisodeKey | None
    """None where a kill left a claim without its content."""
    reason: str

    def to_json(self) -> JsonObject:
        """The episode as a JSON object."""
        named = {} if self.key is None else {"source": self.key.source, "segment": self.key.segment}
        return {**named, "reason": self.reason}

    @classmethod
    def from_json(cls, document: Mapping[str, Json]) -> SkippedEpisode:
        """The episode that `to_json` described."""
        named = "source" in document
        key = EpisodeKey(document["source"], document["segment"]) if named else None
        return cls(key=key, reason=document["reason"])

    def __str__(self) -> str:
        return f"{self.key or 'an episode whose key is not known'}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StagingList:
    """The files of a staging folder that count; names are in the order of their keys' digests."""

    whole: tuple[str, ...] = field(repr=False)
    """The table that makes each episode whole, of the attempt that wins."""
    superseded: tuple[str, ...] = field(repr=False)
    """The same of whole attempts that do not win."""
    given_up: tuple[str, ...] = field(repr=False)
    """The newest note of each episode that has no whole attempt."""
    notes: tuple[str, ...] = field(repr=False)
    """All other claims and notes."""


def list_staging(root: WriteRoot) -> StagingList:
    """List a staging folder. What workers add from here on does not count.

    Raises:
        StorageError: it cannot be read.
    """
    names = root.below(EPISODES)
    found: dict[str, list[tuple[StagedName, str]]] = defaultdict(list)
    for name in names:
        known = staged_name(name)
        if known is not None and known.part == 0 and known.kind in (TABLE, BEGUN, FAILED):
            found[known.digest].append((known, f"{EPISODES}/{name}"))
    whole, superseded, given_up, notes = [], [], [], []
    for _, files in sorted(found.items()):
        ordered = sorted(files, key=lambda one: (one[0].attempt, one[0].kind == FAILED))
        tables = [name for known, name in ordered if known.kind == TABLE]
        others = [name for known, name in ordered if known.kind != TABLE]
        whole += tables[-1:]
        superseded += tables[:-1]
        if not tables:
            failed = [name for name in others if name.endswith(FAILED)] or others
            given_up.append(failed[-1])
            others.remove(failed[-1])
        notes += others
    return StagingList(
        whole=tuple(whole),
        superseded=tuple(superseded),
        given_up=tuple(given_up),
        notes=tuple(notes),
    )


def skipped_episode(root: WriteRoot, name: str) -> SkippedEpisode:
    """What a note or claim says of an episode that has no whole attempt."""
    begun = "an attempt was started and never finished (its worker was killed, or is still running)"
    try:
        found = json.loads(root.read(name))
        key = EpisodeKey(found["source"], found["segment"])
    except (StorageError, ValueError, KeyError, TypeError):
        if not root.exists(name):
            begun = "an attempt finished only after the staged episodes were listed"
        return SkippedEpisode(key=None, reason=f"{begun}: '{name}'")
    return SkippedEpisode(key=key, reason=str(found.get("reason", begun)))
