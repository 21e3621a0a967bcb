"""Format v2.0: v2.1 with one `stats.json` for the whole dataset instead of statistics per episode."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from roboreel.format import v2
from roboreel.format.extras import extra_values
from roboreel.format.feature import Feature
from roboreel.format.model import EPISODE, INFO, LENGTH, TASKS, Info, Model, Totals, totals_of
from roboreel.format.version import FormatVersion
from roboreel.stats.feature_stats import Stats, stats_to_json
from roboreel.types import Json

VIDEO_FACTS = "video_info"
"""Key under which v2.0 describes an encoded video."""


def documents(
    model: Model, stats: Stats, *, splits: Mapping[str, str]
) -> Iterator[tuple[str, bytes | Iterator[bytes]]]:
    """Yield (name, bytes or blocks of bytes) of every document, `info.json` last."""
    yield v2.TASK_LIST, v2.task_lines(model.tasks)
    yield v2.EPISODES, episodes_document(model)
    yield v2.GLOBAL_STATS, json.dumps(stats_document(stats), indent=4).encode()
    yield INFO, info_document(model.info, FormatVersion.V20, totals_of(model), splits)


def stats_document(stats: Stats) -> dict[str, dict[str, Json]]:
    """`stats.json`: mean, std, max and min of each feature; v2.0 has no count and no quantiles."""
    kept = ("mean", "std", "max", "min")
    reduced = {name: {k: parts[k] for k in kept if k in parts} for name, parts in stats.items()}
    return stats_to_json(reduced)


def episodes_document(model: Model) -> Iterator[bytes]:
    """`episodes.jsonl`."""
    rows = model.episodes.select([EPISODE, TASKS, LENGTH]).to_pylist()
    schema = model.episodes.schema
    extra = {
        name: extra_values(schema.field(name), model.episodes[name]) for name in model.extra_columns
    }
    return v2.json_lines(
        v2.episode_entry(
            row[EPISODE], row[TASKS], row[LENGTH], {name: extra[name][at] for name in extra}
        )
        for at, row in enumerate(rows)
    )


def info_document(
    info: Info, version: FormatVersion, totals: Totals, splits: Mapping[str, str]
) -> bytes:
    """`info.json` with the given totals."""
    document = v2.info_document(info, version=version.value, splits=splits, totals=totals)
    return json.dumps(document, indent=4, ensure_ascii=False).encode()


def feature_spec(feature: Feature) -> dict[str, Json]:
    """A feature's object in `info.json`, with the description of the video under v2.0's key."""
    return renamed_facts(feature, "info", VIDEO_FACTS)


def renamed_facts(feature: Feature, old: str, new: str) -> dict[str, Json]:
    """The feature's object with the key `old` renamed to `new` at its position; unchanged if both exist."""
    spec = dict(feature.spec)
    if not feature.is_video or old not in spec or new in spec:
        return spec
    return {new if key == old else key: value for key, value in spec.items()}
