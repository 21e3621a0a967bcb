"""A pull whose process is killed: what is there is whole, and the next pull goes on."""

from __future__ import annotations

import hashlib
import itertools
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import roboreel
from roboreel.hub import pull
from roboreel.storage import disk
from roboreel.testing import make_dataset
from tests.hub_server import HubServer, folder_files

_PATIENT_S = 60


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One episode without cameras."""
    path = tmp_path_factory.mktemp("small") / "d"
    return make_dataset(path, version="v3.0", episodes=(3,), cameras={})


def test_a_killed_pull_leaves_whole_files_and_goes_on(
    hub: HubServer, v21: Path, tmp_path: Path
) -> None:
    files = folder_files(v21)
    slow = "videos/chunk-000/observation.images.wrist/episode_000003.mp4"
    hub.add("user/name", v21, tags=["v2.1"])
    hub.delay(hashlib.sha256(files[slow]).hexdigest(), seconds=_PATIENT_S)
    command = [sys.executable, "-m", "roboreel", "pull", "user/name", "-o", str(tmp_path / "out")]
    with subprocess.Popen(command, env={**os.environ, "HF_HUB_DISABLE_XET": "1"}) as process:
        _wait_for(tmp_path / "out", len(files) - 1)
        process.kill()
    here = {n: d for n, d in folder_files(tmp_path / "out").items() if not n.startswith(".cache/")}
    assert here == {name: data for name, data in files.items() if name != slow}
    hub.works()
    hub.forget()
    report = pull("user/name", tmp_path / "out")
    assert report.fetched == (slow,)
    assert hub.fetched() == {slow}
    assert roboreel.diff(v21, tmp_path / "out").same


def _wait_for(folder: Path, files: int) -> None:
    """Wait until so many files of the dataset are there."""
    latest = time.monotonic() + _PATIENT_S
    while time.monotonic() < latest:
        names = [path for path in folder.rglob("*.*") if ".cache" not in path.parts]
        if len([path for path in names if path.is_file()]) >= files:
            return
        time.sleep(0.02)
    raise TimeoutError(f"no {files} files in {folder}")


class _StopError(Exception):
    """Stops a pull at an operation of the disk."""


_EVERY = 6


@pytest.mark.parametrize("phase", range(_EVERY))
@pytest.mark.sample(1)
def test_a_pull_that_stops_at_any_operation_of_the_disk_goes_on(
    hub: HubServer, small: Path, tmp_path: Path, phase: int
) -> None:
    hub.add("user/name", small, tags=["v3.0"])
    files = folder_files(small)
    number = phase
    while True:
        out = tmp_path / str(number)
        stopped = _pull_until(out, number)
        here = {n: d for n, d in folder_files(out).items() if not n.startswith(".cache/")}
        assert here.items() <= files.items(), "a file that is not whole has its name"
        pull("user/name", out)
        assert {name: folder_files(out)[name] for name in files} == files
        if not stopped:
            return
        number += _EVERY


def _pull_until(out: Path, number: int) -> bool:
    """Pull until the disk's operation of this number; True if there was one."""
    seen = itertools.count()

    def stop(moment: str, _name: str, _path: str) -> None:
        if moment == "before" and next(seen) == number:
            raise _StopError

    with disk.faults(stop):
        try:
            pull("user/name", out)
        except _StopError:
            return True
    return False
