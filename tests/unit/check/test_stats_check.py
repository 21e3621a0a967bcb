"""Stored statistics against fresh ones: sound ones, planted errors, and known reasons."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import roboreel
from roboreel.checking.stats_report import StatsDifference
from roboreel.testing import Camera, Version, make_dataset
from tests.mutate import edit_json, edit_lines, set_column

LENGTHS = (12, 7, 1, 9)
TOP = "observation.images.top"
META = "meta/episodes/chunk-000/file-000.parquet"


@pytest.fixture
def made(tmp_path: Path) -> Callable[[Version], Path]:
    def make(version: Version) -> Path:
        camera = {TOP: Camera(gop=2)}
        return make_dataset(tmp_path / "a", version=version, episodes=LENGTHS, cameras=camera)

    return make


def unexplained(path: Path, **options: Any) -> list[StatsDifference]:
    report = roboreel.check_stats(path, **options)
    found = [one for one in report.differences if one.why is None]
    assert report.ok == (not found and not report.failed)
    return found


def plant(root: Path, name: str, statistic: str, change: Callable[[Any], Any]) -> None:
    """Change a statistic of every episode of a v3.0 dataset."""
    column = f"stats/{name}/{statistic}"
    values = pq.read_table(root / META)[column]
    changed = [change(np.asarray(v)).tolist() for v in values.to_pylist()]
    set_column(root / META, column, pa.array(changed, values.type))


@pytest.mark.parametrize("version", ["v2.0", "v2.1", "v3.0"])
def test_sound_statistics(made: Callable[[Version], Path], version: Version) -> None:
    path = made(version)
    report = roboreel.check_stats(path, cameras="all")
    assert [one for one in report.differences if one.why is None] == []
    assert report.ok
    assert set(report.compared) >= {"action", "observation.state", "index"}
    assert TOP in report.compared


def test_a_wrong_mean_of_one_episode_is_not_explained(made: Callable[[Version], Path]) -> None:
    path = made("v2.1")

    def change(lines: list[Any]) -> list[Any]:
        lines[1]["stats"]["action"]["mean"][2] += 0.01
        return lines

    edit_lines(path / "meta/episodes_stats.jsonl", change)
    (found,) = unexplained(path)
    assert (found.feature, found.episodes, found.statistics) == ("action", (1,), ("mean",))
    assert found.gap == pytest.approx(0.01, rel=1e-3)
    assert unexplained(path, features=["observation.state"]) == []


@pytest.mark.sample(3)
@pytest.mark.parametrize("statistic", ["min", "max", "mean", "std", "q01", "q50", "q99"])
def test_every_statistic_is_compared(made: Callable[[Version], Path], statistic: str) -> None:
    path = made("v3.0")
    plant(path, "action", statistic, lambda v: v + 0.02)
    found = [one for one in unexplained(path) if one.episodes is not None]
    assert [(one.feature, one.statistics) for one in found] == [("action", (statistic,))]
    assert found[0].episodes == (0, 1, 2, 3)


@pytest.mark.parametrize(
    ("rule", "explained"),
    [("weighted", True), ("envelope", True), ("histogram", True), ("first", False)],
)
def test_known_rules_of_quantiles(
    made: Callable[[Version], Path], rule: str, explained: bool
) -> None:
    path = made("v3.0")
    rows = np.concatenate(
        [
            np.array(t["action"].to_pylist())
            for t in roboreel.open(path).rows([(0, 0, -1), (1, 0, -1), (2, 0, -1), (3, 0, -1)])
        ]
    )
    own = [np.asarray(v) for v in pq.read_table(path / META)["stats/action/q90"].to_pylist()]
    weights = np.array(LENGTHS)[:, None] / sum(LENGTHS)
    low, high = rows.min(axis=0), rows.max(axis=0)
    ranked = np.sort(rows, axis=0)[int(np.ceil(0.9 * len(rows))) - 1]
    values = {
        "weighted": (np.stack(own) * weights).sum(axis=0),
        "envelope": np.stack(own).max(axis=0),
        "histogram": ranked - 0.9 * (high - low) / 5000,
        "first": own[2],
    }[rule]
    edit_json(path / "meta/stats.json", lambda stats: stats["action"].update(q90=values.tolist()))
    found = [one for one in unexplained(path) if one.episodes is None]
    assert [one.statistics for one in found] == ([] if explained else [("q90",)])


def test_shifted_numbers_are_named_for_index_columns_only(
    made: Callable[[Version], Path],
) -> None:
    path = made("v3.0")
    for statistic in ("min", "max", "mean"):
        plant(path, "index", statistic, lambda v: v + 100)
    report = roboreel.check_stats(path, features=["index"])
    assert {one.rule for one in report.differences} == {"stats.numbering"}
    for statistic in ("min", "max", "mean"):
        plant(path, "frame_index", statistic, lambda v: v + 100)
    assert unexplained(path, features=["frame_index"])


def test_another_number_of_rows_is_not_explained(made: Callable[[Version], Path]) -> None:
    path = made("v3.0")
    plant(path, "action", "count", lambda v: v + 1)
    found = unexplained(path)
    assert [(one.statistics, one.rule) for one in found] == [(("count",), "stats.count")]


def test_a_camera_of_other_pictures_is_not_explained(made: Callable[[Version], Path]) -> None:
    path = made("v3.0")
    plant(path, TOP, "mean", lambda v: v * 0.5)
    assert unexplained(path) == []
    (found,) = unexplained(path, cameras="sample")
    assert (found.feature, found.statistics) == (TOP, ("mean",))


def test_a_broken_video_costs_a_line(tmp_path: Path) -> None:
    path = make_dataset(tmp_path / "a", version="v2.1", episodes=LENGTHS)
    video = path / f"videos/chunk-000/{TOP}/episode_000001.mp4"
    video.write_bytes(video.read_bytes()[:300])
    report = roboreel.check_stats(path, cameras="sample")
    assert not report.ok
    assert any("episode_000001.mp4" in line for line in report.failed)
    assert {TOP, "action"} <= set(report.compared)


def test_what_cannot_be_asked_for(made: Callable[[Version], Path]) -> None:
    path = made("v2.1")
    with pytest.raises(roboreel.UsageError, match="no feature 'nothing'"):
        roboreel.check_stats(path, features=["nothing"])
    with pytest.raises(roboreel.UsageError, match="cameras is 'every'"):
        roboreel.check_stats(path, cameras="every")  # type: ignore[arg-type]
