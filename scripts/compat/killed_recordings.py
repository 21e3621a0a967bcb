"""Recordings of lerobot that ended by SIGKILL, at chosen moments: what `roboreel repair` has to deal with.

    PYTHON scripts/compat/killed_recordings.py --out FOLDER [--only NAME] [--mode MODE]

`PYTHON` is an interpreter with lerobot 0.6.1. Each recording is made in a process of its own, which stops at
its moment and is killed there. Below FOLDER each has a folder
`MODE-MOMENT` with `dataset/`, what the kill left, and `recorded.json`: which episodes were saved, how long
they were, how many frames of the next one were given. `recorded_frames.py` makes the frames again.

Knows nothing of roboreel.
"""

import argparse
import importlib
import json
import logging
import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from recorded_frames import FPS, features, frame_of, length_of

READY = "ready to be killed"
LEROBOT = "lerobot.datasets.lerobot_dataset"
MODES: dict[str, dict[str, Any]] = {  # Any: arguments of `create`
    "png": {},
    "writer-threads": {"image_writer_threads": 4},
    "writer-processes": {"image_writer_processes": 2, "image_writer_threads": 2},
    "streaming": {"streaming_encoding": True},
    "batch": {"batch_encoding_size": 99},
    "images": {},
    "small-files": {"data_files_size_in_mb": 0.01, "video_files_size_in_mb": 0.01},
}
"""Ways of recording, by what they pass to `create`. `images` stores cameras in the table; `batch` encodes
none before the kill."""
LONG, PAUSE_S = 90, 0.03
EPISODES = 3
"""Saved before the one at which most moments are."""

Dataset = Any  # lerobot's class, which is not installed where this file is type-checked


def wait_for_the_kill() -> NoReturn:
    """Tell the parent process, and do nothing more."""
    print(READY, flush=True)
    while True:
        time.sleep(1)


def save(data: Dataset, episode: int, frames: int | None = None) -> None:
    give(data, episode, length_of(episode) if frames is None else frames)
    data.save_episode()


def give(data: Dataset, episode: int, frames: int) -> None:
    for number in range(frames):
        data.add_frame(frame_of(episode, number))


def stop_at(owner: Any, name: str, *, call: int, before: bool) -> None:  # Any: any object
    """Make the `call`-th call of a method wait for the kill before or after it did its work."""
    method, calls = getattr(owner, name), [0]

    def stopped(*arguments: Any, **named: Any) -> Any:  # Any: as the method
        calls[0] += 1
        if calls[0] == call and before:
            wait_for_the_kill()
        found = method(*arguments, **named)
        if calls[0] == call:
            wait_for_the_kill()
        return found

    setattr(owner, name, stopped)


def in_save(*path: str, call: int = 1, before: bool = False) -> Callable[[Dataset], None]:
    """A moment within the fourth `save_episode`, at a call of a method of `data` or of what it has."""

    def happen(data: Dataset) -> None:
        owner = data
        for name in path[:-1]:
            owner = getattr(owner, name)
        stop_at(owner, path[-1], call=call, before=before)
        save(data, EPISODES)

    return happen


def in_an_episode(data: Dataset) -> None:
    give(data, EPISODES, 9)
    wait_for_the_kill()


def in_a_long_episode(data: Dataset) -> None:
    """Long enough for a video that is encoded as it is recorded to have packets on the disk."""
    for number in range(LONG):
        data.add_frame(frame_of(EPISODES, number))
        time.sleep(PAUSE_S)
    time.sleep(1)
    wait_for_the_kill()


def in_the_first_frame(data: Dataset) -> None:
    give(data, EPISODES, 1)
    wait_for_the_kill()


def between_episodes(data: Dataset) -> None:
    wait_for_the_kill()


def after_many(data: Dataset) -> None:
    """After more episodes than lerobot keeps in memory: ten are in an unfinished table."""
    for episode in range(EPISODES, 13):
        save(data, episode)
    wait_for_the_kill()


def in_finalize(data: Dataset) -> None:
    """The table of rows is closed, the one of episodes is not."""
    stop_at(data.meta, "finalize", call=1, before=True)
    data.finalize()


