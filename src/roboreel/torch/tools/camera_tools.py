"""Encode the cameras of a dataset: images become video, video gets other settings."""

from __future__ import annotations

import logging
import os
from typing import Any

from roboreel.edit.view import View
from roboreel.torch.errors import ArgumentError
from roboreel.torch.media.encoder_configs import encoding_of
from roboreel.torch.tools.edited_dataset import (
    D,
    argument_errors,
    require_episodes,
    rewritten,
    view_of,
    written,
)

_LOG = logging.getLogger(__name__)


def convert_image_to_video_dataset(
    dataset: D,
    output_dir: str | os.PathLike[str] | None = None,
    repo_id: str | None = None,
    rgb_encoder: Any = None,
    depth_encoder: Any = None,
    episode_indices: list[int] | None = None,
    num_workers: int = 4,
    max_episodes_per_batch: int | None = None,
    max_frames_per_batch: int | None = None,
) -> D:
    """Write a dataset whose images in tables have become videos.

    Images go from the decoder to the encoder in memory, some at a time, so nothing is staged in batches.
    Depth cameras stay images, with a warning.

    Args:
        dataset: the dataset.
        output_dir: the folder to make; by default `repo_id` below `HF_LEROBOT_HOME`.
        repo_id: the result's name; by default `{repo}_video`.
        rgb_encoder: settings of the encoder: `RGBEncoderConfig`, ours or lerobot's, or an object like it.
        depth_encoder: has no effect.
        episode_indices: the episodes of the result, renumbered; by default all.
        num_workers: worker processes.
        max_episodes_per_batch: has no effect: memory does not grow with the episodes.
        max_frames_per_batch: has no effect.

    Raises:
        ArgumentError: there are no images to convert, or an episode does not exist.
        ExistsError: the folder exists.
    """
    for name, limit in (
        ("max_episodes_per_batch", max_episodes_per_batch),
        ("max_frames_per_batch", max_frames_per_batch),
    ):
        if limit is not None and limit < 1:
            raise ArgumentError(f"{name} is {limit}, expected 1 or more, or None")
    view = view_of(dataset)
    cameras = _images(view, dataset.repo_id)
    if episode_indices is not None:
        view = view.keep(require_episodes(view, episode_indices))
    with argument_errors():
        view = view.encode(dict.fromkeys(cameras, encoding_of(rgb_encoder)))
        return written(
            view, dataset, repo_id or f"{dataset.repo_id}_video", output_dir, max(1, num_workers)
        )


def reencode_dataset(
    dataset: D,
    rgb_encoder: Any = None,
    depth_encoder: Any = None,
    encoder_threads: int | None = None,
    num_workers: int | None = None,
) -> D:
    """Encode the videos of a dataset again, in place; the original is kept beside it.

    Depth videos stay as they are, with a warning where `depth_encoder` is given.

    Args:
        dataset: the dataset; the same object is returned, and reads the result.
        rgb_encoder: settings of the encoder: `RGBEncoderConfig`, ours or lerobot's, or an object like it.
        depth_encoder: has no effect.
        encoder_threads: threads of each encoder; None leaves them to it.
        num_workers: worker processes; None, 0 and 1 use one.

    Raises:
        ArgumentError: no encoder is given, or there are no videos to encode.
    """
    if rgb_encoder is None and depth_encoder is None:
        raise ArgumentError("Either rgb_encoder or depth_encoder must be provided")
    view = view_of(dataset)
    videos = [one for one in view.model.info.features.values() if one.is_video]
    if depth_encoder is not None and any(one.is_depth for one in videos):
        _LOG.warning("depth videos are not changed: roboreel does not re-encode depth")
    cameras = [one.name for one in videos if not one.is_depth]
    if rgb_encoder is None or not cameras:
        _LOG.warning("the dataset has no videos to re-encode")
        return dataset
    with argument_errors():
        view = view.encode(dict.fromkeys(cameras, encoding_of(rgb_encoder, encoder_threads)))
        return rewritten(view, dataset, max(1, num_workers or 1))


def _images(view: View, name: str) -> list[str]:
    """The cameras to convert.

    Raises:
        ArgumentError: there are none.
    """
    images = [
        one for one in view.model.info.features.values() if one.is_camera and not one.is_video
    ]
    cameras = [one.name for one in images if not one.is_depth]
    for one in images:
        if one.is_depth:
            _LOG.warning(
                "depth camera '%s' is kept as images: roboreel does not encode depth here", one.name
            )
    if not cameras:
        raise ArgumentError(
            f"'{name}' has no images to convert: this function needs a dataset with image cameras"
        )
    return cameras
