"""Format v2.1: one table and one video file per episode, statistics per episode."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping

from roboreel.format import v2, v20
from roboreel.format.feature import Feature
from roboreel.format.model import EPISODE, INFO, Model, totals_of
from roboreel.format.parse import parse_line, whole_number
from roboreel.format.version import FormatVersion
from roboreel.stats.block import StatsBlock, StatsKey
from roboreel.stats.feature_stats import Stats, parse_array, parse_stats
from roboreel.types import Json

VIDEO_FACTS = "info"


def documents(
    model: Model,
    episode_stats: Iterable[StatsBlock],
    merged_stats: Callable[[], Stats] | None = None,
    *,
    splits: Mapping[str, str],
) -> Iterator[tuple[str, bytes | Iterator[bytes]]]:
    """Yield (name, bytes or blocks of bytes) of every document, `info.json` last.

    Args:
        model: the dataset.
        episode_stats: statistics of the episodes in order, in blocks.
        merged_stats: returns the statistics of all episodes, if `stats.json` must be written too; called
            after the last episode's statistics were read.
        splits: named ranges of episodes.
    """
    yield v2.TASK_LIST, v2.task_lines(model.tasks)
    yield v2.EPISODES, v20.episodes_document(model)
    episodes = model.episodes[EPISODE].to_pylist()
    each_as_json = (row for block in episode_stats for row in block.json_rows())
    yield (
        v2.EPISODE_STATS,
        v2.json_lines(
            {"episode_index": episode, "stats": stats}
            for episode, stats in zip(episodes, each_as_json, strict=True)
        ),
    )
    if merged_stats is not None:
        yield v2.GLOBAL_STATS, json.dumps(v20.stats_document(merged_stats()), indent=4).encode()
    yield INFO, v20.info_document(model.info, FormatVersion.V21, totals_of(model), splits)


def parse_episode_stats(line: bytes, number: int) -> tuple[int, Stats] | None:
    """(episode, statistics) in a line of `episodes_stats.jsonl`; None if either is missing.

    Raises:
        DatasetError: the line is not a JSON object.
    """
    entry = parse_line(line, v2.EPISODE_STATS, number)
    episode, stats = whole_number(entry.get(EPISODE)), entry.get("stats")
    if episode is not None and isinstance(stats, Mapping):
        return episode, parse_stats(stats)
    return None


def parse_episode_numbers(
    line: bytes, number: int, wanted: Iterable[StatsKey]
) -> tuple[int, bytes] | None:
    """(episode, the numbers of some statistics) in a line of `episodes_stats.jsonl`: `StatsBlock.numbers`.

    Returns:
        None if the line names no episode, or has no statistics.

    Raises:
        DatasetError: the line is not a JSON object.
    """
    entry = parse_line(line, v2.EPISODE_STATS, number)
    episode, stats = whole_number(entry.get(EPISODE)), entry.get("stats")
    if episode is None or not isinstance(stats, Mapping):
        return None
    parts = []
    for feature, statistic in wanted:
        own = stats.get(feature)
        if isinstance(own, Mapping) and statistic in own:
            parts.append(_numbers(statistic, own[statistic]))
    return episode, b"".join(parts)


def _numbers(statistic: str, value: Json) -> bytes:
    """The numbers of a statistic as little-endian float64."""
    if isinstance(value, list) and set(map(type, value)) == {float}:
        return struct.pack(f"<{len(value)}d", *value)
    array = parse_array(statistic, value)
    return b"" if array is None else array.astype("<f8").tobytes()


def feature_spec(feature: Feature) -> dict[str, Json]:
    """A feature's object in `info.json`, with the description of the video under the key used since v2.1."""
    return v20.renamed_facts(feature, v20.VIDEO_FACTS, VIDEO_FACTS)
