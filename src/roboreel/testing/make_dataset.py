"""`make_dataset`: write a small dataset of a chosen version."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from roboreel.testing.content import TASKS, Content, make_episodes, tasks_in_use
from roboreel.testing.layout_v2 import write_v2
from roboreel.testing.layout_v3 import write_v3
from roboreel.testing.made_features import FeatureSet, choose_cameras, declare
from roboreel.testing.numbered_frames import CAMERA_BITS, EPISODE_BITS, FRAME_BITS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from roboreel.testing.cameras import Camera

Version = Literal["v2.0", "v2.1", "v3.0"]


def make_dataset(
    path: str | Path,
    *,
    version: Version = "v2.1",
    episodes: Sequence[int] = (40, 33, 21),
    fps: float = 30,
    cameras: Mapping[str, Camera] | None = None,
    features: FeatureSet = "basic",
    tasks_per_episode: int = 1,
    chunks_size: int = 1000,
    data_episodes_per_file: int | None = None,
    video_episodes_per_file: int | None = None,
    robot_type: str = "so101_follower",
    seed: int = 0,
) -> Path:
    """Write a dataset into a new or empty folder and return its path.

    The same arguments give the same bytes with the same library releases.

    Args:
        path: the dataset's folder.
        version: the format to write.
        episodes: frames of each episode, at least 1.
        fps: frames per second; an int is written as an int.
        cameras: by feature name, in the order of their numbers in the frames; two of 160x128
            by default, `{}` for none.
        features: "rich" adds text, a matrix, float64 and int64 vectors and a PNG camera.
        tasks_per_episode: how many tasks each episode goes through, in equal parts.
        chunks_size: episodes (v2.x) or files (v3.0) per chunk folder.
        data_episodes_per_file: v3.0 only; None puts all episodes into one file.
        video_episodes_per_file: likewise, for every camera.
        robot_type: the entry in info.json.
        seed: changes the values of state and action, not the frames.

    Raises:
        ValueError: contradictory arguments, or numbers too large for the frames.
        FileExistsError: the folder is not empty.
    """
    chosen = choose_cameras(cameras, features)
    _check_counts(episodes, tasks_per_episode, fps=fps, chunks_size=chunks_size)
    _check_images(episodes, chosen)
    if version != "v3.0" and (data_episodes_per_file or video_episodes_per_file):
        raise ValueError(
            f"{version} has one file per episode: only v3.0 can have several episodes per file"
        )
    rows = make_episodes(
        episodes, tasks_per_episode=tasks_per_episode, cameras=list(chosen), fps=fps, seed=seed
    )
    content = Content(
        fps=fps,
        robot_type=robot_type,
        chunks_size=chunks_size,
        tasks=tasks_in_use(rows),
        features=declare(features, chosen),
        cameras=chosen,
        episodes=rows,
    )
    root = _empty_folder(Path(path))
    if version == "v3.0":
        write_v3(
            root,
            content,
            data_per_file=data_episodes_per_file,
            video_per_file=video_episodes_per_file,
        )
    else:
        write_v2(root, content, version=version)
    return root


def _check_counts(
    episodes: Sequence[int], tasks_per_episode: int, *, fps: float, chunks_size: int
) -> None:
    if not episodes or min(episodes) < 1:
        raise ValueError(f"expected at least one episode of at least one frame, got {episodes}")
    if not 1 <= tasks_per_episode <= len(TASKS):
        raise ValueError(f"tasks_per_episode must be 1 to {len(TASKS)}, got {tasks_per_episode}")
    if fps <= 0 or chunks_size < 1:
        raise ValueError(f"fps and chunks_size must be positive, got {fps} and {chunks_size}")


def _check_images(episodes: Sequence[int], cameras: Mapping[str, Camera]) -> None:
    if not cameras:
        return
    limits = [
        ("cameras", len(cameras), 1 << CAMERA_BITS),
        ("episodes", len(episodes), 1 << EPISODE_BITS),
        ("frames in an episode", max(episodes), 1 << FRAME_BITS),
    ]
    for name, number, limit in limits:
        if number > limit:
            raise ValueError(
                f"the test images can encode at most {limit} {name}, got {number}: use fewer, or"
                " cameras={}"
            )


def _empty_folder(root: Path) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    if next(root.iterdir(), None) is not None:
        raise FileExistsError(f"'{root}' is not empty: choose a new folder")
    return root
