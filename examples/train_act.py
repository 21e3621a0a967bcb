"""Train a small policy that predicts chunks of actions from cameras and state, without lerobot.

    python examples/train_act.py PATH_OR_USER/NAME --steps 100 --workers 2

Only the import differs from a script for lerobot (`lerobot.datasets.lerobot_dataset`).
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader

from roboreel.torch import LeRobotDataset, LeRobotDatasetMetadata

ACTION, STATE = "action", "observation.state"


class ChunkPolicy(nn.Module):
    """A convolutional encoder for each camera, and a head that predicts a chunk of normalized actions."""

    def __init__(self, cameras: list[str], stats: Mapping[str, Any], chunk: int) -> None:
        super().__init__()
        self.cameras, self.chunk = cameras, chunk
        for name in (ACTION, STATE):
            key = name.replace(".", "_")
            mean, std = (torch.as_tensor(stats[name][part]).float() for part in ("mean", "std"))
            self.register_buffer(f"{key}_mean", mean)
            self.register_buffer(f"{key}_std", std.clamp_min(1e-6))
        self.encoders = nn.ModuleList(_encoder() for _ in cameras)
        state, self.actions = stats[STATE]["mean"].size, stats[ACTION]["mean"].size
        self.head = nn.Sequential(
            nn.Linear(64 * len(cameras) + state, 128),
            nn.ReLU(),
            nn.Linear(128, chunk * self.actions),
        )

    def forward(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """(B, chunk, actions) normalized actions."""
        state = (batch[STATE] - self.observation_state_mean) / self.observation_state_std
        seen = [
            encoder(batch[name]) for name, encoder in zip(self.cameras, self.encoders, strict=True)
        ]
        return self.head(torch.cat([state, *seen], dim=1)).view(-1, self.chunk, self.actions)

    def loss(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Mean absolute error of the actions inside the episode."""
        wanted = (batch[ACTION] - self.action_mean) / self.action_std
        inside = ~batch[f"{ACTION}_is_pad"]
        return (self(batch) - wanted).abs().mean(dim=2)[inside].mean()


def _encoder() -> nn.Module:
    layers: list[nn.Module] = []
    for inputs, outputs in ((3, 16), (16, 32), (32, 64)):
        layers += [nn.Conv2d(inputs, outputs, 5, stride=2, padding=2), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())


def train(
    repo_id: str,
    root: Path | None = None,
    *,
    steps: int = 100,
    batch_size: int = 8,
    chunk: int = 10,
    workers: int = 2,
    start_method: str | None = None,
) -> list[float]:
    """Train for some steps; returns the loss of each."""
    meta = LeRobotDatasetMetadata(repo_id, root)
    windows = {ACTION: [frame / meta.fps for frame in range(chunk)]}
    dataset = LeRobotDataset(repo_id, root, delta_timestamps=windows)
    loader = DataLoader(
        dataset,
        batch_size=batch_size,
        shuffle=True,
        num_workers=workers,
        multiprocessing_context=start_method if workers else None,
        drop_last=len(dataset) >= batch_size,
    )
    policy = ChunkPolicy(meta.camera_keys, meta.stats or {}, chunk)
    optimizer = torch.optim.AdamW(policy.parameters(), lr=1e-3)
    losses: list[float] = []
    while len(losses) < steps:
        for batch in loader:
            loss = policy.loss(batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
            if len(losses) == steps:
                break
    return losses


def main() -> None:
    """Train on the dataset of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", help="a folder, or user/name")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--chunk", type=int, default=10, help="actions to predict")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--start-method", choices=["fork", "spawn", "forkserver"])
    given = parser.parse_args()
    folder = Path(given.dataset)
    losses = train(
        given.dataset,
        folder if folder.is_dir() else None,
        steps=given.steps,
        batch_size=given.batch_size,
        chunk=given.chunk,
        workers=given.workers,
        start_method=given.start_method,
    )
    print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f} after {len(losses)} steps")


if __name__ == "__main__":
    main()
