"""The Hub of the tests, and an environment in which the client knows only that."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from roboreel.testing import make_dataset
from tests.hub_server import HubServer

_OURS = (
    "HF_HOME",
    "HF_HUB_CACHE",
    "HF_HUB_OFFLINE",
    "HF_LEROBOT_HOME",
    "HF_TOKEN",
    "HUGGINGFACE_HUB_CACHE",
    "HUGGING_FACE_HUB_TOKEN",
    "TRANSFORMERS_OFFLINE",
)


class Impatient:
    """The module `time`, but no sleep takes any."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    """A Hub on this machine, and the only one that the client knows."""
    for name in _OURS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True, raising=False)  # none before 0.30
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setattr("huggingface_hub.utils._http.time", Impatient())
    monkeypatch.setattr("huggingface_hub.file_download.time", Impatient())
    with HubServer() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server


@pytest.fixture(scope="session")
def v21(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four episodes of v2.1."""
    return make_dataset(
        tmp_path_factory.mktemp("v21") / "d", version="v2.1", episodes=(12, 9, 10, 7)
    )


@pytest.fixture(scope="session")
def v30(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six episodes of v3.0, two to a table and one to a video."""
    return make_dataset(
        tmp_path_factory.mktemp("v30") / "d",
        version="v3.0",
        episodes=(12, 9, 10, 7, 8, 6),
        data_episodes_per_file=2,
        video_episodes_per_file=1,
    )
