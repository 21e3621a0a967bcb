"""Single stored statistics that are spoilt: each is told, at its place, and the check does not pass."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import roboreel
from roboreel.testing import Camera, make_dataset
from tests.mutate import copied, edit_lines, set_column

TOP = "observation.images.top"
META = "meta/episodes/chunk-000/file-000.parquet"
Change = Callable[[Any], Any]


@pytest.fixture(scope="module")
def v30(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("v30") / "a"
    camera = {TOP: Camera(height=32)}
    made = make_dataset(root, version="v3.0", episodes=(33, 8, 5), cameras=camera)
    out = root.parent / "sound"
    roboreel.write(roboreel.open(made).recompute(), out=out)
    return out


@pytest.fixture(scope="module")
def v21(v30: Path) -> Path:
    out = v30.parent / "v21"
    roboreel.convert(v30, to="v2.1", out=out)
    return out


def in_episode(root: Path, feature: str, statistic: str, change: Change, episode: int = 1) -> None:
    column = f"stats/{feature}/{statistic}"
    stored = pq.read_table(root / META)[column]
    values = stored.to_pylist()
    values[episode] = change(values[episode])
    set_column(root / META, column, pa.array(values, stored.type))


def in_whole(root: Path, feature: str, statistic: str, change: Change) -> None:
    path = root / "meta/stats.json"
    document = json.loads(path.read_text("utf-8"))
    document[feature][statistic] = change(document[feature][statistic])
    path.write_text(json.dumps(document), "utf-8")


def unexplained(root: Path, *, cameras: bool) -> list[tuple[str, tuple[int, ...] | None, str]]:
    report = roboreel.check_stats(root, cameras="sample" if cameras else "none")
    json.dumps(report.to_json(), allow_nan=False)
    found = [one for one in report.differences if one.why is None]
    assert report.ok is (not found)
    return [(one.feature, one.episodes, key) for one in found for key in one.statistics]


def scaled(by: float) -> Change:
    return lambda value: (np.asarray(value) * by).tolist()


def moved(by: float) -> Change:
    return lambda value: (np.asarray(value) + by).tolist()


def of_nan(value: Any) -> Any:
    return (np.asarray(value) * math.nan).tolist()


@pytest.mark.sample(2)
@pytest.mark.parametrize("feature", ["action", TOP])
@pytest.mark.parametrize(
    ("statistic", "change"),
    [
        ("mean", of_nan),
        ("std", of_nan),
        ("min", of_nan),
        ("mean", moved(0.5)),
        ("std", scaled(-1.0)),
        ("std", scaled(math.inf)),
        ("q50", moved(0.7)),
    ],
)
def test_of_an_episode(
    v30: Path, tmp_path: Path, feature: str, statistic: str, change: Change
) -> None:
    root = copied(v30, tmp_path / "b")
    in_episode(root, feature, statistic, change)
    assert unexplained(root, cameras=feature == TOP) == [(feature, (1,), statistic)]


@pytest.mark.sample(5)
@pytest.mark.parametrize("feature", ["action", TOP])
@pytest.mark.parametrize(
    ("statistic", "change"),
    [
        ("mean", of_nan),
        ("q10", of_nan),
        ("std", scaled(-1.0)),
        ("q99", moved(8.0)),
        ("q50", moved(0.6)),
        ("count", lambda _: [1]),
        ("count", scaled(2)),
    ],
)
def test_of_the_whole_dataset(
    v30: Path, tmp_path: Path, feature: str, statistic: str, change: Change
) -> None:
    root = copied(v30, tmp_path / "b")
    in_whole(root, feature, statistic, change)
    assert unexplained(root, cameras=feature == TOP) == [(feature, None, statistic)]


@pytest.mark.parametrize("statistic", ["q50", "mean"])
def test_what_the_whole_dataset_lacks(v30: Path, tmp_path: Path, statistic: str) -> None:
    root = copied(v30, tmp_path / "b")
    path = root / "meta/stats.json"
    document = json.loads(path.read_text("utf-8"))
    del document["action"][statistic]
    path.write_text(json.dumps(document), "utf-8")
    assert unexplained(root, cameras=False) == [("action", None, statistic)]


@pytest.mark.parametrize("value", [None, "abc"])
def test_what_an_episode_of_v21_lacks(v21: Path, tmp_path: Path, value: str | None) -> None:
    root = copied(v21, tmp_path / "b")

    def change(lines: list[Any]) -> list[Any]:
        if value is None:
            del lines[2]["stats"]["action"]["mean"]
        else:
            lines[2]["stats"]["action"]["mean"] = value
        return lines

    edit_lines(root / "meta/episodes_stats.jsonl", change)
    assert unexplained(root, cameras=False) == [("action", (2,), "mean")]


@pytest.mark.parametrize(
    ("count", "says"), [(38, None), (33 * 640, "counts pixels"), (7, "sample")]
)
def test_the_pictures_of_a_camera_are_counted(
    v30: Path, tmp_path: Path, count: int, says: str | None
) -> None:
    root = copied(v30, tmp_path / "b")
    in_episode(root, TOP, "count", lambda _: [count], episode=0)
    report = roboreel.check_stats(root, features=[TOP], cameras="all")
    (found,) = [o for o in report.differences if o.statistics == ("count",) and o.episodes]
    assert found.episodes == (0,)
    assert (found.why is None) if says is None else says in str(found.why)


def test_a_shape_that_does_not_fit_does_not_pass(v30: Path, tmp_path: Path) -> None:
    root = copied(v30, tmp_path / "b")
    in_whole(root, "action", "mean", lambda value: value[:1])
    report = roboreel.check_stats(root)
    assert not report.ok
    assert "stats.shape" in {problem.rule for problem in report.problems}


def test_sound_ones_pass(v30: Path, v21: Path) -> None:
    assert unexplained(v30, cameras=True) == []
    assert unexplained(v21, cameras=True) == []
