"""A pull whose process is killed: what is there is whole, and the next pull goes on."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import roboreel
from roboreel.hub import pull
from tests.hub_server import HubServer, folder_files

_PATIENT_S = 60


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
