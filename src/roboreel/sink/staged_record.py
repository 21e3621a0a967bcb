"""What a staged table says of its episode: a JSON document in the metadata of the file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256

import pyarrow as pa

from roboreel.errors import StorageError
from roboreel.format.table_schema import FILE_RECORD
from roboreel.sink.episode_key import EpisodeKey
from roboreel.types import Json, JsonObject

_FORMAT = 1
_TASK_BITS = 52


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedVideo:
    """A camera's video of a staged episode."""

    name: str
    """In the staging folder."""
    start: int
    """The episode's first frame in the file."""
    made: str
    """`copied` packets, `encoded` frames, or `given` as it is."""
    source: str | None = None
    """The name of the video file that it was made from."""
    first_frame: int | None = None
    """The first frame in that file."""
    source_fps: float | None = None
    """The rate of that file where it is another than the dataset's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedRecord:
    """All that is known of a staged episode but its rows and frames."""

    source: str
    segment: str | int
    part: int
    parts: Sequence[str]
    """The tables of all parts; the first one's only makes the attempt whole."""
    rows: int
    fps: float
    robot_type: str | None
    features: Mapping[str, JsonObject] = field(repr=False)
    tasks: Sequence[str]
    videos: Mapping[str, StagedVideo]
    fields: Mapping[str, Json]
    provenance: Mapping[str, Json]
    stats: JsonObject = field(repr=False)

    @property
    def key(self) -> EpisodeKey:
        """What names the episode."""
        return EpisodeKey(self.source, self.segment)

    def metadata(self) -> dict[bytes, bytes]:
        """The metadata of the table."""
        return {FILE_RECORD: json.dumps({"format": _FORMAT, **asdict(self)}).encode()}


def read_record(schema: pa.Schema, name: str) -> StagedRecord:
    """The record in the schema of a staged table.

    Raises:
        StorageError: there is none, or one of another release.
    """
    try:
        found = json.loads((schema.metadata or {})[FILE_RECORD])
        if found.pop("format") != _FORMAT:
            raise StorageError(f"'{name}': staged by another release of roboreel: stage it again")
        videos = {camera: StagedVideo(**video) for camera, video in found.pop("videos").items()}
        return StagedRecord(**found, videos=videos)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StorageError(f"'{name}': not a staged episode") from error


def task_number(text: str) -> int:
    """The `task_index` of a task in staged tables: the same in all workers, who know nothing of each other.

    52 bits of its digest: exact in float64 too. `finalize` numbers tasks 0, 1, 2, …
    """
    digest = sha256(text.encode(errors="surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") >> (64 - _TASK_BITS)
