"""What a result does not hold of its sources is told; without action, state or camera it is refused."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import roboreel
from roboreel.testing import Camera, make_dataset
from tests.mutate import edit_info, edit_json, episode_table, set_column
from tests.oracle import read

TOP, SIDE = "observation.images.top", "observation.images.side"


def _dataset(folder: Path, version: roboreel.testing.Version = "v2.1", cameras: int = 0) -> Path:
    named = {name: Camera(height=32) for name in (TOP, SIDE)[:cameras]}
    return make_dataset(folder, version=version, episodes=(5, 3, 4), cameras=named)


def _renamed(source: Path, out: Path, **names: str) -> Path:
    roboreel.write(roboreel.open(source).rename(names), out=out)
    return out


def _column_dropped(source: Path, name: str) -> None:
    for path in source.rglob("*.parquet"):
        table = pq.read_table(path)
        if name in table.column_names:
            pq.write_table(table.drop_columns([name]), path)


@pytest.fixture
def two(tmp_path: Path) -> list[roboreel.Dataset]:
    """Datasets of which one calls the action otherwise."""
    first = _dataset(tmp_path / "first")
    other = _renamed(first, tmp_path / "other", action="act")
    return [roboreel.open(first), roboreel.open(other)]


def test_a_merge_without_the_action_is_refused(two: list[roboreel.Dataset], tmp_path: Path) -> None:
    view = roboreel.concat(two, features="common")
    with pytest.raises(roboreel.PlanError, match=r'allow_missing=\["action"') as caught:
        roboreel.plan_write(view, out=tmp_path / "out")
    assert "'action': " in str(caught.value)
    assert "'act'" not in str(caught.value)


def test_a_merge_without_the_action_tells_of_it(
    two: list[roboreel.Dataset], tmp_path: Path
) -> None:
    view = roboreel.concat(two, features="common", allow_missing=["action"])
    report = roboreel.write(view.with_target("v3.0"), out=tmp_path / "out")
    assert "action" not in read(tmp_path / "out").info["features"]
    for name in ("action", "act"):
        assert any(loss.startswith(f"feature '{name}': ") for loss in report.losses)
    assert report.to_json()["losses"] == list(report.losses)


@pytest.mark.parametrize("name", ["observation.state", "action"])
@pytest.mark.parametrize("version", ["v2.0", "v2.1", "v3.0"])
def test_a_declared_column_that_no_table_has_is_refused(
    tmp_path: Path, name: str, version: roboreel.testing.Version
) -> None:
    source = _dataset(tmp_path / "a", version)
    _column_dropped(source, name)
    with pytest.raises(roboreel.PlanError, match=rf'allow_missing=\["{name}"'):
        roboreel.plan_convert(source, to="v3.0", out=tmp_path / "b")
    plan = roboreel.plan_convert(source, to="v3.0", out=tmp_path / "b", allow_missing=[name])
    assert f"feature '{name}': no table has this column" in plan.losses


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
def test_a_camera_without_videos_is_refused(
    tmp_path: Path, version: roboreel.testing.Version
) -> None:
    source = _dataset(tmp_path / "a", version, cameras=2)
    for folder in source.rglob(SIDE):
        shutil.rmtree(folder)
    with pytest.raises(roboreel.PlanError, match=rf'allow_missing=\["{SIDE}"'):
        roboreel.plan_convert(source, to="v2.1", out=tmp_path / "b")
    plan = roboreel.plan_convert(source, to="v2.1", out=tmp_path / "b", allow_missing=[SIDE])
    assert f"feature '{SIDE}': none of its videos exists" in plan.losses
    by_name = roboreel.plan_write(roboreel.open(source).remove(SIDE), out=tmp_path / "b")
    assert f"feature '{SIDE}': removed on request" in by_name.losses


def test_the_last_camera_does_not_take_one_without_videos_along(tmp_path: Path) -> None:
    source = _dataset(tmp_path / "a", cameras=2)
    for folder in source.rglob(SIDE):
        shutil.rmtree(folder)
    view = roboreel.open(source).remove(TOP)
    with pytest.raises(roboreel.PlanError, match=rf'allow_missing=\["{SIDE}"'):
        roboreel.plan_write(view, out=tmp_path / "b")
    plan = roboreel.plan_write(view.with_target(allow_missing=[SIDE]), out=tmp_path / "b")
    assert plan.model.info.cameras == ()
    assert {loss.split("'")[1] for loss in plan.losses} == {TOP, SIDE}


def test_a_dataset_without_any_video_is_written_where_that_is_allowed(tmp_path: Path) -> None:
    source = _dataset(tmp_path / "a", cameras=2)
    shutil.rmtree(source / "videos")
    with pytest.raises(roboreel.DatasetError, match="the videos are missing"):
        roboreel.plan_convert(source, to="v3.0", out=tmp_path / "b", allow_missing=[SIDE])
    both = [SIDE, TOP]
    report = roboreel.convert(source, to="v3.0", out=tmp_path / "b", allow_missing=both)
    assert (report.cameras, report.frames) == (0, 12)


def test_a_camera_renamed_is_allowed_by_its_new_name(tmp_path: Path) -> None:
    source = _dataset(tmp_path / "a", cameras=2)
    shutil.rmtree(source / "videos")
    view = roboreel.open(source).rename({TOP: "up"}).remove(SIDE)
    plan = roboreel.plan_write(view.with_target(allow_missing=["up"]), out=tmp_path / "b")
    assert "feature 'up': none of its videos exists" in plan.losses


def test_one_source_without_a_cameras_videos_stops_a_merge(tmp_path: Path) -> None:
    first, other = (_dataset(tmp_path / name, cameras=2) for name in ("a", "b"))
    for folder in other.rglob(SIDE):
        shutil.rmtree(folder)
    parts = [roboreel.open(first), roboreel.open(other)]
    with pytest.raises(roboreel.UsageError, match=f"'{SIDE}': its videos are only in '{first}'"):
        roboreel.concat(parts)
    common = roboreel.concat(parts, features="common")
    with pytest.raises(roboreel.PlanError, match=rf'allow_missing=\["{SIDE}"'):
        roboreel.plan_write(common, out=tmp_path / "out")
    plan = roboreel.plan_write(common.with_target(allow_missing=[SIDE]), out=tmp_path / "out")
    assert plan.model.info.cameras == (TOP,)
    without = roboreel.concat([part.remove(SIDE) for part in parts])
    assert roboreel.plan_write(without, out=tmp_path / "out").model.info.cameras == (TOP,)


def test_a_camera_without_videos_in_every_source_stops_a_merge(tmp_path: Path) -> None:
    sources = [_dataset(tmp_path / name, cameras=2) for name in ("a", "b")]
    for folder in tmp_path.rglob(SIDE):
        shutil.rmtree(folder)
    view = roboreel.concat([roboreel.open(source) for source in sources])
    with pytest.raises(roboreel.PlanError, match=rf'allow_missing=\["{SIDE}"'):
        roboreel.plan_write(view, out=tmp_path / "out")


def test_a_name_that_no_dataset_has_cannot_be_allowed(tmp_path: Path) -> None:
    source = _dataset(tmp_path / "a")
    with pytest.raises(roboreel.UsageError, match="allow_missing has 'acton'"):
        roboreel.plan_convert(source, to="v3.0", out=tmp_path / "b", allow_missing=["acton"])
    with pytest.raises(roboreel.UsageError, match="a list of names"):
        roboreel.plan_convert(source, to="v3.0", out=tmp_path / "b", allow_missing="action")


def test_removed_features_and_their_masks_are_told(tmp_path: Path) -> None:
    source = _dataset(tmp_path / "a")
    view = roboreel.open(source).remove("action", "next.done")
    plan = roboreel.plan_write(view, out=tmp_path / "b")
    assert plan.losses == (
        "feature 'action': removed on request",
        "feature 'next.done': removed on request",
    )
    added = roboreel.open(source).add("more", [1.0] * 12).remove("more")
    assert roboreel.plan_write(added, out=tmp_path / "b").losses == ()


TASKS = ("pick up the red cube", "fold the towel", "öffne die Schublade")
FEWER: dict[str, tuple[Callable[[roboreel.Dataset], roboreel.View], set[str]]] = {
    "delete": (lambda d: d.delete([1]), {TASKS[1]}),
    "keep": (lambda d: d.keep(task=TASKS[1]), {TASKS[0], TASKS[2]}),
    "replaced": (lambda d: d.set_tasks(replacing={TASKS[0]: "else"}), set()),
    "all told anew": (lambda d: d.set_tasks("else"), set()),
    "order": (lambda d: d.reorder([2, 1, 0]), set()),
}


@pytest.mark.parametrize("case", FEWER)
def test_tasks_that_no_episode_has_any_more_are_told(tmp_path: Path, case: str) -> None:
    edit, gone = FEWER[case]
    plan = roboreel.plan_write(edit(roboreel.open(_dataset(tmp_path / "a"))), out=tmp_path / "b")
    assert set(plan.losses) == {f"task '{text}': no episode of the result uses it" for text in gone}


def test_a_split_of_which_no_episode_stays_is_told(tmp_path: Path) -> None:
    source = make_dataset(tmp_path / "a", version="v3.0", episodes=(2, 2, 2), cameras={})
    edit_info(source, splits={"train": "0:2", "val": "2:3"})
    plan = roboreel.plan_write(roboreel.open(source).delete([2]), out=tmp_path / "b")
    assert "the split 'val': no episode of the result is in it" in plan.losses


def test_files_that_stay_behind_are_told(tmp_path: Path) -> None:
    source = _dataset(tmp_path / "a")
    for name in ("images/top/one.png", ".git/config", ".git/HEAD", ".gitattributes", "data/.lock"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text("x")
    for n in range(30):
        path = source / f"raw/{n}.bin"
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
    (source / ".cache/huggingface").mkdir(parents=True)
    (source / ".cache/huggingface/note").write_text("x")
    plan = roboreel.plan_convert(source, to="v3.0", out=tmp_path / "b")
    assert sorted(loss.partition(":")[0] for loss in plan.losses) == [
        "2 files in '.git/'",
        "30 files in 'raw/'",
        "file '.gitattributes'",
        "file 'data/.lock'",
        "file 'images/top/one.png'",
    ]


def test_a_merge_tells_whose_files_stay_behind(tmp_path: Path) -> None:
    sources = [_dataset(tmp_path / name) for name in "ab"]
    (sources[1] / "images").mkdir()
    (sources[1] / "images/one.png").write_text("x")
    (sources[1] / ".note").write_text("x")
    view = roboreel.concat([roboreel.open(source) for source in sources])
    plan = roboreel.plan_write(view, out=tmp_path / "c")
    assert [loss.partition(":")[0] for loss in plan.losses if loss.startswith("file")] == [
        f"file 'images/one.png' of '{sources[1]}'",
        f"file '.note' of '{sources[1]}'",
    ]


def test_what_later_sources_declare_otherwise_is_told(tmp_path: Path) -> None:
    sources = [_dataset(tmp_path / name) for name in ("a", "b")]
    for source, keys in zip(sources, ({"names": None}, {"unit": "rad"}), strict=True):
        edit_json(
            source / "meta/info.json",
            lambda info, keys=keys: info["features"]["action"].update(keys),  # type: ignore[misc]
        )
    plan = roboreel.plan_write(
        roboreel.concat([roboreel.open(source) for source in sources]), out=tmp_path / "out"
    )
    assert plan.losses == (
        f"'unit' of feature 'action' in '{sources[1]}': only the value of the first dataset is kept",
        f"'names' of feature 'action' in '{sources[1]}': only the value of the first dataset is kept",
    )


def test_columns_of_episodes_that_have_no_room_are_told(tmp_path: Path) -> None:
    source = _dataset(tmp_path / "a", "v3.0", cameras=1)
    assert roboreel.open(source).problems == ()
    (path,) = (source / "meta/episodes").rglob("*.parquet")
    set_column(path, "videos/gone/chunk_index", pa.array([0, 0, 0]))
    plan = roboreel.plan_convert(source, to="v3.0", out=tmp_path / "b")
    (loss,) = plan.losses
    assert loss.startswith("column 'videos/gone/chunk_index': ")


def test_columns_that_no_feature_can_have_are_told(tmp_path: Path) -> None:
    source = _dataset(tmp_path / "a", cameras=1)
    for episode, length in enumerate((5, 3, 4)):
        set_column(episode_table(source, episode), "..", pa.array([1] * length))
        set_column(episode_table(source, episode), TOP, pa.array([1] * length))
    plan = roboreel.plan_convert(source, to="v3.0", out=tmp_path / "b")
    assert [loss.partition(": ")[0] for loss in plan.losses] == ["feature '..'", f"feature '{TOP}'"]


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_links_that_lead_out_are_told(tmp_path: Path) -> None:
    source = _dataset(tmp_path / "a")
    (tmp_path / "notes.txt").write_text("x")
    (source / "notes.txt").symlink_to(tmp_path / "notes.txt")
    plan = roboreel.plan_convert(source, to="v3.0", out=tmp_path / "b")
    (loss,) = plan.losses
    assert loss.startswith("file 'notes.txt': the link leads out")


def test_differences_have_a_line_per_feature_and_the_rename(tmp_path: Path) -> None:
    cameras = {TOP: Camera(height=32, gop=2)}
    many = [
        roboreel.open(make_dataset(tmp_path / f"s{n}", episodes=(2,), cameras=cameras))
        for n in range(5)
    ]
    other = many[3].rename({TOP: "observation.images.front"})
    with pytest.raises(roboreel.UsageError) as raised:
        roboreel.concat([*many[:3], other, many[4].remove("action")])
    said, *lines = str(raised.value).splitlines()
    renaming = f'rename={{"observation.images.front": "{TOP}"}}'
    assert said == (
        f'the datasets do not have the same features: pass {renaming} and features="pad" (takes'
        f" observation.images.front as {TOP}; fills the gaps with zeros), or"
        f' features="common" and allow_missing=["action", "{TOP}", "observation.images.front"] (leaves out'
        f" action, {TOP}, observation.images.front)"
    )
    urls = [one.url for one in many]
    assert sorted(lines) == sorted(
        [
            f"  - 'action': missing in '{urls[4]}'",
            f"  - '{TOP}': missing in '{urls[3]}'",
            f"  - 'observation.images.front': only in '{urls[3]}'",
        ]
    )
    merged = roboreel.concat([many[0], other], rename={"observation.images.front": TOP})
    assert merged.camera_keys == (TOP,)
    with pytest.raises(roboreel.UsageError) as raised:
        roboreel.concat([many[0], other])
    assert f"pass {renaming} (takes observation.images.front as {TOP}), or" in str(raised.value)
