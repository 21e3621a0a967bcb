"""What a peer returned for every index, and how two such readings differ."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Column = npt.NDArray[Any]  # whatever dtype the peer returned; the dtype is compared too
Pixels = npt.NDArray[np.uint8]

PIXEL_TOLERANCE = 2
"""Largest difference of a channel, of 255, between releases whose decoders differ."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    length: int
    numbers: dict[str, Column]
    tasks: list[str]
    indices: list[int]
    """The indices of which `tasks` and `pictures` speak."""
    pictures: dict[str, list[str]]
    """One hash per picture, by camera."""
    folder: Path | None = None

    def pixels(self, camera: str) -> Pixels:
        """All kept pictures, [N, H, W, C], mapped from disk."""
        if self.folder is None:
            raise ValueError(f"no pixels of camera {camera!r} were kept")
        mapped: Pixels = np.load(self.folder / "pictures" / f"{camera}.npy", mmap_mode="r")
        return mapped


def load(folder: Path, *, release: str) -> Reading | str:
    """The reading in `folder`, or the error that the peer met instead."""
    path = folder / "reading.json"
    if not path.is_file():
        return "the peer's process ended before it came to this dataset"
    report = json.loads(path.read_text(encoding="utf-8"))
    if report["lerobot"] != release:
        return f"asked for lerobot {release}, but the interpreter has {report['lerobot']}"
    if "error" in report:
        return with_cause(report)
    with np.load(folder / "numbers.npz", allow_pickle=True) as archive:
        numbers = {name: archive[name] for name in archive.files}
    fields = {name: report[name] for name in ("length", "tasks", "indices", "pictures")}
    return Reading(numbers=numbers, folder=folder, **fields)


def with_cause(report: dict[str, str]) -> str:
    """One line; `datasets` hides the reason in the exception before the last."""
    error = " ".join(report["error"].split())
    causes = [line for line in report["traceback"].splitlines() if line[:1].isalpha()]
    first = next((line for line in causes if "Error: " in line), "")
    if first and not report["error"].startswith(first[:40]):
        error += f" <- {first}"
    return error[:400]


def differences(left: Reading, right: Reading, *, tolerance: int) -> list[str]:
    """Exact but for the pictures, whose channels may differ by `tolerance` of 255."""
    found = lengths_differ(left, right)
    found += numbers_differ(left.numbers, right.numbers)
    found += tasks_differ(left, right)
    found += pictures_differ(left, right, tolerance=tolerance)
    return found


def lengths_differ(left: Reading, right: Reading) -> list[str]:
    same = left.length == right.length
    return [] if same else [f"{left.length} frames, not {right.length}"]


def numbers_differ(left: dict[str, Column], right: dict[str, Column]) -> list[str]:
    found = [
        f"column {name!r} only {'before' if name in right else 'after'}"
        for name in sorted(left.keys() ^ right.keys())
    ]
    for name in sorted(left.keys() & right.keys()):
        found += column_differs(name, left[name], right[name])
    return found


def column_differs(name: str, left: Column, right: Column) -> list[str]:
    if left.dtype != right.dtype or left.shape != right.shape:
        shapes = f"{left.dtype}{list(left.shape)}, not {right.dtype}{list(right.shape)}"
        return [f"column {name!r} is {shapes}"]
    floats = np.issubdtype(left.dtype, np.floating)
    same = (left == right) | (np.isnan(left) & np.isnan(right)) if floats else left == right
    rows = np.flatnonzero(~same.reshape(len(same), -1).all(axis=1))
    if not rows.size:
        return []
    at = int(rows[0])
    return [f"column {name!r}: {rows.size} rows differ, first {at}: {left[at]} not {right[at]}"]


def tasks_differ(left: Reading, right: Reading) -> list[str]:
    if left.indices != right.indices:
        return ["not the same indices were read"]
    pairs = zip(left.indices, left.tasks, right.tasks, strict=True)
    wrong = [(index, ours, theirs) for index, ours, theirs in pairs if ours != theirs]
    if not wrong:
        return []
    index, ours, theirs = wrong[0]
    return [f"{len(wrong)} task strings differ, first {index}: {ours!r} not {theirs!r}"]


def pictures_differ(left: Reading, right: Reading, *, tolerance: int) -> list[str]:
    found = [
        f"camera {camera!r} only {'before' if camera in right.pictures else 'after'}"
        for camera in sorted(left.pictures.keys() ^ right.pictures.keys())
    ]
    for camera in sorted(left.pictures.keys() & right.pictures.keys()):
        found += camera_differs(camera, left, right, tolerance=tolerance)
    return found


def camera_differs(camera: str, left: Reading, right: Reading, *, tolerance: int) -> list[str]:
    ours, theirs = left.pictures[camera], right.pictures[camera]
    wrong = [k for k, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b]
    if not wrong and len(ours) == len(theirs):
        return []
    if tolerance and len(ours) == len(theirs):
        pixels = left.pixels(camera), right.pixels(camera)
        return pixels_differ(camera, *pixels, tolerance=tolerance)
    first = left.indices[wrong[0]] if wrong else "the end"
    return [f"camera {camera!r}: {len(wrong)} of {len(theirs)} pictures differ, first {first}"]


def pixels_differ(camera: str, left: Pixels, right: Pixels, *, tolerance: int) -> list[str]:
    if left.shape != right.shape:
        return [f"camera {camera!r}: {left.shape}, not {right.shape}"]
    worst = max(int(np.abs(a.astype(np.int16) - b).max()) for a, b in zip(left, right, strict=True))
    if worst > tolerance:
        return [f"camera {camera!r}: a pixel differs by {worst}, allowed {tolerance}"]
    if painted(left) != painted(right):
        return [f"camera {camera!r}: the numbers painted in the pictures differ"]
    return []


def painted(pictures: Pixels) -> list[tuple[int, int, int]]:
    """(frame, episode, camera) that the test content carries as black and white 16-pixel blocks."""
    return [
        (bits(picture, row=0, first=0, count=10), bits(picture, row=1, first=0, count=8),
         bits(picture, row=1, first=8, count=2))
        for picture in pictures
    ]  # fmt: skip


def bits(picture: Pixels, *, row: int, first: int, count: int) -> int:
    """`count` blocks as a binary number, highest first, by the mean of their inner 8 x 8 pixels."""
    number = 0
    for column in range(first, first + count):
        top, left = row * 16 + 4, column * 16 + 4
        number = number * 2 + int(picture[top : top + 8, left : left + 8].mean() > 128)
    return number


def frame_numbers_differ(reading: Reading) -> list[str]:
    """In the genuine content every picture carries its row's `frame_index`."""
    expected = reading.numbers["frame_index"].reshape(-1).tolist()
    found = []
    for camera in reading.pictures:
        shown = [frame for frame, _, _ in painted(reading.pixels(camera))]
        if shown != [expected[index] for index in reading.indices]:
            found.append(f"camera {camera!r}: painted frame numbers are not the rows' frame_index")
    return found
