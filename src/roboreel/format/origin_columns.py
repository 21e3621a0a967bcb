"""Columns of the episodes table, beside the format's own, that say where an episode comes from."""

from __future__ import annotations

import pyarrow as pa

from roboreel.format.model import Model

UID = "episode_uid"
SOURCE_DATASET, SOURCE_EPISODE = "source_dataset", "source_episode"
SOURCE_START, SOURCE_STOP = "source_start", "source_stop"
SOURCE_ROBOT = "source_robot_type"
ORIGIN_COLUMNS = frozenset(
    {UID, SOURCE_DATASET, SOURCE_EPISODE, SOURCE_START, SOURCE_STOP, SOURCE_ROBOT}
)


def stores_uids(model: Model) -> bool:
    """True where the table of episodes has a column of uids: texts, whatever wrote them."""
    if UID not in model.extra_columns:
        return False
    type_ = model.episodes[UID].type
    return bool(pa.types.is_string(type_) or pa.types.is_large_string(type_))
