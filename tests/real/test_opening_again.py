"""Real datasets open from the cache of opened datasets as without it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from roboreel.dataset import opened_cache
from tests.real.conftest import DATA
from tests.unit.inventories import HOUR_NS, files
from tests.unit.test_opened_cache import opened, uncached

NAMES = sorted(str(path.parents[1].relative_to(DATA)) for path in DATA.rglob("meta/info.json"))


@pytest.mark.parametrize("name", NAMES)
def test_a_real_dataset_opens_from_the_cache_as_without_it(
    name: str,
    untouched: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root, now = untouched(name), time.time_ns
    monkeypatch.setenv("ROBOREEL_CACHE", str(tmp_path))
    monkeypatch.setattr(opened_cache, "FEWEST_NAMES", 0)
    monkeypatch.setattr(time, "time_ns", lambda: now() + HOUR_NS)
    plainly = uncached(root)
    assert opened(root) == plainly
    assert len(files(tmp_path)) == 1
    monkeypatch.setattr("roboreel.dataset.open._opened", None)
    assert opened(root) == plainly
