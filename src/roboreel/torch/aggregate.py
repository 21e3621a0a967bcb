"""Put datasets together: lerobot's `aggregate_datasets` over roboreel's `concat`."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any

from roboreel.dataset.open import open_dataset
from roboreel.edit.concat import concat
from roboreel.edit.view import View
from roboreel.errors import counted
from roboreel.format.feature import Feature
from roboreel.ops.write import write
from roboreel.torch.dataset_metadata import LeRobotDatasetMetadata
from roboreel.torch.errors import ArgumentError
from roboreel.torch.media.encoder_configs import VIDEO_ENCODER_INFO_KEYS
from roboreel.torch.tools.edited_dataset import argument_errors, folder_of
from roboreel.types import Json

_LOG = logging.getLogger(__name__)
_ENCODER_KEYS: dict[str, Json] = {
    key: {} if key == "video.extra_options" else None for key in sorted(VIDEO_ENCODER_INFO_KEYS)
}
"""What `info.json` says of a video's encoder, with what it says where sources differ."""


def aggregate_datasets(
    repo_ids: list[str],
    aggr_repo_id: str,
    roots: Sequence[str | os.PathLike[str]] | None = None,
    aggr_root: str | os.PathLike[str] | None = None,
    data_files_size_in_mb: float | None = None,
    video_files_size_in_mb: float | None = None,
    chunk_size: int | None = None,
    concatenate_videos: bool = True,
    concatenate_data: bool = True,
) -> None:
    """Write the episodes of several datasets one after another into one. Videos are copied, not re-encoded.

    The sources may have different versions; the result has the version of the first.

    Args:
        repo_ids: the datasets' names.
        aggr_repo_id: the result's name.
        roots: the datasets' folders; by default the folders of `LeRobotDatasetMetadata(repo_id)`.
        aggr_root: the folder to make; by default `aggr_repo_id` below `HF_LEROBOT_HOME`.
        data_files_size_in_mb: soft limit of a table file in MiB.
        video_files_size_in_mb: soft limit of a video file in MiB.
        chunk_size: files per chunk folder; by default as in the first dataset.
        concatenate_videos: False keeps each source's files, and tables as well: both are grouped alike.
        concatenate_data: False likewise.

    Raises:
        ArgumentError: there are no datasets, or their frame rates, robot types or features differ.
        ExistsError: the folder exists.
    """
    if not repo_ids:
        raise ArgumentError("No datasets to merge: pass at least one")
    folders: list[Any] = [None] * len(repo_ids) if roots is None else [*roots]
    if len(folders) != len(repo_ids):
        raise ArgumentError(
            f"got {counted(len(folders), 'root')} for {counted(len(repo_ids), 'dataset')}: give one root"
            " for each dataset"
        )
    metadata = [
        LeRobotDatasetMetadata(repo_id, root=root)
        for repo_id, root in zip(repo_ids, folders, strict=True)
    ]
    _, _, features = validate_all_metadata(metadata)
    if chunk_size is not None and chunk_size < 1:
        raise ArgumentError(f"chunk_size is {chunk_size}, expected 1 or more")
    folder = folder_of(aggr_repo_id, aggr_root)
    join = concatenate_videos and concatenate_data
    if join is not (concatenate_videos or concatenate_data):
        _LOG.warning(
            "concatenate_data and concatenate_videos differ: neither tables nor videos are joined"
        )
    with argument_errors():
        view = concat([open_dataset(one.root) for one in metadata])
        view = _declaring(view, features, chunk_size).having(join=join)
        view = view.with_target(
            data_file_mb=data_files_size_in_mb,
            video_file_mb=video_files_size_in_mb,
            regroup=join,
        )
        write(view, out=folder, leftovers="resume")


def validate_all_metadata(
    all_metadata: Sequence[Any],
) -> tuple[float, str | None, dict[str, dict[str, Json]]]:
    """The frame rate, the robot type and the features of datasets that can go together.

    Args:
        all_metadata: `LeRobotDatasetMetadata` of each dataset.

    Raises:
        ArgumentError: they differ in one of these.
    """
    first = all_metadata[0]
    for one in all_metadata[1:]:
        for name in ("fps", "robot_type"):
            ours, theirs = getattr(first, name), getattr(one, name)
            if ours != theirs:
                raise ArgumentError(
                    f"all datasets must have the same {name}, but '{first.repo_id}' has {ours} and"
                    f" '{one.repo_id}' has {theirs}"
                )
        differing = _differing(first.features, one.features)
        if differing:
            raise ArgumentError(
                f"all datasets must have the same features, but '{first.repo_id}' and '{one.repo_id}'"
                f" differ in {', '.join(differing)}"
            )
    return first.fps, first.robot_type, merge_video_feature_info_for_aggregate(all_metadata)


def _differing(ours: Mapping[str, Json], theirs: Mapping[str, Json]) -> list[str]:
    """Names of features that only one has, or that have another dtype or shape."""
    kinds = [
        {name: (one["dtype"], *one["shape"]) for name, one in features.items()}
        for features in (ours, theirs)
    ]
    names = sorted(kinds[0].keys() | kinds[1].keys())
    return [name for name in names if kinds[0].get(name) != kinds[1].get(name)]


def merge_video_feature_info_for_aggregate(
    all_metadata: Sequence[Any],
) -> dict[str, dict[str, Json]]:
    """The features of the first dataset, with encoder settings only where all datasets state the same.

    Args:
        all_metadata: `LeRobotDatasetMetadata` of each dataset.
    """
    merged: dict[str, dict[str, Json]] = deepcopy(dict(all_metadata[0].features))
    for name, feature in merged.items():
        if feature.get("dtype") != "video":
            continue
        infos = [one.features.get(name, {}).get("info") or {} for one in all_metadata]
        unknown = _unknown_settings(infos)
        if unknown:
            _LOG.warning(
                "'%s': the encoder settings differ or are incomplete (%s), so the result has none",
                name,
                ", ".join(unknown),
            )
            feature["info"] = {**(feature.get("info") or {}), **deepcopy(unknown)}
    return merged


def _unknown_settings(infos: Sequence[Mapping[str, Json]]) -> dict[str, Json]:
    """Encoder settings that some documents state, but not all alike."""
    found = {}
    for key, unknown in _ENCODER_KEYS.items():
        stated = [info.get(key, unknown) for info in infos]
        named = sum(key in info for info in infos)
        if named and (named < len(infos) or any(one != stated[0] for one in stated)):
            found[key] = unknown
    return found


def _declaring(
    view: View, features: Mapping[str, Mapping[str, Json]], chunk_size: int | None
) -> View:
    """The view, whose result has these encoder settings and this many files per folder."""
    first = view.sources[0]
    info = first.model.info
    declared = {
        name: _with_info(feature, features.get(name) or {})
        for name, feature in info.features.items()
    }
    info = replace(info, features=declared, chunks_size=chunk_size or info.chunks_size)
    model = replace(first.model, info=info)
    return view.having(sources=(replace(first, model=model), *view.sources[1:]))


def _with_info(feature: Feature, declared: Mapping[str, Json]) -> Feature:
    if not feature.is_video or not declared.get("info"):
        return feature
    return replace(feature, spec={**feature.spec, "info": declared["info"]})
