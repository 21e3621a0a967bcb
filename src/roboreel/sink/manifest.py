"""The documents of a result that say where its episodes come from, and which episodes it does not have."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pyarrow as pa

from roboreel.errors import StorageError
from roboreel.sink import staged_table as staged
from roboreel.sink.staging_list import SkippedEpisode
from roboreel.storage.write_root import WriteRoot
from roboreel.types import Json

MANIFEST = "meta/staged_episodes.jsonl"
"""A line for each episode of the result, in order."""
SKIPPED = "meta/skipped_episodes.jsonl"
"""A line for each episode that was staged or tried, and is not in the result."""
_OF_VIDEOS = ("made", "source", "first_frame", "source_fps")


def write_manifest(
    root: WriteRoot, episodes: pa.Table, skipped: Iterable[SkippedEpisode]
) -> tuple[str, ...]:
    """Write both documents into the staging folder, from where they travel with the result.

    They depend only on which episodes are staged, not on attempts, times or the order of workers.

    Args:
        root: the staging folder.
        episodes: rows of `staged_table`, in the order of the result.
        skipped: the episodes that it does not have.

    Returns:
        Their names; that of the second only where there are any.
    """
    lines = [json.dumps(one, ensure_ascii=False) for one in _entries(episodes)]
    _put_changed(root, MANIFEST, lines)
    missing = sorted({json.dumps(one.to_json(), ensure_ascii=False) for one in skipped})
    if not missing:
        return (MANIFEST,)
    _put_changed(root, SKIPPED, missing)
    return MANIFEST, SKIPPED


def _entries(episodes: pa.Table) -> Iterable[dict[str, Json]]:
    names = [staged.SOURCE, staged.SEGMENT, staged.PART, staged.ROWS, staged.VIDEOS]
    names += [staged.PROVENANCE]
    columns = (episodes[name].to_pylist() for name in names)
    for number, (source, segment, part, rows, videos, provenance) in enumerate(
        zip(*columns, strict=True)
    ):
        made = {
            camera: {name: one[name] for name in _OF_VIDEOS if one[name] is not None}
            for camera, one in json.loads(videos).items()
        }
        yield {
            "episode_index": number,
            "source": source,
            "segment": json.loads(segment),
            "part": part,
            "frames": rows,
            "videos": made,
            "provenance": json.loads(provenance),
        }


def _put_changed(root: WriteRoot, name: str, lines: Iterable[str]) -> None:
    """Write a document unless it is there already: a run that resumes finds its inputs unchanged."""
    data = "".join(f"{line}\n" for line in lines).encode()
    if not root.exists(name) or root.read(name) != data:
        root.put(name, data)


def read_skipped(root: WriteRoot) -> tuple[SkippedEpisode, ...]:
    """The episodes that a finished result says it does not have."""
    if not root.exists(SKIPPED):
        return ()
    try:
        return tuple(
            SkippedEpisode.from_json(json.loads(line)) for line in root.read(SKIPPED).splitlines()
        )
    except (ValueError, KeyError) as error:
        raise StorageError(f"'{SKIPPED}' in '{root.url}': {error}") from error
