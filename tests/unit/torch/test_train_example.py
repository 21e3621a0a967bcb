"""The example trains a policy through a `DataLoader` with workers."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from roboreel.testing import Camera, make_dataset

SCRIPT = Path(__file__).parents[3] / "examples" / "train_act.py"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("train") / "a"
    cameras = {"observation.images.top": Camera(height=32, gop=2)}
    return make_dataset(folder, version="v2.1", episodes=(10, 6), cameras=cameras)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Torch's threads wait for each other where tests share few processors."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.usefixtures("one_thread")
def test_the_loss_falls_with_forked_workers(small: Path) -> None:
    train = runpy.run_path(str(SCRIPT))["train"]
    torch.manual_seed(0)
    losses = train("me/a", small, steps=16, workers=1, start_method="fork", chunk=4)
    assert len(losses) == 16
    assert sum(losses[-4:]) < sum(losses[:4])


@pytest.mark.slow
def test_the_command_trains_with_spawned_workers(small: Path) -> None:
    arguments = [str(small), "--steps", "2", "--workers", "1", "--start-method", "spawn"]
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    assert "after 2 steps" in done.stdout
