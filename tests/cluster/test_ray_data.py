"""Ray Data reads what the reader gives, and writes what the sink stages; the examples run.

Run by `pytest -m slow tests/cluster`, where the extra `ray` is installed.
"""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import roboreel
from roboreel.ray import read_dataset, write_episodes
from roboreel.testing import make_dataset
from tests.cluster.jobs import clip_row, mortal_clip_row

ray: Any = pytest.importorskip("ray", reason="the extra ray is not installed")
# Ray Data warns of itself, and leaves files to the garbage collector
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.slow]

ROOT = Path(__file__).parent.parent.parent
ACTION: dict[str, Any] = {"action": {"dtype": "float32", "shape": [2], "names": None}}


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    """A cluster of two CPUs that keeps the order of rows."""
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    context = importlib.import_module("ray.data").DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset(tmp_path_factory.mktemp("data") / "a", version="v3.0", episodes=(6, 5, 7))


def same(rows: list[dict[str, Any]], items: Any) -> None:
    """Raise unless rows are the items of a reader."""
    assert len(rows) == len(items)
    for row, item in zip(rows, items, strict=True):
        assert row.keys() == item.keys()
        for name, value in item.items():
            assert np.array_equal(row[name], value), name


def test_rows_are_the_items_of_the_reader(source: Path) -> None:
    how: Any = {"offsets": {"action": [0, 1]}, "size": (32, 40)}
    ds = read_dataset(source, override_num_blocks=2, **how)
    assert ds.count() == 18
    same(ds.take_all(), [*roboreel.reader(roboreel.open(source), **how)])


def test_a_view_with_fewer_episodes_cameras_and_columns(source: Path) -> None:
    view = roboreel.open(source).trim({0: (1, 4)})
    how: Any = {"cameras": ["observation.images.top"], "columns": ["action", "task"]}
    rows = read_dataset(view, episodes=[0, 2], **how).take_all()
    same(rows, [*roboreel.reader(view.keep([0, 2]), **how)])


def test_a_worker_opens_only_what_it_reads(tmp_path: Path) -> None:
    root = make_dataset(tmp_path / "a", version="v2.1", episodes=(4, 5, 6))
    for path in root.rglob("*wrist*/*.mp4"):
        path.unlink()
    for path in root.rglob("episode_000002.*"):
        path.unlink()
    dataset = roboreel.open(root)
    rows = read_dataset(dataset, episodes=[0, 1], cameras=["observation.images.top"]).take_all()
    assert len(rows) == 9


def test_frames_are_gathered_and_written_as_the_same_dataset(source: Path, tmp_path: Path) -> None:
    dataset = roboreel.open(source)
    done = write_episodes(
        read_dataset(source),
        tmp_path / "staging",
        key="episode_index",
        rows="frames",
        fps=30,
        features={name: dict(one.spec) for name, one in dataset.features.items()},
        out=tmp_path / "out",
    )
    assert (done.episodes, done.frames, done.failed) == (3, 18, ())
    assert done.finalized is not None
    assert roboreel.check(tmp_path / "out", decode=True).ok
    numbers: Any = {"cameras": []}
    same(
        [*roboreel.reader(roboreel.open(tmp_path / "out"), **numbers)],
        [*roboreel.reader(dataset, **numbers)],
    )


def test_an_episode_that_cannot_be_staged_is_named_or_left_out(tmp_path: Path) -> None:
    clips = ray.data.from_items([{"n": n} for n in range(4)]).map(clip_row)
    how: Any = {"key": ("clip", "segment"), "fps": 30, "features": ACTION}
    with pytest.raises(roboreel.RunError, match=r"1 of 4 episodes could not be staged.*clip-2"):
        write_episodes(clips, tmp_path / "a", **how)
    done = write_episodes(clips, tmp_path / "a", on_broken="skip", out=tmp_path / "out", **how)
    assert done.episodes == 3
    (failed,) = done.failed
    assert failed.key is not None
    assert failed.key.source == "clip-2"
    assert done.finalized is not None
    assert [one.key for one in done.finalized.skipped] == [failed.key]


def test_a_worker_that_dies_while_it_writes_costs_and_doubles_nothing(tmp_path: Path) -> None:
    marker = tmp_path / "died"
    rows = [{"n": n, "marker": str(marker)} for n in range(4)]
    clips = ray.data.from_items(rows, override_num_blocks=1).map(mortal_clip_row)
    how: Any = {"key": ("clip", "segment"), "fps": 30, "features": ACTION}
    done = write_episodes(clips, tmp_path / "staging", out=tmp_path / "out", **how)
    assert marker.exists()
    assert (done.episodes, done.failed) == (4, ())
    assert roboreel.check(tmp_path / "out").problems == ()
    assert len(roboreel.open(tmp_path / "out").episodes) == 4


def test_a_missing_column_is_one_error_without_a_traceback_of_ray(tmp_path: Path) -> None:
    clips = ray.data.from_items([{"n": n} for n in range(2)]).map(clip_row)
    with pytest.raises(roboreel.UsageError) as caught:
        write_episodes(clips, tmp_path / "a", key="nothing", fps=30, features=ACTION)
    assert str(caught.value).startswith("key: the rows of the Ray dataset lack 'nothing'")


def test_the_examples_run(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export = [sys.executable, str(ROOT / "examples/ray_export.py"), str(out), "--episodes", "3"]
    done = subprocess.run(export, capture_output=True, text=True, check=False, timeout=400)
    assert done.stdout == f"{out}: 3 episodes, 63 frames\n", done.stderr
    assert roboreel.check(out, decode=True).ok
    stats = [sys.executable, str(ROOT / "examples/ray_stats.py"), str(out)]
    done = subprocess.run(stats, capture_output=True, text=True, check=False, timeout=400)
    assert done.stdout.startswith("63 frames\nobservation.images.front: mean brightness "), (
        done.stderr
    )
    assert "action 5: 0.286 to 6.000" in done.stdout
