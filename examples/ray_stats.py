"""Measure a dataset with Ray Data: how bright each camera is, and how far each action goes.

    pip install 'roboreel[ray]'
    python examples/ray_stats.py DATASET [--address HOST:PORT]

The workers read and decode the episodes; only sums come back.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import ray

from roboreel.ray import read_dataset


def sums(batch: dict[str, Any]) -> dict[str, Any]:
    """One row of sums of a batch of frames."""
    found: dict[str, Any] = {"frames": [len(batch["action"])]}
    for name, values in batch.items():
        if values.dtype == np.uint8:
            found[name] = [float(values.mean(dtype=np.float64)) * len(values)]
    low, high = batch["action"].min(axis=0), batch["action"].max(axis=0)
    return {**found, "low": low[None], "high": high[None]}


def main() -> None:
    """Measure on a cluster."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("--address", help="a cluster; by default one is started on this machine")
    given = parser.parse_args()
    ray.init(address=given.address, log_to_driver=False, logging_level="ERROR")
    frames = read_dataset(given.dataset, columns=["action"], size=(64, 64))
    parts = frames.map_batches(sums, batch_format="numpy", batch_size=256).take_all()
    total = sum(part["frames"] for part in parts)
    print(f"{total} frames")
    for name in sorted(set(parts[0]) - {"frames", "low", "high"}):
        print(f"{name}: mean brightness {sum(part[name] for part in parts) / total:.1f} of 255")
    low, high = (
        np.min([p["low"] for p in parts], axis=0),
        np.max([p["high"] for p in parts], axis=0),
    )
    for joint, (least, most) in enumerate(zip(low, high, strict=True)):
        print(f"action {joint}: {least:.3f} to {most:.3f}")


if __name__ == "__main__":
    main()
