"""Format v2.1: one table and one video file per episode, statistics per episode."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from roboreel.format import v2, v20
from roboreel.format.feature import Feature
from roboreel.format.json_types import Json
from roboreel.format.model import EPISODE, INFO, Model
from roboreel.format.parse import parse_lines
from roboreel.format.stats import Stats, parse_stats, stats_to_json
from roboreel.format.version import FormatVersion

VIDEO_FACTS = "info"


def documents(
    model: Model, episode_stats: Iterable[Stats], *, splits: Mapping[str, str]
) -> Iterator[tuple[str, bytes]]:
    """(name, bytes) of every document, `info.json` last.

    Args:
        model: the dataset.
        episode_stats: statistics of each episode, in order.
        splits: named ranges of episodes.
    """
    yield v2.TASK_LIST, v2.task_lines(model.tasks)
    yield v2.EPISODES, v20.episodes_document(model)
    episodes = model.episodes[EPISODE].to_pylist()
    yield (
        v2.EPISODE_STATS,
        v2.json_lines(
            {"episode_index": episode, "stats": stats_to_json(stats)}
            for episode, stats in zip(episodes, episode_stats, strict=True)
        ),
    )
    yield INFO, v20.info_document(model, FormatVersion.V21, splits)


def parse_episode_stats(document: bytes) -> Iterator[tuple[int, Stats]]:
    """(episode, statistics) for each line of `episodes_stats.jsonl` that has both."""
    for _, entry in parse_lines(document, v2.EPISODE_STATS):
        stats = entry.get("stats")
        if isinstance(entry.get(EPISODE), int) and isinstance(stats, Mapping):
            yield entry[EPISODE], parse_stats(stats)


def feature_spec(feature: Feature) -> dict[str, Json]:
    """A feature's object in `info.json`, with the video's facts under the key since v2.1."""
    return v20.renamed_facts(feature, v20.VIDEO_FACTS, VIDEO_FACTS)
