"""Records with our `LeRobotDataset`, and leaves what others are to read. Run in roboreel's own interpreter.

    python record_with_roboreel.py grow FOLDER KIND       copies after every episode and after finalize
    python record_with_roboreel.py operations FOLDER      a copy at every operation on the disk of one save
    python record_with_roboreel.py until-killed FOLDER    episode after episode, until somebody kills it
    python record_with_roboreel.py go-on FOLDER …         one more episode into each FOLDER/set

A copy of the folder at an operation is what a SIGKILL there leaves. Frames are those of `recorded_frames.py`
(KIND `video` or `image`; `v2` in v2.1), or random values of all kinds of features (KIND `rich`).
"""

import shutil
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import recorded_frames as made
import write_with_lerobot as rich

from roboreel.storage.disk import faults
from roboreel.torch import LeRobotDataset, v2

EPISODES, BEFORE = 4, 2
SAVED = "saved"


def begin(folder: Path, kind: str) -> LeRobotDataset:
    """A new dataset in `folder/set`."""
    features = (
        rich.features()
        if kind == "rich"
        else made.features("image" if kind == "image" else "video")
    )
    return (v2.LeRobotDataset if kind == "v2" else LeRobotDataset).create(
        "me/set", made.FPS, features, root=folder / "set", robot_type="arm"
    )


def record(data: LeRobotDataset, episode: int, kind: str) -> None:
    """Give the frames of an episode."""
    random = np.random.default_rng(episode)
    for number in range(made.length_of(episode)):
        task = made.task_of(episode)
        rich_frame = rich.frame(random, number, task) if kind == "rich" else None
        data.add_frame(rich_frame or made.frame_of(episode, number))


def grow(folder: Path, kind: str) -> None:
    data = begin(folder, kind)
    for episode in range(EPISODES):
        record(data, episode, kind)
        data.save_episode()
        copy(folder / "set", folder / f"after-{episode + 1}")
    data.finalize()


def operations(folder: Path) -> None:
    """Two episodes are saved before; the folder is copied at every operation of the third save."""
    data = begin(folder, "video")
    for episode in range(BEFORE):
        record(data, episode, "video")
        data.save_episode()
    record(data, BEFORE, "video")
    seen, written = 0, set[str]()

    def note(when: str, name: str, path: str) -> None:
        nonlocal seen
        if name == "sync" or (name == "write" and (when == "before" or path in written)):
            return  # no change, or the same file a little longer
        if name == "write":
            written.add(path)
        copy(folder / "set", folder / f"{seen:03d}-{when}-{name}-{Path(path).name}")
        seen += 1

    with faults(note):
        data.save_episode()
    copy(folder / "set", folder / f"{seen:03d}-done")
    data.finalize()


def until_killed(folder: Path) -> None:
    data = begin(folder, "video")
    episode = 0
    while True:
        record(data, episode, "video")
        data.save_episode()
        episode += 1
        print(SAVED, episode, f"{time.monotonic():.3f}", flush=True)


def go_on(folders: list[Path]) -> None:
    for folder in folders:
        data = LeRobotDataset.resume("me/set", root=folder / "set")
        record(data, data.num_episodes, "video")
        data.save_episode()
        data.finalize()


def copy(source: Path, target: Path) -> None:
    """A copy of a folder of which files may vanish meanwhile: those of the cameras' processes."""

    def kept(src: str, dst: str) -> Any:  # Any: as copytree has it
        try:
            return shutil.copyfile(src, dst)
        except FileNotFoundError:
            return dst

    shutil.copytree(source, target, copy_function=kept)


def main() -> None:
    what, folder, *more = sys.argv[1:]
    if what == "grow":
        grow(Path(folder), more[0])
    elif what == "operations":
        operations(Path(folder))
    elif what == "go-on":
        go_on([Path(one) for one in (folder, *more)])
    else:
        until_killed(Path(folder))


if __name__ == "__main__":
    main()
