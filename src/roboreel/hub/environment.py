"""What the environment says about the Hub: read at each call, because programs change it while they run."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

_TRUE = frozenset({"1", "ON", "YES", "TRUE"})
_ENDPOINT = "https://huggingface.co"


def hf_home() -> Path:
    """Folder of everything that Hugging Face libraries keep: `HF_HOME`."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.join("~", ".cache")
    return _folder(os.environ.get("HF_HOME") or os.path.join(cache, "huggingface"))


def hub_cache() -> Path:
    """Folder in which the Hub's client keeps its snapshots: files that are there are copied, not fetched."""
    given = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE")
    return _folder(given) if given else hf_home() / "hub"


def client_cache(repo_id: str) -> Path:
    """The folder of snapshots to take a dataset's files from: lerobot's own if it has the dataset."""
    own = lerobot_home() / "hub"
    has_it = (own / f"datasets--{repo_id.replace('/', '--')}").is_dir()
    return own if has_it else hub_cache()


def lerobot_home() -> Path:
    """Folder of LeRobot datasets, as `user/name`: `HF_LEROBOT_HOME`, by default `$HF_HOME/lerobot`."""
    given = os.environ.get("HF_LEROBOT_HOME")
    return _folder(given) if given else hf_home() / "lerobot"


def is_offline() -> bool:
    """True if `HF_HUB_OFFLINE` forbids requests."""
    given = os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE") or ""
    return given.upper() in _TRUE


def endpoint() -> str | None:
    """URL of the Hub from `HF_ENDPOINT`; None for the client's own."""
    return os.environ.get("HF_ENDPOINT", "").rstrip("/") or None


def host() -> str:
    """Name of the Hub for messages, without credentials that the URL may contain."""
    parts = urlsplit(endpoint() or _ENDPOINT)
    return parts.netloc.rpartition("@")[2] or "the Hub"


def page_of(repo_id: str) -> str:
    """URL of a dataset's page, without credentials."""
    scheme = urlsplit(endpoint() or _ENDPOINT).scheme
    return f"{scheme}://{host()}/datasets/{repo_id}"


def _folder(text: str) -> Path:
    return Path(os.path.expandvars(os.path.expanduser(text)))
