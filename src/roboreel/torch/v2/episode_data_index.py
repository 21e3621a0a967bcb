"""Where episodes are among the rows of a dataset, as lerobot 0.3.3's datasets say it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from roboreel.types import Json


def get_episode_data_index(
    episode_dicts: Mapping[int, Mapping[str, Json]], episodes: Sequence[int] | None = None
) -> dict[str, torch.Tensor]:
    """(episodes,) int64 tensors `from` and `to`: the first row of each episode, and the row after its last.

    Args:
        episode_dicts: each with its `length`, by episode.
        episodes: only these, in this order; None for all.
    """
    chosen = episode_dicts if episodes is None else episodes
    lengths = np.array([episode_dicts[index]["length"] for index in chosen], dtype=np.int64)
    stop = np.cumsum(lengths)
    return {"from": torch.from_numpy(stop - lengths), "to": torch.from_numpy(stop)}
