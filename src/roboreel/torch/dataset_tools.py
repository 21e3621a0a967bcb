"""Edit datasets: lerobot's functions over roboreel's views, for every version of the format.

Functions that make a dataset write into a new folder. `modify_tasks`, `recompute_stats` and
`reencode_dataset` change a dataset in place, and keep the original beside it as `NAME.before-TIME`
(`roboreel undo`).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from roboreel.edit.relative_actions import CHUNK, KEPT, RelativeActions
from roboreel.edit.splits import require_part_name
from roboreel.edit.view import View
from roboreel.ops.split import write_parts
from roboreel.torch.aggregate import aggregate_datasets
from roboreel.torch.compat.argument_types import require_dataset
from roboreel.torch.errors import ArgumentError
from roboreel.torch.tools.camera_tools import convert_image_to_video_dataset, reencode_dataset
from roboreel.torch.tools.edited_dataset import (
    D,
    argument_errors,
    folder_of,
    modified_name,
    reopened,
    require_episodes,
    rewritten,
    view_of,
    written,
)
from roboreel.torch.tools.feature_tools import (
    NewFeature,
    add_features,
    modify_features,
    remove_feature,
)

__all__ = [
    "NewFeature",
    "add_features",
    "convert_image_to_video_dataset",
    "delete_episodes",
    "merge_datasets",
    "modify_features",
    "modify_tasks",
    "recompute_stats",
    "reencode_dataset",
    "remove_feature",
    "split_dataset",
]

_Path: TypeAlias = str | os.PathLike[str]
_LOG = logging.getLogger(__name__)
_ROUNDING = 1e-6


def delete_episodes(
    dataset: D,
    episode_indices: list[int],
    output_dir: _Path | None = None,
    repo_id: str | None = None,
) -> D:
    """Write a dataset without some episodes; those that stay are renumbered from 0.

    Videos are copied packet by packet, never re-encoded where the result is v3.0.

    Args:
        dataset: the dataset.
        episode_indices: the episodes to leave out.
        output_dir: the folder to make; by default `repo_id` below `HF_LEROBOT_HOME`.
        repo_id: the result's name; by default `{repo}_modified`.

    Raises:
        ArgumentError: there is nothing to delete, an episode does not exist, or none would be left.
        ExistsError: the folder exists.
    """
    view = view_of(dataset)
    gone = require_episodes(view, episode_indices)
    if not gone:
        raise ArgumentError("No episodes to delete: pass at least one episode index")
    if len(gone) == len(view.numbers):
        raise ArgumentError("Cannot delete all episodes from dataset: at least one must be left")
    return written(view.delete(gone), dataset, repo_id or modified_name(dataset), output_dir)


def split_dataset(
    dataset: D,
    splits: dict[str, float | list[int]],
    output_dir: _Path | None = None,
) -> dict[str, D]:
    """Write parts of a dataset, each as a dataset of its own.

    Args:
        dataset: the dataset.
        splits: by name a fraction of the episodes, or their indices. Fractions follow each other; each is
            rounded down, and the last one takes the episodes that are left. One that comes to no episode is
            left out with a warning. Lists may leave out episodes.
        output_dir: the folder of the parts' folders; by default they are `{repo}_{name}` below
            `HF_LEROBOT_HOME`.

    Raises:
        ArgumentError: fractions sum to more than 1, an episode is in two parts or does not exist, or a part
            has no episodes.
        ExistsError: a part's folder exists.
    """
    view = view_of(dataset)
    parts = _parts(view, splits)
    repo_ids = {part: f"{dataset.repo_id}_{part}" for part in parts}
    folders = {
        part: folder_of(repo_id, None if output_dir is None else Path(output_dir, part))
        for part, repo_id in repo_ids.items()
    }
    views = {folders[part].name: view.keep(episodes) for part, episodes in parts.items()}
    if views:
        parent = next(iter(folders.values())).parent
        with argument_errors():
            write_parts(views, out=parent, leftovers="resume")
    return {part: reopened(dataset, repo_ids[part], folder) for part, folder in folders.items()}


def merge_datasets(
    datasets: Sequence[D],
    output_repo_id: str,
    output_dir: _Path | None = None,
    concatenate_videos: bool = True,
    concatenate_data: bool = True,
) -> D:
    """Write the episodes of several datasets one after another: `aggregate_datasets`.

    Args:
        datasets: the datasets, of one frame rate, robot type and set of features.
        output_repo_id: the result's name.
        output_dir: the folder to make; by default `output_repo_id` below `HF_LEROBOT_HOME`.
        concatenate_videos: False keeps each source's video files.
        concatenate_data: False keeps each source's tables.

    Raises:
        ArgumentError: there are no datasets, or they do not go together.
        ExistsError: the folder exists.
    """
    if not datasets:
        raise ArgumentError("No datasets to merge: pass at least one")
    for one in datasets:
        require_dataset(one)
    folder = folder_of(output_repo_id, output_dir)
    aggregate_datasets(
        [one.repo_id for one in datasets],
        output_repo_id,
        roots=[one.root for one in datasets],
        aggr_root=folder,
        concatenate_videos=concatenate_videos,
        concatenate_data=concatenate_data,
    )
    return reopened(datasets[0], output_repo_id, folder)


def modify_tasks(
    dataset: D,
    new_task: str | None = None,
    episode_tasks: dict[int, str] | None = None,
    task_replacements: dict[str, str] | None = None,
) -> D:
    """Change the tasks of a dataset in place; the original is kept beside it.

    An episode's own entry counts, else a replacement of its tasks, else `new_task`. Episodes of several tasks
    keep all that are not replaced.

    Args:
        dataset: the dataset; the same object is returned, and reads the result.
        new_task: the task of all episodes that nothing else names.
        episode_tasks: the one task of an episode, by its index.
        task_replacements: new text by old one.

    Raises:
        ArgumentError: nothing is to be changed, or an episode or a task to replace does not exist.
    """
    if not new_task and not episode_tasks and not task_replacements:
        raise ArgumentError(
            "Must specify at least one of new_task, episode_tasks, or task_replacements"
        )
    view = view_of(dataset)
    require_episodes(view, episode_tasks or {})
    unknown = sorted(set(task_replacements or {}).difference(view.model.tasks.values()))
    if unknown:
        raise ArgumentError(
            f"task_replacements has tasks that the dataset does not have: {unknown[:20]}"
        )
    with argument_errors():
        changed = view.set_tasks(
            new_task or None, replacing=task_replacements, episodes=episode_tasks
        )
        return rewritten(changed, dataset)


def recompute_stats(
    dataset: D,
    skip_image_video: bool = True,
    relative_action: bool = False,
    relative_exclude_joints: list[str] | None = None,
    chunk_size: int = CHUNK,
    num_workers: int = 0,
) -> D:
    """Recompute the statistics of a dataset and of its episodes in place; the original is kept beside it.

    Args:
        dataset: the dataset; the same object is returned, and reads the result.
        skip_image_video: keep the statistics of cameras; False computes them from a sample of the frames.
        relative_action: for the whole dataset, describe `action` relative to the state in which a chunk of
            actions begins.
        relative_exclude_joints: parts of names of joints that stay absolute; by default `gripper`.
        chunk_size: actions of a chunk.
        num_workers: worker processes; 0 and 1 use one.

    Raises:
        ArgumentError: there are no numbers, or no action and state for relative actions.
    """
    kept = KEPT if relative_exclude_joints is None else tuple(relative_exclude_joints)
    relative = RelativeActions(chunk=chunk_size, kept=kept) if relative_action else None
    with argument_errors():
        view = view_of(dataset).recompute(
            cameras="none" if skip_image_video else "sample", relative_actions=relative
        )
        return rewritten(view, dataset, max(1, num_workers))


def _parts(view: View, splits: Mapping[str, float | list[int]]) -> dict[str, list[int]]:
    """The episodes of each part, ascending.

    Raises:
        ArgumentError: as `split_dataset`.
    """
    if not splits:
        raise ArgumentError("No splits provided: pass at least one split")
    with argument_errors():
        for name in splits:
            require_part_name(name)
    shares = {name: float(part) for name, part in splits.items() if isinstance(part, int | float)}
    if len(shares) == len(splits):
        return _by_share(view.numbers.tolist(), shares)
    if shares:
        raise ArgumentError(
            "splits mixes fractions and lists of episodes: give a fraction for every split, or a list of"
            " episodes for every split"
        )
    parts = {name: require_episodes(view, part) for name, part in splits.items()}  # type: ignore[arg-type]
    taken = [episode for part in parts.values() for episode in part]
    if len(set(taken)) < len(taken):
        raise ArgumentError(
            "Episodes cannot appear in multiple splits: put each episode in at most one split"
        )
    for name, part in parts.items():
        if not part:
            raise ArgumentError(f"Split '{name}' has no episodes")
    return parts


def _by_share(episodes: list[int], shares: Mapping[str, float]) -> dict[str, list[int]]:
    total = sum(shares.values())
    if total > 1 + _ROUNDING:
        raise ArgumentError(f"Split fractions must sum to <= 1.0, got {total:g}")
    if min(shares.values()) < 0:
        raise ArgumentError("the fraction of a split must be 0 or more")
    parts, start = {}, 0
    for name, share in shares.items():
        stop = start + int(len(episodes) * share)
        if stop == start:
            _LOG.warning("split '%s' is left out: its fraction is less than one episode", name)
            continue
        parts[name] = episodes[start : None if name == [*shares][-1] else stop]
        start = stop
    return parts
