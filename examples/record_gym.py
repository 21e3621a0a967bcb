"""Record random actions in a gymnasium environment.

pip install gymnasium[classic-control]
python examples/record_gym.py my_dataset --env CartPole-v1 --episodes 5
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

import roboreel

CAMERA = "observation.images.render"


def main() -> None:
    """Record some episodes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--env", default="CartPole-v1")
    parser.add_argument("--episodes", type=int, default=5)
    parser.add_argument("--frames", type=int, default=200)
    options = parser.parse_args()
    import gymnasium

    record(gymnasium.make(options.env, render_mode="rgb_array"), options.path, options)


def record(env: Any, path: Path, options: argparse.Namespace) -> None:
    """Record episodes of an environment whose observations and actions are vectors or numbers."""
    observation, _ = env.reset(seed=0)
    image = env.render()
    features: dict[str, Any] = {
        "action": vector(env.action_space.sample()),
        "observation.state": vector(observation),
        CAMERA: {
            "dtype": "video",
            "shape": [*image.shape],
            "names": ["height", "width", "channels"],
        },
        "next.reward": {"dtype": "float32", "shape": [1], "names": None},
        "next.done": {"dtype": "bool", "shape": [1], "names": None},
    }
    fps = env.metadata.get("render_fps", 30)
    with roboreel.Recorder.create(path, fps=fps, features=features, robot_type="gym") as recorder:
        for episode in range(options.episodes):
            observation, _ = env.reset(seed=episode)
            total = 0.0
            for _ in range(options.frames):
                image, action = env.render(), env.action_space.sample()
                state = observation
                observation, reward, terminated, truncated, _ = env.step(action)
                total += float(reward)
                frame = {
                    "action": flat(action),
                    "observation.state": flat(state),
                    CAMERA: image,
                    "next.reward": float(reward),
                    "next.done": bool(terminated or truncated),
                }
                recorder.add_frame(frame, task=env.spec.id)
                if terminated or truncated:
                    break
            recorder.save_episode(success=not terminated, fields={"return": total})


def flat(value: Any) -> np.ndarray[Any, np.dtype[np.float32]]:
    """A vector or a number as a float32 vector."""
    return np.asarray(value, dtype=np.float32).reshape(-1)


def vector(value: Any) -> dict[str, Any]:
    """The declaration of such a vector."""
    return {"dtype": "float32", "shape": [len(flat(value))], "names": None}


if __name__ == "__main__":
    main()
