from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from roboreel.testing import Camera, Version, make_dataset

VERSIONS: tuple[Version, ...] = ("v2.0", "v2.1", "v3.0")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A small dataset of every version with the same content; tests only read it."""
    folder = tmp_path_factory.mktemp("made")
    return {
        version: make_dataset(
            folder / version, version=version, episodes=(5, 7, 3), features="rich", fps=10
        )
        for version in VERSIONS
    }


@pytest.fixture(params=VERSIONS)
def root(request: pytest.FixtureRequest, made: dict[str, Path]) -> Path:
    """The folder of that dataset in each version."""
    return made[request.param]


TOP, WRIST = "observation.images.top", "observation.images.wrist"
NUMBERED_LENGTHS = (6, 1, 9, 4)


@pytest.fixture(scope="session")
def numbered(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Version], Path]:
    """Datasets of 10 fps with B-frames, a long GOP and several files, made when asked for."""
    folder, known = tmp_path_factory.mktemp("numbered"), dict[str, Path]()

    def make(version: Version) -> Path:
        if version not in known:
            files: Any = {"data_episodes_per_file": 2, "video_episodes_per_file": 3}
            known[version] = make_dataset(
                folder / version,
                version=version,
                episodes=NUMBERED_LENGTHS,
                fps=10,
                cameras={TOP: Camera(height=32), WRIST: Camera(height=32, gop=250, b_frames=2)},
                tasks_per_episode=2,
                **(files if version == "v3.0" else {}),
            )
        return known[version]

    return make
