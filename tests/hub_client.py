"""The real client of the Hub, in an environment in which it knows only the Hub of the tests."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from tests.hub_server import HubServer

_OURS = (
    "HF_HOME",
    "HF_HUB_CACHE",
    "HF_HUB_OFFLINE",
    "HF_HUB_VERBOSITY",
    "HF_LEROBOT_HOME",
    "HF_TOKEN",
    "HUGGINGFACE_HUB_CACHE",
    "HUGGING_FACE_HUB_TOKEN",
    "TRANSFORMERS_OFFLINE",
)


class Impatient:
    """The module `time`, but no sleep takes any."""

    def sleep(self, seconds: float) -> None:
        """Return at once."""

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)


@contextlib.contextmanager
def only_hub(patch: pytest.MonkeyPatch, folder: Path) -> Iterator[HubServer]:
    """A Hub on this machine, and the only one that the client knows; the client waits for nothing.

    Args:
        patch: undone when the test ends.
        folder: where the client keeps its files.
    """
    for name in _OURS:
        patch.delenv(name, raising=False)
    patch.setenv("HF_HOME", str(folder / "hf"))
    patch.setattr(constants, "HF_HUB_DISABLE_XET", True, raising=False)  # none before 0.30
    patch.setattr(constants, "HF_HUB_OFFLINE", False)
    patch.setattr(constants, "HF_TOKEN_PATH", str(folder / "token"))
    patch.setattr("huggingface_hub.utils._http.time", Impatient())
    patch.setattr("huggingface_hub.file_download.time", Impatient())
    patch.setattr("roboreel.hub.client.time", Impatient())
    patch.setattr("roboreel.storage.remote.http_client.time", Impatient())
    with HubServer() as server:
        patch.setenv("HF_ENDPOINT", server.url)
        yield server
