"""Compare how `roboreel.torch.Loader` makes batches: in threads of the training process, or in another one.

    python bench/loader_modes.py WORKDIR [--rounds 5] [--batches 12] [--kinds uint8] [--steps python]

Two cameras of 640×480 (h264, GOP of 2), batches of 32 items in random order. The training step is one of

- `idle`: takes the batch and drops it,
- `python`: computes in Python, so holds the interpreter's lock,
- `torch`: multiplies matrices in one thread, so releases it,

for a fixed amount of work. The modes take turns, so that another load of the machine hits all of them; each
figure is the median over the rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import torch

import roboreel
from roboreel.testing import Camera, make_dataset
from roboreel.torch.batches.loader import Loader

BATCH = 32
CAMERA = Camera(width=640, height=480, gop=2)
MODES = ("threads", "process")
KINDS = ("float32", "uint8")


def python_step() -> None:
    """About 100 ms of Python on the machine of the design note."""
    total = 0
    for number in range(1_500_000):
        total += number


def torch_step() -> None:
    """Likewise of matrix multiplication."""
    square = torch.ones(1024, 1024)
    for _ in range(2):
        square = square @ square * 1e-3


STEPS: dict[str, Callable[[], None]] = {
    "idle": lambda: None,
    "python": python_step,
    "torch": torch_step,
}


def made(folder: Path) -> Path:
    """The dataset, made on the first call."""
    path = folder / "modes"
    if not path.exists():
        cameras = {"observation.images.a": CAMERA, "observation.images.b": CAMERA}
        partial = make_dataset(
            folder / f"partial-{os.getpid()}", version="v3.0", episodes=(150, 150), cameras=cameras
        )
        partial.rename(path)
    return path


def endless(loader: Loader) -> Iterator[dict[str, Any]]:
    while True:
        yield from loader


def measured(
    batches: Iterator[dict[str, Any]], step: Callable[[], None], count: int
) -> tuple[float, float]:
    """(samples per second, milliseconds of a step) of some batches, each followed by a training step."""
    begin, stepping = time.perf_counter(), 0.0
    for _ in range(count):
        next(batches)
        stepped = time.perf_counter()
        step()
        stepping += time.perf_counter() - stepped
    return count * BATCH / (time.perf_counter() - begin), stepping / count * 1e3


def alone(step: Callable[[], None]) -> float:
    """Milliseconds of a step while nothing is loaded."""
    begin = time.perf_counter()
    for _ in range(3):
        step()
    return (time.perf_counter() - begin) / 3 * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workdir", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batches", type=int, default=12)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=[*STEPS])
    parser.add_argument("--cached", action="store_true", help="224×224, from the frame cache")
    parser.add_argument("--raw", action="store_true")
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    cached = {"size": (224, 224), "frame_cache": chosen.workdir / "frames"} if chosen.cached else {}
    reader = roboreel.reader(roboreel.open(made(chosen.workdir)), **cached)
    if chosen.cached:
        for start in range(0, len(reader), BATCH):
            reader[start : start + BATCH]
    loaders = {
        (mode, kind): endless(
            Loader(
                reader,
                BATCH,
                shuffle=True,
                threads=chosen.threads,
                uint8=kind == "uint8",
                mode=mode,  # type: ignore[arg-type]
            )
        )
        for mode, kind in product(MODES, chosen.kinds)
    }
    found: dict[str, list[float]] = {}
    for batches in loaders.values():
        next(batches)
    for _ in range(chosen.rounds):
        for name in chosen.steps:
            step = STEPS[name]
            found.setdefault(f"{name}: step alone, ms", []).append(alone(step))
            for (mode, kind), batches in loaders.items():
                measured(batches, step, 4)  # what an earlier step left in the queue
                rate, cost = measured(batches, step, chosen.batches)
                found.setdefault(f"{name} {kind} {mode}, samples/s", []).append(rate)
                found.setdefault(f"{name} {kind} {mode}, ms of a step", []).append(cost)
    if chosen.raw:
        print(json.dumps(found))
        return
    told = {name: round(statistics.median(rates), 1) for name, rates in found.items()}
    print(json.dumps({"cores": len(os.sched_getaffinity(0)), **told}, indent=2))


if __name__ == "__main__":
    main()
