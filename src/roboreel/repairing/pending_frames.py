"""Find frames that a killed recorder had not brought into the dataset's videos.

lerobot keeps the frames of an episode as images (`images/CAMERA/episode-000003/frame-000000.png`) until it
encodes them, and an encoded video in a temporary folder (`tmpXXXX/CAMERA_003.mp4`,
`tmpXXXX/CAMERA_streaming.mp4`) until it joins it to the others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from roboreel.errors import StorageError, VideoError
from roboreel.format.declared import same_codec
from roboreel.format.encoding import Encoding, encoder_settings
from roboreel.format.feature import Feature
from roboreel.format.model import Info
from roboreel.repairing.draft import Draft
from roboreel.repairing.found_rows import FoundEpisode
from roboreel.storage.video.encode import encode_frames
from roboreel.storage.video.index import read_packet_table
from roboreel.storage.video.still_images import decoded_image

_IMAGE = re.compile(
    r"images/(?P<camera>.+)/episode[-_](?P<episode>\d+)/frame[-_](?P<frame>\d+)\.png"
)
_VIDEO = re.compile(r"(?:[^/]+/)*(?P<camera>[^/]+?)_(?P<episode>\d+|streaming)\.mp4")
_FOLDERS = ("data/", "meta/", "videos/", "images/")


def find_pending_video(
    draft: Draft, info: Info, camera: str, episode: FoundEpisode, name: str, *, last: bool
) -> bool:
    """Show the pending frames of an episode as the video file `name`; False if there are not as many as rows.

    Args:
        draft: the dataset; the file is added to it.
        info: its `info.json`.
        camera: the camera.
        episode: the episode.
        name: the file to make.
        last: True if it is the last episode, which a video without a number belongs to.
    """
    found = _pending_file(draft, camera, episode, last=last)
    if found is not None:
        draft.move(found, name)
        what = (
            f"{episode.rows:,} frames of episode {episode.number} were waiting to be added to the"
            f" video: added"
        )
        draft.repaired("video.missing", what, path=found)
        return True
    images = _pending_images(draft, camera, episode)
    if not images or info.features[camera].is_depth:
        return False
    try:
        _encode(draft, info, info.features[camera], images, name)
    except VideoError:
        return False
    what = (
        f"{episode.rows:,} images of episode {episode.number} were waiting to be encoded: encoded"
    )
    draft.repaired("video.missing", what, path=images[0].rpartition("/")[0])
    return True


def _pending_file(draft: Draft, camera: str, episode: FoundEpisode, *, last: bool) -> str | None:
    """The only whole video outside the usual folders that can be the episode's."""
    found = [
        name
        for name in draft.list()
        if not name.startswith(_FOLDERS) and _is_of(name, camera, episode.number, last=last)
    ]
    whole = [name for name in found if _frames(draft, name) == episode.rows]
    return whole[0] if len(whole) == 1 else None


def _is_of(name: str, camera: str, episode: int, *, last: bool) -> bool:
    match = _VIDEO.fullmatch(name)
    if match is None or match["camera"] != camera:
        return False
    return last if match["episode"] == "streaming" else int(match["episode"]) == episode


def _frames(draft: Draft, name: str) -> int:
    try:
        return read_packet_table(draft, name).frames
    except StorageError:
        return 0


def _pending_images(draft: Draft, camera: str, episode: FoundEpisode) -> list[str]:
    """The images of an episode in order; none where there are not as many as rows."""
    found: dict[int, str] = {}
    for name in draft.list():
        match = _IMAGE.fullmatch(name)
        if match and match["camera"] == camera and int(match["episode"]) == episode.number:
            found[int(match["frame"])] = name
    return [found[n] for n in sorted(found)] if sorted(found) == [*range(episode.rows)] else []


def _encode(draft: Draft, info: Info, feature: Feature, images: list[str], name: str) -> None:
    said = feature.video_facts.get("video.codec")
    codec = same_codec(said) if isinstance(said, str) else ""
    encoding = Encoding(vcodec=codec) if codec in ("h264", "hevc") else Encoding()

    def frames() -> Iterator[Any]:
        for image in images:
            try:
                yield decoded_image(draft.read(image))
            except VideoError as error:
                raise VideoError(f"'{image}': {error}") from error

    encoder = encoder_settings(encoding)
    encode_frames(draft.made, name, frames(), fps=info.fps, encoder=encoder)
    draft.take_made(name)
    for image in images:
        draft.set_aside(image)


def note_unused_frames(draft: Draft) -> None:
    """Name images and videos of episodes whose rows were not written."""
    images: dict[str, int] = {}
    for name in draft.list():
        match = _IMAGE.fullmatch(name)
        if match:
            folder = name.rpartition("/")[0]
            images[folder] = images.get(folder, 0) + 1
        elif not name.startswith(_FOLDERS) and _VIDEO.fullmatch(name):
            what = f"{_frames(draft, name):,} frames of an episode without rows: left out"
            draft.leave("file.unused", what, path=name)
    for folder, count in images.items():
        what = f"{count:,} images of an episode without rows: left out"
        draft.leave("file.unused", what, path=folder)
