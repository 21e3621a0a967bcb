"""Reads items with the `LeRobotDataset` of any module, lerobot's or ours, and notes all that they hold.

`python read_items.py JOBS.json`, where JOBS is a list of objects with the keys of `Job`. Each job leaves in
its `out` folder `items.json` (keys of each item, dtypes, shapes, a sha256, strings, what `meta` says; or an
error), `numbers.npz` (every numeric value), `pictures.npz` (as uint8) and `stats.npz`.

Names nothing of either: what it reads with is in the job.
"""

import hashlib
import importlib
import json
import logging
import sys
import traceback
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[Any]  # whatever dtype the dataset gives; the dtype is noted too


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    root: str
    out: str
    module: str
    """Where `LeRobotDataset` is."""
    arguments: dict[str, Any] = field(default_factory=dict)  # Any: of the class
    every: int = 1
    """Every n-th item only, beside the first and the last three of each episode."""


@dataclass(kw_only=True, slots=True)
class Notes:
    items: list[dict[str, object]] = field(default_factory=list)
    """By key: [dtype, shape, sha256], or the string."""
    numbers: dict[str, Values] = field(default_factory=dict)
    pictures: dict[str, Values] = field(default_factory=dict)


def indices(lengths: list[int], every: int) -> list[int]:
    """Of each episode its first and last three items, and every n-th between them."""
    found, start = list[int](), 0
    for length in lengths:
        ends = {*range(min(3, length)), *range(max(0, length - 3), length)}
        found += sorted(start + k for k in ends | set(range(0, length, every)))
        start += length
    return found


def note(notes: Notes, index: int, item: dict[str, Any], cameras: list[str]) -> None:
    """Any: lerobot's item, of tensors and strings."""
    noted: dict[str, object] = {}
    for key in sorted(item):
        value = item[key]
        if not hasattr(value, "numpy"):
            noted[key] = value if isinstance(value, str) else repr(value)
            continue
        array = np.ascontiguousarray(value.numpy())
        digest = hashlib.sha256(array.tobytes()).hexdigest()
        noted[key] = [str(value.dtype), list(value.shape), digest]
        if key in cameras:
            notes.pictures[f"{index}/{key}"] = as_uint8(array)
        else:
            notes.numbers[f"{index}/{key}"] = array
    notes.items.append(noted)


def as_uint8(values: Values) -> Values:
    """Undoes the division by 255. Depth stays what it is."""
    if values.dtype == np.uint8 or values.shape[-3] != 3:
        return values
    return np.rint(values.astype(np.float64) * 255).astype(np.uint8)


def episode_lengths(data: Any) -> list[int]:  # Any: either class
    """Of the episodes that are read, as their rows say."""
    column = np.array([int(value) for value in data.hf_dataset["episode_index"]])
    return [int(count) for count in np.unique(column, return_counts=True)[1]]


def described(data: Any) -> dict[str, object]:  # Any: either class
    meta = data.meta
    return {
        "len": len(data),
        "fps": float(data.fps),
        "num_frames": int(data.num_frames),
        "num_episodes": int(data.num_episodes),
        "features": sorted(data.features),
        "total_episodes": int(meta.total_episodes),
        "total_frames": int(meta.total_frames),
        "camera_keys": list(meta.camera_keys),
        "video_keys": list(meta.video_keys),
        "image_keys": list(meta.image_keys),
        "shapes": {name: list(shape) for name, shape in sorted(meta.shapes.items())},
        "robot_type": meta.robot_type,
    }


def stats(data: Any) -> dict[str, Values]:  # Any: either class
    found = data.meta.stats or {}
    return {
        f"{feature}/{name}": np.asarray(value)
        for feature, values in sorted(found.items())
        for name, value in sorted(values.items())
    }


def read(job: Job) -> tuple[dict[str, object], Notes, dict[str, Values]]:
    module = importlib.import_module(job.module)
    data = module.LeRobotDataset("local/x", root=Path(job.root), **job.arguments)
    told, notes = described(data), Notes()
    cameras = list(data.meta.camera_keys)
    wanted = indices(episode_lengths(data), job.every)
    for index in wanted:
        note(notes, index, data[index], cameras)
    return told | {"indices": wanted}, notes, stats(data)


def run(job: Job) -> None:
    """Any exception is a result, so that one bad dataset does not hide the others."""
    out = Path(job.out)
    out.mkdir(parents=True, exist_ok=True)
    try:
        told, notes, found = read(job)
        np.savez(out / "numbers.npz", **notes.numbers)  # type: ignore[arg-type,unused-ignore]
        np.savez(out / "pictures.npz", **notes.pictures)  # type: ignore[arg-type,unused-ignore]
        np.savez(out / "stats.npz", **found)  # type: ignore[arg-type,unused-ignore]
        report: dict[str, object] = {"told": told, "items": notes.items}
    except Exception as error:
        told_error = f"{type(error).__name__}: {error}"
        report = {"error": told_error, "traceback": traceback.format_exc()}
    (out / "items.json").write_text(json.dumps(report), encoding="utf-8")


def main() -> None:
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    for document in json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")):
        run(Job(**document))


if __name__ == "__main__":
    main()
