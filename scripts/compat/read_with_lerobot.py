"""Reads datasets with the lerobot of the interpreter that runs this file, and notes the result.

`python read_with_lerobot.py JOBS.json`, where JOBS is a list of objects with the keys of `Job`.
Each job leaves in its `out` folder `reading.json` (length, task strings, a sha256 per picture, or
the error) and `numbers.npz` (every numeric column); with `keep_pictures` also
`pictures/<camera>.npy`, uint8 [N, H, W, C].

Knows nothing of roboreel: it is the witness.
"""

import hashlib
import importlib
import json
import logging
import sys
import time
import traceback
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[Any]  # a column keeps whatever dtype lerobot gave it
Pixels = npt.NDArray[np.uint8]


class Tensor(Protocol):
    """What is used of a torch tensor; torch is not installed where this file is type-checked."""

    def numpy(self) -> Numbers: ...


class LeRobot(Protocol):
    """What is used of `LeRobotDataset`."""

    meta: Any  # has camera_keys
    hf_dataset: Any  # indexed like the dataset, without videos

    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> dict[str, Any]: ...  # tensors and strings


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    root: str
    out: str
    revision: str | None = None
    """The dataset version to ask for; lerobot's own when None."""
    picture_every: int = 1
    """Pictures of every n-th index only; numbers always of every index."""
    keep_pictures: bool = False


@dataclass(kw_only=True, slots=True)
class Reading:
    numbers: dict[str, list[Numbers]] = field(default_factory=dict)
    tasks: list[str] = field(default_factory=list)
    indices: list[int] = field(default_factory=list)
    hashes: dict[str, list[str]] = field(default_factory=dict)
    pixels: dict[str, list[Pixels]] = field(default_factory=dict)

    def add_row(self, row: dict[str, Any], *, cameras: list[str]) -> None:  # Any: lerobot's item
        for name, value in row.items():
            if name not in cameras and hasattr(value, "numpy"):
                self.numbers.setdefault(name, []).append(value.numpy())

    def add_pictures(
        self,
        row: dict[str, Any],  # Any: lerobot's item
        *,
        index: int,
        cameras: list[str],
        keep: bool,
    ) -> None:
        self.indices.append(index)
        for camera in cameras:
            picture = as_uint8(row[camera])
            digest = hashlib.sha256(repr(picture.shape).encode() + picture.tobytes())
            self.hashes.setdefault(camera, []).append(digest.hexdigest())
            if keep:
                self.pixels.setdefault(camera, []).append(picture)


def as_uint8(picture: Tensor) -> Pixels:
    """Undoes lerobot's division by 255; returns [H, W, C]."""
    values = picture.numpy()
    if values.dtype != np.uint8:
        values = np.rint(values.astype(np.float64) * 255).astype(np.uint8)
    return np.ascontiguousarray(values.transpose(1, 2, 0))


def open_dataset(job: Job) -> LeRobot:
    module = importlib.import_module("lerobot.datasets.lerobot_dataset")
    opened: LeRobot = module.LeRobotDataset(
        repo_id="local/x", root=Path(job.root), video_backend="pyav", revision=job.revision
    )
    return opened


def read(job: Job) -> tuple[int, Reading]:
    dataset = open_dataset(job)
    cameras = list(dataset.meta.camera_keys)
    reading = Reading()
    for index in range(len(dataset)):
        with_pictures = index % job.picture_every == 0 or index == len(dataset) - 1
        # Without pictures, the row is what `dataset[index]` itself starts from.
        row = dataset[index] if with_pictures else dataset.hf_dataset[index]
        reading.add_row(row, cameras=cameras)
        if with_pictures:
            reading.tasks.append(str(row["task"]))
            reading.add_pictures(row, index=index, cameras=cameras, keep=job.keep_pictures)
    return len(dataset), reading


def stacked(rows: list[Numbers]) -> Numbers:
    """One array per column; rows of unequal shape stay apart in an object array."""
    if len({row.shape for row in rows}) == 1:
        return np.stack(rows)
    ragged = np.empty(len(rows), dtype=object)
    ragged[:] = rows
    return ragged


def write(reading: Reading, out: Path) -> None:
    columns: dict[str, Any] = {k: stacked(v) for k, v in reading.numbers.items()}  # Any: for savez
    np.savez(out / "numbers.npz", **columns)
    for camera, pixels in reading.pixels.items():
        (out / "pictures").mkdir(exist_ok=True)
        np.save(out / "pictures" / f"{camera}.npy", np.stack(pixels))


def run(job: Job) -> None:
    """Any exception of lerobot's is a result, so that one bad dataset does not hide the others."""
    out = Path(job.out)
    out.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    report: dict[str, object] = {"lerobot": version("lerobot"), "root": job.root}
    try:
        length, reading = read(job)
        write(reading, out)
        report |= {
            "length": length,
            "tasks": reading.tasks,
            "indices": reading.indices,
            "pictures": reading.hashes,
        }
    except Exception as error:
        report |= {
            "error": f"{type(error).__name__}: {error}",
            "traceback": traceback.format_exc(),
        }
    report["seconds"] = round(time.monotonic() - started, 2)
    (out / "reading.json").write_text(json.dumps(report, indent=1), encoding="utf-8")


def main() -> None:
    logging.disable(logging.WARNING)
    for document in json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")):
        run(Job(**document))


if __name__ == "__main__":
    main()
