"""A small training run as trainers pinned to lerobot 0.3.3 write it; an argument chooses the import.

`python train_v2.py MODULE ROOT [REVISION]`. Uses what such trainers use: windows, normalisation by
`meta.stats`, sampling by `episode_data_index`, prompts by `meta.tasks`, lengths by `meta.episodes`,
`meta.episodes_stats`. Prints the losses, a digest of all batches and those facts as JSON.
"""

import hashlib
import importlib
import json
import sys
from typing import Any

BATCH, STEPS, WORKERS = 4, 3, 2


def dataset(module: str, root: str, revision: str | None) -> Any:  # Any: the class of that module
    lerobot = importlib.import_module(module)
    meta = lerobot.LeRobotDatasetMetadata("local/x", root=root, revision=revision)
    near = {"action": [k / meta.fps for k in range(4)]}
    near |= {camera: [-1 / meta.fps, 0.0] for camera in meta.camera_keys}
    return lerobot.LeRobotDataset(
        "local/x", root=root, revision=revision, delta_timestamps=near, video_backend="pyav"
    )


def facts(data: Any) -> dict[str, Any]:  # Any: either class, JSON
    """What such trainers look up, in the form that 0.3.3 gives it."""
    meta = data.meta
    return {
        "tasks": {int(k): v for k, v in meta.tasks.items()},
        "task_to_task_index": dict(meta.task_to_task_index),
        "episodes": {
            int(k): [int(e["episode_index"]), list(e["tasks"]), int(e["length"])]
            for k, e in meta.episodes.items()
        },
        "from": data.episode_data_index["from"].tolist(),
        "to": data.episode_data_index["to"].tolist(),
        "episodes_stats": sorted(meta.episodes_stats[0]),
        "total_tasks": int(meta.total_tasks),
        "fps": float(meta.fps),
        "totals": [int(meta.total_episodes), int(meta.total_frames)],
        "first_rows": [int(data.hf_dataset[k]["index"]) for k in range(3)],
    }


def indices(data: Any) -> list[int]:  # Any: either class
    """Without the first and the last frame of each episode, as episode-aware samplers do."""
    bounds = zip(data.episode_data_index["from"], data.episode_data_index["to"], strict=True)
    return [k for start, end in bounds for k in range(int(start) + 1, int(end) - 1)]


def train(data: Any) -> tuple[list[float], str]:  # Any: either class
    torch = importlib.import_module("torch")
    torch.manual_seed(0)
    order = torch.randperm(len(indices(data)))[: BATCH * STEPS].tolist()
    loader = torch.utils.data.DataLoader(
        data, batch_size=BATCH, sampler=[indices(data)[k] for k in order], num_workers=WORKERS
    )
    state, action = data.meta.shapes["observation.state"], data.meta.shapes["action"]
    policy = torch.nn.Linear(state[0] + 3, 4 * action[0])
    optimizer = torch.optim.SGD(policy.parameters(), lr=1e-2)
    losses, digest = list[float](), hashlib.sha256()
    for batch in loader:
        loss = loss_of(policy, batch, data.meta)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(round(float(loss), 6))
        for key in sorted(k for k, value in batch.items() if hasattr(value, "numpy")):
            digest.update(key.encode() + batch[key].numpy().tobytes())
        digest.update(repr(batch["task"]).encode())
    return losses, digest.hexdigest()


def loss_of(policy: Any, batch: Any, meta: Any) -> Any:  # Any: torch's objects, either metadata
    torch = importlib.import_module("torch")
    stats = meta.stats["action"]
    mean, std = (torch.as_tensor(stats[k], dtype=torch.float32) for k in ("mean", "std"))
    target = (batch["action"] - mean) / (std + 1e-6)
    picture = batch[meta.camera_keys[0]][:, -1].mean(dim=(2, 3))
    seen = torch.cat([batch["observation.state"], picture], dim=1)
    guess = policy(seen).reshape(target.shape)
    kept = ~batch["action_is_pad"][..., None]
    return (((guess - target) ** 2) * kept).mean()


def main() -> None:
    module, root, *revision = sys.argv[1:]
    data = dataset(module, root, revision[0] if revision else None)
    losses, digest = train(data)
    print(json.dumps({"losses": losses, "digest": digest, "facts": facts(data)}, sort_keys=True))


if __name__ == "__main__":
    main()
