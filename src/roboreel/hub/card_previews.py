"""A small image of each camera for the dataset card: the first frame of the first episode."""

from __future__ import annotations

import re
from typing import Any

from roboreel.dataset.dataset import Dataset
from roboreel.errors import RoboreelError
from roboreel.format.feature import Feature
from roboreel.format.images import image_bytes
from roboreel.storage.video.decode import decode_frames
from roboreel.storage.video.encode import png
from roboreel.storage.video.index import read_packet_table
from roboreel.storage.video.still_images import decoded_image

_WIDTH = 320
"""Pixels; wider frames are scaled down."""
_PLAIN = re.compile(r"[^A-Za-z0-9._-]+")


def card_previews(dataset: Dataset) -> dict[str, tuple[str, bytes]]:
    """(path in the repository, PNG) of the first frame of each camera, by camera.

    Cameras that cannot be read have none.
    """
    if not dataset.total_episodes:
        return {}
    found = {}
    for number, camera in enumerate(one for one in dataset.features.values() if one.is_camera):
        try:
            data = png(_small(_first_frame(dataset, camera)))
        except (RoboreelError, ValueError):
            continue  # the card is not what a push is for: `check` says what is wrong with the video
        found[camera.name] = f"assets/{number}-{_PLAIN.sub('-', camera.name)}.png", data
    return found


def _first_frame(dataset: Dataset, camera: Feature) -> Any:
    if not camera.is_video:
        (table,) = dataset.rows([(0, 0, 1)], [camera.name])
        return decoded_image(image_bytes(table[camera.name][0]))
    root = dataset.root
    found = dataset.positions().frames(camera.name, 0, lambda path: read_packet_table(root, path))
    ((_, frame),) = decode_frames(root, found.path, [found.start])
    return frame


def _small(frame: Any) -> Any:
    if frame.width <= _WIDTH:
        return frame
    return frame.reformat(width=_WIDTH, height=max(1, round(frame.height * _WIDTH / frame.width)))
