"""Makes the v3.0 datasets that edits are timed on, once: what is there already is taken as it is."""

import json
import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from fabrication import Shape, fabricate, write_documents, write_lines
from fabrication import pictures as drawn

import roboreel

os.environ.setdefault("SVT_LOG", "1")  # errors only

ALOHA = Shape(
    robot_type="aloha",
    fps=30,
    bit_rate=None,
    cameras=("observation.images.top", "observation.images.wrist"),
    vectors={"observation.state": 14, "action": 14},
    tasks=("put the cube in the box",),
    clip_lengths=(200, 200),
    codec="av1",
)
STATE_ONLY = replace(ALOHA, cameras=(), clip_lengths=(20,))
PICTURES = replace(ALOHA, cameras=(), clip_lengths=(100,))
CAMERA = "observation.images.top"
SMALL = (320, 240)
"""Width and height of the pictures in tables."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sets:
    """Where the datasets lie."""

    aloha_av1: Path
    aloha_h264: Path
    state_few: Path
    state_many: Path
    sessions: tuple[Path, ...]
    """Of many recordings, about 50 MB each, as of several days."""
    images: Path


def make_sets(folder: Path, *, scale: float) -> Sets:
    """All datasets, with that share of their episodes; 1 is what is measured, less tries things out."""
    return Sets(
        aloha_av1=video_set(folder / "aloha_av1", ALOHA, _share(20, scale)),
        aloha_h264=video_set(
            folder / "aloha_h264", replace(ALOHA, codec="h264"), _share(20, scale)
        ),
        state_few=video_set(folder / "state_few", STATE_ONLY, _share(500, scale)),
        state_many=video_set(folder / "state_many", STATE_ONLY, _share(5000, scale)),
        sessions=_sessions(folder, _share(20, scale), int(50e6 * scale)),
        images=_images(folder / "images", _share(10, scale)),
    )


def _share(count: int, scale: float) -> int:
    return max(5, round(count * scale))


def video_set(root: Path, shape: Shape, episodes: int) -> Path:
    """A dataset of clips, through v2.1."""
    if not (root / "meta/info.json").is_file():
        before = root.with_name(f"{root.name}-v21")
        shutil.rmtree(before, ignore_errors=True)
        fabricate(before, shape=shape, episodes=episodes)
        roboreel.convert(before, to="v3.0", out=root)
        shutil.rmtree(before)
    return root


def _sessions(folder: Path, count: int, size_bytes: int) -> tuple[Path, ...]:
    roots = tuple(folder / f"session_{number:02d}" for number in range(count))
    if not (roots[0] / "meta/info.json").is_file():
        before = folder / "session-v21"
        shutil.rmtree(before, ignore_errors=True)
        fabricate(before, shape=replace(ALOHA, codec="h264"), size_bytes=size_bytes)
        roboreel.convert(before, to="v3.0", out=roots[0])
        shutil.rmtree(before)
    for root in roots[1:]:
        if not root.is_dir():
            shutil.copytree(roots[0], root)
    return roots


def _images(root: Path, episodes: int) -> Path:
    """A dataset with a PNG of 320x240 in each row."""
    if (root / "meta/info.json").is_file():
        return root
    before = root.with_name(f"{root.name}-v21")
    shutil.rmtree(before, ignore_errors=True)
    fabricated = fabricate(before, shape=PICTURES, episodes=episodes)
    cells = _cells(PICTURES.clip_lengths[0])
    for path in sorted((before / "data").rglob("*.parquet")):
        pq.write_table(pq.read_table(path).append_column(CAMERA, cells), path)
    shutil.rmtree(before / "meta")
    write_documents(before, PICTURES, fabricated.lengths)
    _declare_pictures(before)
    roboreel.convert(before, to="v3.0", out=root)
    shutil.rmtree(before)
    return root


def _cells(count: int) -> pa.Array:
    found = [{"bytes": _png(p[: SMALL[1], : SMALL[0]]), "path": None} for p in drawn(count, seed=0)]
    return pa.array(found, pa.struct({"bytes": pa.binary(), "path": pa.string()}))


def _png(picture: np.ndarray[Any, np.dtype[np.uint8]]) -> bytes:
    coder = av.VideoCodecContext.create("png", "w")
    coder.height, coder.width = picture.shape[:2]
    coder.pix_fmt = "rgb24"
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
    packets = [*coder.encode(frame), *coder.encode(None)]
    return b"".join(bytes(packet) for packet in packets)


def _declare_pictures(root: Path) -> None:
    path = root / "meta/info.json"
    info = json.loads(path.read_text(encoding="utf-8"))
    names = ["height", "width", "channels"]
    info["features"][CAMERA] = {"dtype": "image", "shape": [*SMALL[::-1], 3], "names": names}
    path.write_text(json.dumps(info, indent=4), encoding="utf-8")
    lines = [
        json.loads(line) for line in (root / "meta/episodes_stats.jsonl").open(encoding="utf-8")
    ]
    unit = {"min": 0.0, "max": 1.0, "mean": 0.5, "std": 0.2}
    for line in lines:
        line["stats"][CAMERA] = {k: [[[v]]] * 3 for k, v in unit.items()} | {"count": [100]}
    write_lines(root / "meta/episodes_stats.jsonl", lines)
