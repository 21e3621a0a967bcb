"""`roboreel finalize`, and the example of workers that stage what it writes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import roboreel
from tests.command import run_here as command
from tests.unit.sink.staged import NUMBERS, put, require_clean, sink_in

ROOT = Path(__file__).parents[3]


def _staged(folder: Path) -> None:
    sink = sink_in(folder / "staging", features=NUMBERS)
    put(sink, 1)
    put(sink, 2)
    put(sink, 2)
    sink.fail("lost", "the disk was full")


def test_finalize_writes_and_tells_what_is_missing(tmp_path: Path) -> None:
    _staged(tmp_path)
    staging, out = str(tmp_path / "staging"), str(tmp_path / "out")
    dry = command("finalize", staging, "-o", out, "--dry-run")
    assert dry.returncode == 0
    assert "rows joined" in dry.stdout
    assert not Path(out).exists()
    done = command("finalize", staging, "-o", out, "--to", "v2.1")
    assert done.returncode == 0, done.stderr
    assert "1 attempt not used" in done.stdout
    assert "'lost', segment 0: the disk was full" in done.stderr
    assert roboreel.open(out).version.value == "v2.1"
    again = command("finalize", staging, "-o", out)
    assert again.returncode == 2
    assert "exists" in again.stderr


def test_finalize_as_json_removes_what_is_asked(tmp_path: Path) -> None:
    _staged(tmp_path)
    staging, out = str(tmp_path / "staging"), str(tmp_path / "out")
    done = command("finalize", staging, "-o", out, "--json", "--remove-staged")
    told = json.loads(done.stdout)
    assert (told["episodes"], told["superseded"]) == (2, 1)
    assert told["skipped_episodes"][0]["reason"] == "the disk was full"
    assert told["removed"] > 0
    wrong = command("finalize", staging, "-o", out, "--resume", "--clean")
    assert wrong.returncode == 2
    assert "--resume continues" in wrong.stderr


@pytest.mark.slow
def test_the_example_exports_with_workers(tmp_path: Path) -> None:
    path = os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    script = [sys.executable, str(ROOT / "examples/export_workers.py"), str(tmp_path / "out")]
    done = subprocess.run(
        [*script, "--episodes", "4"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stderr
    assert "4 episodes, 86 frames" in done.stdout
    require_clean(tmp_path / "out")
