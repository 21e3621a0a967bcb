"""The demo and the examples."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

import roboreel
from tests.command import run_here

EXAMPLES = Path(__file__).parents[3] / "examples"


def _example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_the_demo_records(tmp_path: Path) -> None:
    done = run_here("demo", "record", tmp_path / "set")
    assert done.returncode == 0, done.stderr
    assert "3 episodes, 180 frames" in done.stdout
    episodes = roboreel.open(tmp_path / "set").episodes
    assert episodes["recording/discarded_takes"].to_pylist() == [0, 1, 0]
    assert not (tmp_path / "set/.roboreel-recording").exists()
    assert run_here("demo", "record").returncode == 2


def test_the_mock_of_an_so101(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["record", str(tmp_path / "set"), "--episodes", "1", "--seconds", "0.3", "--unpaced"]
    monkeypatch.setattr(sys, "argv", words)
    _example("record_so101_mock").main()
    dataset = roboreel.open(tmp_path / "set")
    assert (dataset.total_frames, dataset.robot_type, len(dataset.cameras)) == (9, "so101", 2)
    assert not roboreel.check(tmp_path / "set").problems


class Env:
    """What is used of a gymnasium environment."""

    def __init__(self) -> None:
        self.metadata = {"render_fps": 20}
        self.spec = SimpleNamespace(id="Mock-v0")
        self.action_space = SimpleNamespace(sample=lambda: np.array([0.5, 1.0]))
        self.steps = 0

    def reset(self, seed: int) -> tuple[Any, dict[str, Any]]:
        self.steps = 0
        return np.full(3, seed), {}

    def render(self) -> Any:
        return np.full((32, 32, 3), self.steps, np.uint8)

    def step(self, _action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.steps += 1
        return np.full(3, self.steps), 1.0, self.steps == 4, False, {}


def test_the_gym_example(tmp_path: Path) -> None:
    example = _example("record_gym")
    options = argparse.Namespace(episodes=2, frames=10)
    example.record(Env(), tmp_path / "set", options)
    episodes = roboreel.open(tmp_path / "set").episodes
    assert episodes["length"].to_pylist() == [4, 4]
    assert episodes["return"].to_pylist() == [4.0, 4.0]
    assert episodes["success"].to_pylist() == [False, False]
