"""Find files that are in another folder than the documents say, where only one can be meant."""

from __future__ import annotations

import re

from roboreel.format.layout import fill
from roboreel.format.model import Info
from roboreel.format.v30 import VIDEO_TEMPLATE
from roboreel.format.v30_episodes import EPISODES_TEMPLATE, episode_files, stray_episode_files
from roboreel.repairing.draft import Draft

_VIDEO = re.compile(r"videos/(?P<folder>.+)/chunk-(?P<chunk>\d+)/file-(?P<file>\d+)\.mp4")


def put_episode_table(draft: Draft) -> None:
    """Put the only table of episodes where readers look for it (v3.0)."""
    strays = stray_episode_files(draft.list())
    if len(strays) == 1 and not episode_files(draft.list()):
        name = fill(EPISODES_TEMPLATE, chunk_index=0, file_index=0)
        draft.move(strays[0], name)
        draft.repaired(
            "document.missing",
            f"the only table of episodes was in the wrong folder: moved to '{name}'",
            path=strays[0],
        )


def put_videos(draft: Draft, info: Info) -> None:
    """Put the videos of a camera without files where the template says (v3.0), if one folder can be meant.

    A folder can be meant if no camera has its name, and it is the camera's last part, or the other way round:
    `videos/top` for `observation.images.top`.
    """
    folders: dict[str, dict[str, tuple[int, int]]] = {}
    for name in draft.list():
        match = _VIDEO.fullmatch(name)
        if match is not None:
            numbers = int(match["chunk"]), int(match["file"])
            folders.setdefault(match["folder"], {})[name] = numbers
    lost = [camera for camera in info.cameras if camera not in folders]
    free = [folder for folder in folders if folder not in info.features]
    meant = {camera: [folder for folder in free if _alike(camera, folder)] for camera in lost}
    for camera, found in meant.items():
        claims = [other for other in lost if found and found[0] in meant[other]]
        if len(found) == 1 and claims == [camera]:
            _move(draft, camera, folders[found[0]])


def _alike(camera: str, folder: str) -> bool:
    shorter, longer = sorted((camera, folder), key=len)
    return longer.endswith((f".{shorter}", f"/{shorter}", f"_{shorter}"))


def _move(draft: Draft, camera: str, files: dict[str, tuple[int, int]]) -> None:
    for name, (chunk, file) in files.items():
        draft.move(name, fill(VIDEO_TEMPLATE, video_key=camera, chunk_index=chunk, file_index=file))
    first = min(files)
    count = "a video" if len(files) == 1 else f"{len(files):,} videos"
    what = f"{count} of '{camera}' in the wrong folder: moved to the camera's folder"
    draft.repaired("video.missing", what, path=first.rpartition("/")[0])
