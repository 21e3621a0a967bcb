"""The command, run in this process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from roboreel.testing import Camera, make_dataset
from tests.command import run_here

LENGTHS = (6, 4, 1, 8)
TOP = "observation.images.top"


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What a command left with, and what it printed."""

    code: object
    out: str
    err: str


Roboreel = Callable[..., Done]


@pytest.fixture
def roboreel() -> Roboreel:
    """Runs the command with some arguments, as a shell would."""

    def run(*arguments: object) -> Done:
        done = run_here(*arguments)
        return Done(code=done.returncode, out=done.stdout, err=done.stderr)

    return run


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A v3.0 dataset that no test changes."""
    folder = tmp_path_factory.mktemp("commands") / "source"
    camera = {TOP: Camera(height=32, gop=2)}
    return make_dataset(folder, version="v3.0", episodes=LENGTHS, cameras=camera)
