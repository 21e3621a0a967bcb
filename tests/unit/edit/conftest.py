"""A dataset that is opened once for tests which write nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

import roboreel
from roboreel.testing import Camera, make_dataset

LENGTHS = (12, 9, 1, 15)
TOP = "observation.images.top"
TASKS = ("pick up the red cube", "fold the towel", "öffne die Schublade", "把杯子放到盘子上")
"""Of the episodes, in order."""


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset(
        tmp_path_factory.mktemp("edit") / "source",
        version="v3.0",
        episodes=LENGTHS,
        cameras={TOP: Camera(height=32)},
        features="rich",
        data_episodes_per_file=3,
    )


@pytest.fixture(scope="session")
def dataset(source: Path) -> roboreel.Dataset:
    return roboreel.open(source)
