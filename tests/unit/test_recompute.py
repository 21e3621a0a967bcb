"""Statistics that are measured anew: of what was asked for, from the values; the rest stays."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import roboreel
from roboreel.edit.relative_actions import RelativeActions
from roboreel.stats.feature_stats import Stats
from roboreel.testing import Camera, Version, make_dataset
from tests.mutate import edit_lines, set_column
from tests.oracle import read, tree_digest

LENGTHS = (13, 1, 8, 150)
TOP = "observation.images.top"
META = "meta/episodes/chunk-000/file-000.parquet"
SHARES = {"q01": 0.01, "q10": 0.1, "q50": 0.5, "q90": 0.9, "q99": 0.99}


def made(tmp_path: Path, version: Version, **options: Any) -> Path:
    camera = {TOP: Camera(gop=2)}
    return make_dataset(
        tmp_path / "a", version=version, episodes=LENGTHS, cameras=camera, **options
    )


def spoilt(path: Path) -> Path:
    """Every mean of action and of the camera is another."""
    if (path / META).is_file():
        for name in ("action", TOP):
            column = f"stats/{name}/mean"
            values = pq.read_table(path / META)[column]
            other = [(np.asarray(v) * 0.5 + 0.2).tolist() for v in values.to_pylist()]
            set_column(path / META, column, pa.array(other, values.type))
        return path

    def change(lines: list[Any]) -> list[Any]:
        for line in lines:
            for name in ("action", TOP):
                line["stats"][name]["mean"] = (
                    np.asarray(line["stats"][name]["mean"]) * 0.5 + 0.2
                ).tolist()
        return lines

    edit_lines(path / "meta/episodes_stats.jsonl", change)
    return path


def rows_of(path: Path, column: str) -> list[npt.NDArray[np.float64]]:
    return [
        np.array(e.rows[column].to_pylist(), np.float64).reshape(e.length, -1)
        for e in read(path).episodes
    ]


def rgb(video: Path) -> Iterator[npt.NDArray[np.uint8]]:
    """(pixels, 3) of each frame."""
    with av.open(str(video)) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="rgb24").reshape(-1, 3).astype(np.uint8)


def stored(path: Path) -> list[Stats]:
    return [stats for _, stats in roboreel.open(path).episode_stats()]


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
def test_wrong_ones_become_those_of_the_values(tmp_path: Path, version: Version) -> None:
    path = spoilt(made(tmp_path, version))
    before = tree_digest(path)
    roboreel.write(roboreel.open(path).recompute(), out=tmp_path / "b")
    for rows, stats in zip(rows_of(path, "action"), stored(tmp_path / "b"), strict=True):
        np.testing.assert_allclose(stats["action"]["mean"], rows.mean(axis=0), rtol=1e-9)
        np.testing.assert_allclose(stats["action"]["std"], rows.std(axis=0), rtol=1e-9, atol=1e-12)
        assert stats["action"]["count"].tolist() == [len(rows)]
    assert roboreel.check_stats(tmp_path / "b", cameras="sample").differences == ()
    after = tree_digest(tmp_path / "b")
    kept = [name for name in before if name.startswith(("data/", "videos/"))]
    assert kept
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    assert roboreel.diff(path, tmp_path / "b").differences == ()


def test_over_all_rows_quantiles_are_exact(tmp_path: Path) -> None:
    path = made(tmp_path, "v3.0", features="rich")
    roboreel.write(roboreel.open(path).recompute(cameras="none"), out=tmp_path / "b")
    whole = json.loads((tmp_path / "b/meta/stats.json").read_text("utf-8"))
    names = [n for n, f in roboreel.open(path).features.items() if f.is_numeric]
    assert {"action", "observation.state", "index"} <= set(names)
    for name in names:
        shape = np.array(whole[name]["mean"]).shape
        rows = np.concatenate(rows_of(path, name)).reshape(-1, int(np.prod(shape)))
        for key, share in SHARES.items():
            exact = np.quantile(rows, share, axis=0)
            np.testing.assert_allclose(np.ravel(whole[name][key]), exact, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
def test_only_what_was_asked_for_changes(tmp_path: Path, version: Version) -> None:
    path = spoilt(made(tmp_path, version))
    roboreel.write(roboreel.open(path).recompute(["action"]), out=tmp_path / "b")
    for before, after in zip(stored(path), stored(tmp_path / "b"), strict=True):
        assert after["action"]["mean"].tolist() != before["action"]["mean"].tolist()
        for name in (TOP, "observation.state", "next.reward"):
            for key in ("min", "max", "mean", "std", "count"):
                assert after[name][key].tolist() == before[name][key].tolist()


def test_all_pictures_or_a_sample(tmp_path: Path) -> None:
    path = spoilt(made(tmp_path, "v2.1"))
    counts = {}
    choices: tuple[Literal["sample", "all"], ...] = ("sample", "all")
    for cameras in choices:
        out = tmp_path / cameras
        view = roboreel.open(path).recompute([TOP], cameras=cameras)
        roboreel.write(view, out=out)
        counts[cameras] = [int(stats[TOP]["count"][0]) for stats in stored(out)]
    assert counts == {"sample": [13, 1, 8, 100], "all": list(LENGTHS)}
    assert roboreel.check_stats(tmp_path / "all", features=[TOP], cameras="all").differences == ()


@pytest.mark.sample(1)
@pytest.mark.parametrize("workers", [1, 2])
def test_of_all_pixels_quantiles_are_exact(tmp_path: Path, workers: int) -> None:
    path = made(tmp_path, "v3.0")
    view = roboreel.open(path).recompute([TOP], cameras="all", quantiles=[0.25, 0.005])
    roboreel.write(view, out=tmp_path / "b", workers=workers)
    whole = json.loads((tmp_path / "b/meta/stats.json").read_text("utf-8"))[TOP]
    pixels = np.concatenate([*rgb(next(path.rglob("*.mp4")))])
    wanted = {**SHARES, "q25": 0.25, "q0.5": 0.005}
    assert {key for key in whole if key.startswith("q")} == set(wanted)
    for key, share in wanted.items():
        exact = np.quantile(pixels / 255, share, axis=0)
        np.testing.assert_allclose(np.ravel(whole[key]), exact, rtol=1e-9)


def test_further_quantiles(tmp_path: Path) -> None:
    path = made(tmp_path, "v3.0")
    view = roboreel.open(path).recompute(["action"], quantiles=[0.025, 0.5])
    roboreel.write(view, out=tmp_path / "b")
    for rows, stats in zip(rows_of(path, "action"), stored(tmp_path / "b"), strict=True):
        exact = np.quantile(rows, 0.025, axis=0)
        np.testing.assert_allclose(stats["action"]["q2.5"], exact, rtol=1e-9)
        assert "q2.5" not in stats["observation.state"]
    whole = json.loads((tmp_path / "b/meta/stats.json").read_text("utf-8"))["action"]
    exact = np.quantile(np.concatenate(rows_of(path, "action")), 0.025, axis=0)
    np.testing.assert_allclose(whole["q2.5"], exact, rtol=1e-9)


def test_quantiles_that_cannot_be(tmp_path: Path) -> None:
    dataset = roboreel.open(made(tmp_path, "v2.1"))
    with pytest.raises(
        roboreel.UsageError, match="5 is not a quantile: expected a number from 0 to 1"
    ):
        dataset.recompute(quantiles=[5])
    with pytest.raises(roboreel.PlanError, match=r"v2\.1 cannot store quantiles"):
        roboreel.plan_write(dataset.recompute(quantiles=[0.3]), out=tmp_path / "b")


def test_pictures_in_tables(tmp_path: Path) -> None:
    path = make_dataset(tmp_path / "a", version="v3.0", episodes=(5, 3), features="rich")
    features = roboreel.open(path).features
    (image,) = [name for name, feature in features.items() if feature.dtype == "image"]
    column = f"stats/{image}/max"
    values = pq.read_table(path / META)[column]
    other = [(np.asarray(v) * 0).tolist() for v in values.to_pylist()]
    set_column(path / META, column, pa.array(other, values.type))
    plan = roboreel.plan_write(roboreel.open(path).recompute([image]), out=tmp_path / "b")
    assert "write_tables" not in [op.kind for op in plan.ops]
    roboreel.run(plan)
    assert all(stats[image]["max"].max() > 0 for stats in stored(tmp_path / "b"))
    assert roboreel.check_stats(tmp_path / "b", features=[image], cameras="all").differences == ()


def test_with_other_edits(tmp_path: Path) -> None:
    path = spoilt(made(tmp_path, "v3.0"))
    view = roboreel.open(path).recompute(["action"]).rename({"action": "act"}).keep([0, 3])
    roboreel.write(view, out=tmp_path / "b")
    wanted = [rows_of(path, "action")[at].mean(axis=0) for at in (0, 3)]
    found = [stats["act"]["mean"] for stats in stored(tmp_path / "b")]
    np.testing.assert_allclose(found, wanted, rtol=1e-9)
    both = roboreel.concat([roboreel.open(path), roboreel.open(path).recompute(["action"])])
    roboreel.write(both, out=tmp_path / "c")
    wanted = [rows.mean(axis=0) for rows in rows_of(path, "action")]
    found = [stats["action"]["mean"] for stats in stored(tmp_path / "c")]
    np.testing.assert_allclose(found, wanted * 2, rtol=1e-9)


@pytest.mark.parametrize(
    ("features", "cameras", "says"),
    [
        (["nothing"], "sample", "no feature 'nothing': the dataset has"),
        ([TOP], "none", "it is a camera, and cameras were excluded"),
        (None, "few", "cameras is 'few', expected one of sample, all, none"),
    ],
)
def test_what_cannot_be_asked_for(tmp_path: Path, features: Any, cameras: Any, says: str) -> None:
    path = made(tmp_path, "v2.1")
    with pytest.raises(roboreel.UsageError, match=says):
        roboreel.open(path).recompute(features, cameras=cameras)


@pytest.mark.parametrize(("chunk", "kept"), [(1, ()), (8, ("J2", "gripper")), (50, ("gripper",))])
def test_relative_actions(tmp_path: Path, chunk: int, kept: tuple[str, ...]) -> None:
    path = made(tmp_path, "v3.0")
    names = roboreel.open(path).features["action"].spec["names"]
    names = names if isinstance(names, list) else next(iter(names.values()))
    absolute = [any(word.lower() in str(name).lower() for word in kept) for name in names]
    assert any(absolute) == bool(kept)
    relative = RelativeActions(chunk=chunk, kept=kept)
    view = roboreel.open(path).recompute(["action"], relative_actions=relative)
    roboreel.write(view, out=tmp_path / "b")
    found = []
    pairs = zip(rows_of(path, "action"), rows_of(path, "observation.state"), strict=True)
    for actions, states in pairs:
        for start in range(len(actions) - chunk + 1):
            own = np.where(absolute, 0.0, states[start])
            found.append(actions[start : start + chunk] - own)
    values = np.concatenate(found)
    whole = json.loads((tmp_path / "b/meta/stats.json").read_text("utf-8"))["action"]
    np.testing.assert_allclose(whole["mean"], values.mean(axis=0), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(whole["std"], values.std(axis=0), rtol=1e-9)
    np.testing.assert_allclose(whole["q90"], np.quantile(values, 0.9, axis=0), rtol=1e-12)
    assert whole["count"] == [len(values)]
    means = [rows.mean(axis=0) for rows in rows_of(path, "action")]
    np.testing.assert_allclose([s["action"]["mean"] for s in stored(tmp_path / "b")], means)


def test_like_lerobot(tmp_path: Path) -> None:
    path = made(tmp_path, "v3.0", features="rich")
    view = roboreel.open(path).recompute(cameras="none", like="lerobot-0.6.1")
    roboreel.write(view, out=tmp_path / "b")
    report = roboreel.check_stats(tmp_path / "b")
    assert report.ok
    reasons = {(one.feature, str(one.why)[:15]) for one in report.differences if one.statistics}
    assert {("action", "read from a his"), ("action", "averaged from t")} <= reasons
    assert {key for one in report.differences for key in one.statistics} <= set(SHARES)
    none = roboreel.open(path).recompute(cameras="none", like="lerobot-0.3.3")
    with pytest.raises(roboreel.PlanError, match=r"lerobot-0\.3\.3 computes no quantiles"):
        roboreel.plan_write(none, out=tmp_path / "c")
    roboreel.write(none.with_target("v2.1"), out=tmp_path / "c")
    assert stored(tmp_path / "c")[0]["action"].keys() == {"min", "max", "mean", "std", "count"}
    with pytest.raises(roboreel.UsageError, match="like is 'lerobot-9'"):
        roboreel.open(path).recompute(like="lerobot-9")  # type: ignore[arg-type]


def test_relative_actions_need_a_place_and_a_chunk(tmp_path: Path) -> None:
    path = made(tmp_path, "v2.1")
    view = roboreel.open(path).recompute(["action"], relative_actions=RelativeActions())
    with pytest.raises(roboreel.PlanError, match=r"v2\.1 cannot store"):
        roboreel.plan_write(view, out=tmp_path / "b")
    long = RelativeActions(chunk=151)
    view = roboreel.open(path).recompute(["action"], relative_actions=long)
    with pytest.raises(roboreel.RunError, match="no episode is as long as a chunk"):
        roboreel.write(view.with_target("v3.0"), out=tmp_path / "c")
