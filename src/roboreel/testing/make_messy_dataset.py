"""`make_messy_dataset`: a dataset with the faults that recordings have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from roboreel.testing.cameras import Camera
from roboreel.testing.content import Content, Episode
from roboreel.testing.layout_v2 import DATA_PATH, write_v2
from roboreel.testing.made_documents import write_json, write_json_lines
from roboreel.testing.made_features import declare
from roboreel.testing.made_stats import PixelCounts

if TYPE_CHECKING:
    from roboreel.testing.made_features import Columns

_FPS, _FRAMES = 30, (90, 75, 6, 80, 85, 60)
_TASKS = ("pick up the red cube", "pick up the red cubee")
_MISSPELLED = 3
_STILL_FRAMES = 24
"""At the begin of episode 0: the operator was not ready."""
_WALL_CLOCK, _WRONG_STATS, _KILLED = 1, 4, 5
"""Episodes: with irregular timestamps; with another one's statistics; the one that was being saved."""


def make_messy_dataset(path: str | Path) -> Path:
    """Write a v2.1 dataset of six episodes and two cameras, with faults, and return its path.

    The same bytes each time with the same library releases. What is wrong with it:

    - Episode 0 begins with 24 frames in which nothing moves.
    - Episode 1 has timestamps of a wall clock, up to 8 ms off.
    - Episode 2 is a false start of 6 frames.
    - Episode 3 has a misspelled task.
    - Episode 4 has the statistics of another episode's action.
    - Episode 5 was being saved when the recorder was killed: its entry in `episodes.jsonl` is cut off, it
      has no statistics, and `info.json` does not count it.

    Args:
        path: the dataset's folder; new or empty.

    Raises:
        FileExistsError: the folder is not empty.
    """
    root = Path(path)
    root.mkdir(parents=True, exist_ok=True)
    if next(root.iterdir(), None) is not None:
        raise FileExistsError(f"'{root}' is not empty: choose a new folder")
    write_v2(root, _content(), version="v2.1")
    _use_wall_clock(root / DATA_PATH.format(episode_chunk=0, episode_index=_WALL_CLOCK))
    _spoil_statistics(root / "meta/episodes_stats.jsonl")
    _cut_off(root / "meta/episodes.jsonl")
    _count_saved_episodes(root / "meta/info.json")
    return root


def _content() -> Content:
    cameras = {"observation.images.top": Camera(), "observation.images.wrist": Camera()}
    starts = np.cumsum((0, *_FRAMES)).tolist()
    return Content(
        fps=_FPS,
        robot_type="so101_follower",
        chunks_size=1000,
        tasks=_TASKS,
        features=declare("basic", cameras),
        cameras=cameras,
        episodes=tuple(
            Episode(
                index=index,
                start=starts[index],
                frames=frames,
                tasks=(_TASKS[index == _MISSPELLED],),
                columns=_columns(index, starts[index], frames),
                pixels={name: PixelCounts() for name in cameras},
            )
            for index, frames in enumerate(_FRAMES)
        ),
    )


def _columns(episode: int, start: int, frames: int) -> Columns:
    frame = np.arange(frames)
    action = _movement(episode, frame)
    return {
        "observation.state": (action * 0.98).astype(np.float32),
        "action": action,
        "next.reward": (frame == frames - 1).astype(np.float32),
        "next.done": frame == frames - 1,
        "timestamp": frame / _FPS,
        "frame_index": frame,
        "episode_index": np.full(frames, episode),
        "index": start + frame,
        "task_index": np.full(frames, int(episode == _MISSPELLED)),
    }


def _movement(episode: int, frame: NDArray[np.int64]) -> NDArray[np.float32]:
    """Six joints in degrees, each a slow sine wave: (frames, 6)."""
    still = _STILL_FRAMES if episode == 0 else 0
    moved = np.maximum(frame - still, 0)[:, None] / _FPS
    joint = np.arange(6)
    wave = np.sin(moved * (0.8 + 0.1 * joint) + joint + 0.3 * episode)
    degrees: NDArray[np.float32] = (wave * (20 + 5 * joint)).astype(np.float32)
    return degrees


def _use_wall_clock(path: Path) -> None:
    table = pq.read_table(path)
    random = np.random.default_rng(_WALL_CLOCK)
    late = random.uniform(0, 0.008, table.num_rows)
    times = pa.array((np.arange(table.num_rows) / _FPS + late).astype(np.float32))
    at = table.schema.get_field_index("timestamp")
    pq.write_table(table.set_column(at, table.schema.field(at), times), path)


def _spoil_statistics(path: Path) -> None:
    lines: list[dict[str, Any]] = [json.loads(line) for line in path.read_bytes().splitlines()]
    wrong = lines[_WRONG_STATS]["stats"]["action"]
    wrong |= {key: lines[0]["stats"]["action"][key] for key in ("min", "max", "mean", "std")}
    write_json_lines(path, lines[:_KILLED])


def _cut_off(path: Path) -> None:
    *whole, last = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(whole) + last[: len(last) // 2])


def _count_saved_episodes(path: Path) -> None:
    info = json.loads(path.read_bytes())
    saved = _FRAMES[:_KILLED]
    info |= {"total_episodes": len(saved), "total_frames": sum(saved)}
    info |= {"total_videos": 2 * len(saved), "splits": {"train": f"0:{len(saved)}"}}
    write_json(path, info)
