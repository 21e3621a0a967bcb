"""Videos that hang, kill or fail their decoder: the command ends in time, names each, and keeps the rest."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import roboreel
from roboreel.storage.local import LocalRoot
from roboreel.storage.video.index import read_packet_table
from roboreel.testing import Camera, make_dataset
from tests.oracle import tree_digest

PATIENCE = 0.25
"""Of 30 s and more: eight seconds."""
IN_TIME_S = 90.0
"""No multiple of what a run takes here: only far less than for ever."""

DAMAGED, SHORT = "top/episode_000004", "wrist/episode_000002"

SABOTAGE = """
import os, signal
import roboreel.runner.kernels.episode_frames as kernel

decode = kernel.frames_of

def planted(video, wanted):
    name = video.name
    if name.endswith("top/episode_000001.mp4"):
        while True:
            pass
    if name.endswith("top/episode_000003.mp4"):
        os.kill(os.getpid(), signal.SIGKILL)
    return decode(video, wanted)

kernel.frames_of = planted
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    cameras = {"top": Camera(height=32), "wrist": Camera(height=32)}
    return make_dataset(tmp_path / "set", version="v2.0", episodes=(5, 3, 4, 6, 2), cameras=cameras)


def _cut_off(video: Path) -> bytes:
    """Leave zeros where the later half of the packets was, as a download that broke off; returns what was."""
    table = read_packet_table(LocalRoot(video.parent), video.name)
    before = video.read_bytes()
    data = bytearray(before)
    for at in range(table.packets // 2, table.packets):
        start, size = int(table.offset[at]), int(table.size[at])
        data[start : start + size] = bytes(size)
    video.write_bytes(data)
    return before


def _command(*words: str | Path, hooks: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command; `hooks` has a module that every process of it loads first."""
    known = os.environ.get("PYTHONPATH", "")
    path = known if hooks is None else os.pathsep.join([str(hooks), known])
    return subprocess.run(
        [sys.executable, "-m", "roboreel", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": path},
        timeout=IN_TIME_S,
    )


def _convert(
    source: Path, out: Path, *more: str, hooks: Path | None = None
) -> subprocess.CompletedProcess[str]:
    shared = ("--to", "v2.1", "-o", out, "--timeout-factor", str(PATIENCE), "--json")
    return _command("convert", source, *shared, *more, hooks=hooks)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_each_planted_video_is_named_and_the_rest_is_kept(
    source: Path, tmp_path: Path, workers: int
) -> None:
    roboreel.convert(source, to="v2.1", out=tmp_path / "undisturbed")
    plan = roboreel.plan_convert(source, to="v2.1", out=tmp_path / "other")
    video, short = (source / f"videos/chunk-000/{name}.mp4" for name in (DAMAGED, SHORT))
    whole, of_short = _cut_off(video), short.read_bytes()
    short.write_bytes(of_short[: len(of_short) // 2])
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "sitecustomize.py").write_text(SABOTAGE, "utf-8")

    begun = time.monotonic()
    crew = ("--num-workers", str(workers))
    done = _convert(source, tmp_path / "out", *crew, hooks=hooks)
    assert time.monotonic() - begun < IN_TIME_S
    assert done.returncode == 1
    told = {
        line.split("'")[3]: line
        for line in done.stderr.splitlines()
        if "computing statistics" in line
    }
    name = "videos/chunk-000/top/episode_00000{}.mp4".format
    assert sorted(told) == [name(1), name(3), name(4)]
    assert "episode 1" in told[name(1)]
    assert "its worker process was stopped" in told[name(1)]
    assert "episode 3" in told[name(3)]
    assert "ended by SIGKILL" in told[name(3)]
    assert "cannot be decoded" in told[name(4)]
    assert "1 of 5 episodes cannot be written" in done.stderr
    assert f"'videos/chunk-000/{SHORT}.mp4': not an MP4 file, or cut short" in done.stderr
    measured = sum(op.kind == "measure_camera" for op in plan.ops)
    sound = measured - 2 - 3  # two of the short episode, three more named
    assert f"{sound} of {len(plan.ops) - 2} steps are done" in done.stderr
    assert not (tmp_path / "out").exists()

    video.write_bytes(whole)
    short.write_bytes(of_short)
    again = _convert(source, tmp_path / "out", "--resume")
    assert again.returncode == 0, again.stderr
    report: dict[str, Any] = json.loads(again.stdout)
    assert report["resumed"] == sound
    assert tree_digest(tmp_path / "out") == tree_digest(tmp_path / "undisturbed")


@pytest.mark.slow
def test_what_was_measured_is_not_measured_again_without_the_broken(
    source: Path, tmp_path: Path
) -> None:
    video = source / f"videos/chunk-000/{SHORT}.mp4"
    video.write_bytes(video.read_bytes()[:-200])
    done = _convert(source, tmp_path / "out", "--dry-run")
    assert done.returncode == 1
    assert json.loads(done.stdout)["refused"] == "1 of 5 episodes cannot be written"
    done = _convert(source, tmp_path / "out")
    assert done.returncode == 1
    assert "pass --on-broken skip" in done.stderr
    assert "pass --resume" in _convert(source, tmp_path / "out", "--on-broken", "skip").stderr
    done = _convert(source, tmp_path / "out", "--on-broken", "skip", "--resume")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["resumed"] == 8
    skipped = tmp_path / "skipped"
    assert _convert(source, skipped, "--on-broken", "skip").returncode == 0
    assert tree_digest(tmp_path / "out") == tree_digest(skipped)


@pytest.mark.slow
def test_measurements_hold_in_another_plan_only_where_nothing_they_say_is_different(
    source: Path, tmp_path: Path
) -> None:
    """With all pictures nothing holds; with an episode less, what was measured of the others does."""
    video = source / f"videos/chunk-000/{SHORT}.mp4"
    whole = video.read_bytes()
    video.write_bytes(whole[:-200])
    out = ("-o", tmp_path / "out", "--to", "v2.1", "--json")
    sample, every = (("stats", source, "--recompute", "--cameras", n) for n in ("sample", "all"))
    assert _command(*sample, *out).returncode == 1
    video.write_bytes(whole)
    done = _command(*every, *out, "--resume")
    assert done.returncode == 2
    assert "the remains of a different run" in done.stderr
    other = source / "videos/chunk-000/top/episode_000000.mp4"
    other.write_bytes(other.read_bytes())  # the same bytes at another time
    done = _command("delete", source, "--episodes", "1", *out, "--resume")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["resumed"] == 8 - 2 - 1
    deleted = tmp_path / "deleted"
    assert (
        _command("delete", source, "--episodes", "1", "--to", "v2.1", "-o", deleted).returncode == 0
    )
    assert tree_digest(tmp_path / "out") == tree_digest(deleted)


PICTURES_THAT_KILL = """
import os, signal
import roboreel.runner.kernels.measure_cameras as kernel

def planted(data):
    os.kill(os.getpid(), signal.SIGKILL)

kernel.decode_image = planted
"""


def test_a_picture_in_a_table_that_kills_costs_its_op(tmp_path: Path) -> None:
    """Pictures in tables decode while their rows are written: that op is watched with one worker too."""
    camera = Camera(height=32, storage="image")
    source = make_dataset(tmp_path / "set", version="v2.0", episodes=(3,), cameras={"eye": camera})
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "sitecustomize.py").write_text(PICTURES_THAT_KILL, "utf-8")
    done = _convert(source, tmp_path / "out", hooks=hooks)
    assert done.returncode == 1
    table = "data/chunk-000/episode_000000.parquet"
    assert f"writing tables, episode 0, '{table}': its worker process was ended" in done.stderr


def test_what_decodes_nothing_stays_in_its_own_process(tmp_path: Path) -> None:
    cameras = {"top": Camera(height=32)}
    source = make_dataset(tmp_path / "set", version="v2.1", episodes=(3,), cameras=cameras)
    assert not roboreel.plan_convert(source, to="v3.0", out=tmp_path / "out").decodes