def in_a_second_session(data: Dataset) -> None:
    data.finalize()
    again = type(data).resume("local/x", root=data.root)
    save(again, EPISODES)
    give(again, EPISODES + 1, 5)
    wait_for_the_kill()


MOMENTS: dict[str, Callable[[Dataset], None]] = {
    "frame-1": in_the_first_frame,
    "frame-9": in_an_episode,
    "frame-90": in_a_long_episode,
    "task": in_save("meta", "save_episode_tasks"),
    "data": in_save("writer", "_save_episode_data"),
    "video-before": in_save("writer", "_save_episode_video", before=True),
    "video-one": in_save("writer", "_save_episode_video"),
    "meta-before": in_save("meta", "save_episode", before=True),
    "meta": in_save("meta", "save_episode"),
    "saved": between_episodes,
    "many": after_many,
    "finalize": in_finalize,
    "resumed": in_a_second_session,
}
MOMENTS_OF: dict[str, tuple[str, ...]] = {
    "writer-threads": ("frame-9", "saved"),
    "writer-processes": ("frame-9", "saved"),
    "batch": ("frame-9", "data", "meta", "saved"),
    "images": ("frame-9", "data", "meta", "saved", "many", "finalize", "resumed"),
    "small-files": ("data", "saved", "many", "resumed"),
}
"""The moments of a mode, where they are not all: those that the mode changes something of."""


def record(root: Path, mode: str, moment: str) -> None:
    """Record three episodes, and come to the moment; never returns."""
    module = importlib.import_module(LEROBOT)
    kind = "image" if mode == "images" else "video"
    data = module.LeRobotDataset.create(
        "local/x", fps=FPS, features=features(kind), root=root, robot_type="arm", **MODES[mode]
    )
    for episode in range(EPISODES):
        save(data, episode)
    MOMENTS[moment](data)
    raise RuntimeError(f"{mode}-{moment} was not reached")


def killed(out: Path, mode: str, moment: str) -> str:
    """Make one recording and kill it; returns what went wrong, or nothing."""
    folder = out / f"{mode}-{moment}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    log = folder / "log.txt"
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        in_child(folder / "dataset", mode, moment, log, writing)
    os.close(writing)
    with os.fdopen(reading) as told:
        reached = READY in told.readline()
    os.killpg(process, signal.SIGKILL)
    os.waitpid(process, 0)
    if not reached:
        return log.read_text()[-400:] or "ended before its moment"
    told_json = json.dumps(recorded(moment), indent=1)
    (folder / "recorded.json").write_text(told_json, encoding="utf-8")
    return ""


def in_child(root: Path, mode: str, moment: str, log: Path, told: int) -> NoReturn:
    """Record in a process group of its own, which the parent kills whole."""
    os.setsid()
    os.dup2(told, sys.stdout.fileno())
    with log.open("w") as errors:
        os.dup2(errors.fileno(), sys.stderr.fileno())
    try:
        record(root, mode, moment)
    except BaseException:
        traceback.print_exc()
    os._exit(1)


def recorded(moment: str) -> dict[str, Any]:  # Any: JSON
    """What was recorded when the kill came."""
    saved = {"many": 13, "resumed": EPISODES + 1, "meta": EPISODES}.get(moment, EPISODES)
    given = {"frame-1": 1, "frame-9": 9, "frame-90": LONG, "resumed": 5}.get(moment, 0)
    if moment in ("task", "data", "video-before", "video-one", "meta-before", "meta"):
        given = length_of(EPISODES)
    return {
        "saved_episodes": saved,
        "lengths": [length_of(episode) for episode in range(saved)],
        "frames_of_the_next": given,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--only", choices=MOMENTS, help="only this moment")
    parser.add_argument("--mode", choices=MODES, help="only this way of recording")
    wanted = parser.parse_args()
    logging.disable(logging.WARNING)
    importlib.import_module(LEROBOT)
    failed = 0
    for mode in [wanted.mode] if wanted.mode else MODES:
        for moment in [wanted.only] if wanted.only else MOMENTS_OF.get(mode, MOMENTS):
            error = killed(wanted.out, mode, moment)
            failed += bool(error)
            print(f"{mode}-{moment}: {error or 'killed'}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
