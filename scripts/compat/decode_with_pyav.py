"""Hashes the pictures of untouched files with the PyAV of the interpreter that runs this file.

`python decode_with_pyav.py JOBS.json`, where JOBS is a list of objects with the keys of `Job`. Run
by a peer's interpreter, so that its lerobot and this script share one decoder and equal pictures
have equal hashes. Knows nothing of roboreel or lerobot: frame k is the k-th picture that comes out.
"""

import hashlib
import importlib
import io
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    files: list[str]
    """Of one camera, in the order of their episodes: videos, or Parquet tables that hold images."""
    rows: list[int]
    """Pictures to take of each file; what a file has beyond that belongs to no row."""
    column: str
    """The image column, for tables."""
    every: int
    out: str


def hashes(job: Job) -> dict[str, str]:
    """By global index as text: of every n-th picture, and of the last."""
    total, index, found = sum(job.rows), 0, {}
    for path, rows in zip(job.files, job.rows, strict=True):
        pictures = images(path, job.column) if path.endswith(".parquet") else frames(path)
        for _, picture in zip(range(rows), pictures, strict=False):
            if index % job.every == 0 or index == total - 1:
                pixels = picture()
                digest = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes())
                found[str(index)] = digest.hexdigest()
            index += 1
    return found


def frames(path: str) -> Iterator[Any]:  # Any: a function without arguments that returns Pixels
    with av.open(path) as container:
        for frame in container.decode(video=0):
            # Converting is dear, so only the frames that are looked at pay for it.
            yield lambda frame=frame: np.ascontiguousarray(frame.to_ndarray(format="rgb24"))


def images(
    path: str, column: str
) -> Iterator[Any]:  # Any: a function without arguments that returns Pixels
    pillow = importlib.import_module("PIL.Image")  # every lerobot has it, roboreel does not
    for cell in pq.read_table(path, columns=[column])[column].to_pylist():
        image = pillow.open(io.BytesIO(cell["bytes"]))
        yield lambda image=image: np.asarray(image.convert("RGB"))


def main() -> None:
    for document in json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")):
        job = Job(**document)
        Path(job.out).parent.mkdir(parents=True, exist_ok=True)
        Path(job.out).write_text(json.dumps(hashes(job)), encoding="utf-8")


if __name__ == "__main__":
    main()
