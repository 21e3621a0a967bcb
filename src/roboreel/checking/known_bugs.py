"""Find statistics that a released writer is known to get wrong, from the numbers alone."""

from __future__ import annotations

import numpy as np

from roboreel.checking.stored_matrices import StoredFeature, StoredMatrices
from roboreel.dataset.dataset import Dataset
from roboreel.format.causes import WRAPPED
from roboreel.format.model import EPISODE
from roboreel.format.parse import Problems
from roboreel.stats.impossible_std import impossible_std, missing_std
from roboreel.stats.merge import merged_rows
from roboreel.types import Bools, Floats

_SAME = 1e-6
"""Variances this close, relative to the magnitude of the values, are equal."""


def check_camera_std(dataset: Dataset, stored: StoredMatrices, problems: Problems) -> None:
    """Report the camera stds that lerobot 0.4.0 to 0.5.1 computed wrongly (huggingface/lerobot#3682)."""
    numbers = dataset.episodes[EPISODE].to_pylist()
    action = f"recompute the statistics before training ({WRAPPED.said(dataset.version)})"

    def note(message: str, camera: str, episode: int | None, amount: float) -> None:
        location = {"episode": episode, "column": camera, "amount": amount}
        problems.error("stats.camera-overflow", message, action=action, **location)

    for name, feature in dataset.features.items():
        if not feature.is_camera or feature.is_depth:
            continue
        episodes, whole = stored.episodes.get(name), stored.whole.get(name)
        if episodes is not None:
            missing = missing_std(episodes.values)
            for row in np.flatnonzero(overflowed(episodes)).tolist():
                message = f"the stored std {_text(episodes, row)} is impossible, given the other statistics"
                note(message, name, numbers[row], float(missing[row]))
        if whole is not None and overflowed_as_a_whole(whole, episodes).any():
            message = (
                f"the stored std of the whole dataset, {_text(whole, 0)}, was merged from"
                f" impossible ones"
            )
            note(message, name, None, 0.0)


def overflowed_as_a_whole(whole: StoredFeature, episodes: StoredFeature | None) -> Bools:
    """(1,) True where the std of the whole dataset is impossible, or merged from impossible ones.

    Otherwise it was computed in another way, and may be right even if those of the episodes are wrong.
    """
    own = overflowed(whole, parts=True)
    if episodes is None or not overflowed(episodes).any():
        return own
    merged = merged_std(episodes)
    if merged is None or merged.shape != whole.values["std"][0].shape:
        return own
    gap = np.abs(whole.values["std"] ** 2 - merged**2)
    size = merged**2 + whole.values["mean"] ** 2
    return np.asarray(own | (gap <= _SAME * size).all(axis=1))


def merged_std(episodes: StoredFeature) -> Floats | None:
    """(components,) std of all episodes, merged from their means and stds; None if these are missing."""
    if not {"mean", "std"} <= episodes.values.keys() or not episodes.have.any():
        return None
    values = {key: episodes.values[key][episodes.have] for key in ("mean", "std")}
    return np.asarray(merged_rows(values, weights(episodes))["std"])


def weights(episodes: StoredFeature) -> Floats:
    """(episodes with statistics, 1) fraction of all values that each episode holds."""
    count = episodes.count[episodes.have, None]
    return np.asarray(count / max(int(count.sum()), 1))


def overflowed(feature: StoredFeature, *, parts: bool = False) -> Bools:
    """(rows,) True where a camera's std is impossible: see `impossible_std`.

    Args:
        feature: stored statistics.
        parts: the row was merged from episodes.
    """
    return np.asarray(feature.have & impossible_std(feature.values, merged=parts))


def _text(feature: StoredFeature, row: int) -> str:
    return ", ".join(f"{value:.3g}" for value in feature.values["std"][row].tolist())
