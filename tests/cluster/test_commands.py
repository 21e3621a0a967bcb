"""Each command with `--executor ray`: the bytes and words of a run in this process.

Run by `pytest -m slow tests/cluster`, where the extra `ray` is installed.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import roboreel
from roboreel.cli.catalog import ENTRIES
from roboreel.sink import EpisodeSink
from roboreel.testing import Camera, make_dataset
from tests.command import run_here
from tests.oracle import tree_digest

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.usefixtures("cluster", "everything_is_worth_a_task"),
    pytest.mark.slow,
]

WRITING = {
    "convert": "convert {a} --to v3.0 -o {out}",
    "write": "write {view} -o {out}",
    "finalize": "finalize {staging} -o {out}",
    "repair": "repair {damaged} -o {out} --decode",
    "delete": "delete {a} --episodes 1 -o {out}",
    "keep": "keep {a} --min-frames 6 -o {out}",
    "trim": "trim {a} --start 2f --allow-reencode -o {out}",
    "split": "split {a} --into train=0:2,val=2 -o {out}",
    "merge": "merge {a} {b} -o {out}",
    "reorder": "reorder {a} --order 2,0,1 -o {out}",
    "shuffle": "shuffle {a} --seed 1 -o {out}",
    "features": "features {a} --remove action -o {out}",
    "tasks": "tasks {a} --set other -o {out}",
    "resample": "resample {a} --fps 10 -o {out}",
    "encode": "encode {a} --vcodec h264 -o {out}",
    "compact": "compact {b} --drop-unreferenced -o {out}",
    "stats": "stats {a} --recompute --cameras all -o {out}",
}
PRINTING = {
    "check": "check {a} --decode",
    "check, damaged": "check {damaged} --decode",
    "check, a file with several episodes": "check {b} --decode",
    "stats": "stats {a} --check --cameras all",
}
NOTHING_TO_RUN = {
    "info": "reads documents",
    "diff": "compares by itself: it judges what executors make",
    "edit": "writes a view file",
    "index": "reads packet indexes, at most one request at a time of each file",
    "pull": "downloads",
    "push": "uploads",
    "cache": "fills a cache of this machine",
    "undo": "renames folders",
    "demo": "makes a dataset of a few seconds",
    "config": "prints settings",
}


@pytest.fixture(scope="module")
def everything_is_worth_a_task() -> object:
    patch = pytest.MonkeyPatch()
    patch.setattr("roboreel.probes.probing._WORTH_PROCESSES_US", 0)
    patch.setattr("roboreel.checking.recomputed._WORTH_PROCESSES", 0)
    patch.setenv("ROBOREEL_CACHE", "off")
    yield
    patch.undo()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("cluster")
    paths = {name: folder / name for name in ("a", "b", "damaged", "staging")}
    make_dataset(
        paths["a"], version="v2.1", episodes=(6, 5, 7), cameras={"observation.images.top": Camera()}
    )
    make_dataset(
        paths["b"], version="v3.0", episodes=(6, 5, 7), cameras={"observation.images.top": Camera()}
    )
    shutil.copytree(paths["a"], paths["damaged"])
    (paths["damaged"] / "meta/tasks.jsonl").unlink()
    sink = EpisodeSink(
        staging=paths["staging"],
        fps=30,
        features={"action": {"dtype": "float32", "shape": [2], "names": None}},
    )
    for segment in range(20):
        sink.write(("clip", segment), {"action": np.full((4, 2), segment, np.float32)}, task="t")
    paths["view"] = folder / "a.view.json"
    roboreel.open(paths["a"]).delete([0]).save(paths["view"])
    return paths


def test_every_command_is_tried_or_has_nothing_to_run() -> None:
    tried = set(WRITING) | {name.partition(",")[0] for name in PRINTING}
    assert tried.isdisjoint(NOTHING_TO_RUN)
    assert tried | set(NOTHING_TO_RUN) == {entry.name for entry in ENTRIES}


@pytest.mark.parametrize("command", WRITING)
def test_the_bytes_are_those_of_a_serial_run(
    command: str, made: dict[str, Path], tmp_path: Path
) -> None:
    for executor in ("serial", "ray"):
        line = WRITING[command].format(**made, out=tmp_path / executor)
        done = run_here(*line.split(), "--executor", executor)
        assert done.returncode == 0, done.stderr
    assert tree_digest(tmp_path / "ray") == tree_digest(tmp_path / "serial")


@pytest.mark.parametrize("command", PRINTING)
def test_the_words_are_those_of_a_serial_run(command: str, made: dict[str, Path]) -> None:
    words = PRINTING[command].format(**made).split()
    serial, cluster = (run_here(*words, "--executor", name) for name in ("serial", "ray"))
    assert (cluster.returncode, cluster.stdout) == (serial.returncode, serial.stdout)
    assert cluster.stdout
