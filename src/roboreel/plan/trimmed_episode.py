"""An episode of which a result has only a part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from roboreel.types import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class TrimmedEpisode:
    """An episode that loses frames at an end; frames are counted from 0, before any resampling."""

    source: str | None = None
    """Path of its dataset; None if a plan reads only one."""
    episode: int
    """Its number in that dataset."""
    frames: int
    """Its frames in that dataset."""
    start: int
    """First kept frame."""
    stop: int
    """The frame after the last kept one."""

    def to_json(self) -> dict[str, Json]:
        """The episode as a JSON object; `keeps` is half-open."""
        source = {} if self.source is None else {"source": self.source}
        return {
            **source,
            "episode": self.episode,
            "frames": self.frames,
            "keeps": [self.start, self.stop],
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Json]) -> TrimmedEpisode:
        """The episode that `to_json` described."""
        others = {name: value for name, value in document.items() if name != "keeps"}
        return cls(**others, start=document["keeps"][0], stop=document["keeps"][1])

    def __str__(self) -> str:
        where = "" if self.source is None else f" of '{self.source}'"
        kept = f"{self.frames} → {self.stop - self.start}"
        return f"episode {self.episode}{where}: {kept}, keeps {self.start}:{self.stop}"
