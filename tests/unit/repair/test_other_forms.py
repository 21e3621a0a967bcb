"""What is in another form or folder than the format has it, and can only mean one thing."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

import roboreel
from roboreel import RepairChoices
from roboreel.testing import Camera, make_dataset
from tests.mutate import copied, edit_table, set_column
from tests.unit.check.breaks import DATA_FILE, EPISODES_FILE, with_plain_images

TOP, WRIST = "observation.images.top", "observation.images.wrist"
LENGTHS = (12, 9)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("placed") / "sound"
    cameras = {TOP: Camera(), WRIST: Camera()}
    return make_dataset(folder, version="v3.0", episodes=LENGTHS, cameras=cameras, features="rich")


@pytest.fixture
def root(sound: Path, tmp_path: Path) -> Path:
    return copied(sound, tmp_path / "a")


def _repaired(root: Path, sound: Path, **choices: object) -> roboreel.RepairReport:
    out = root.parent / "b"
    report = roboreel.repair(root, out=out, choices=RepairChoices(**choices))  # type: ignore[arg-type]  # of tests
    assert report.ok, report.left
    assert roboreel.diff(sound, out).same
    return report


def test_videos_in_another_folder_are_put_to_their_own(root: Path, sound: Path) -> None:
    (root / "videos" / TOP).rename(root / "videos/top")
    report = _repaired(root, sound)
    assert f"a video of '{TOP}' in the wrong folder: moved to the camera's folder" in {
        step.message for step in report.repaired
    }


def test_two_folders_that_can_be_meant_are_left(root: Path, tmp_path: Path) -> None:
    (root / "videos" / TOP).rename(root / "videos/top")
    (root / "videos/images.top").mkdir()
    copied(root / "videos/top/chunk-000", root / "videos/images.top/chunk-000")
    with pytest.raises(roboreel.PlanError, match=TOP):
        roboreel.repair(root, out=tmp_path / "b")


def test_a_stray_table_of_episodes_is_put_where_readers_look(root: Path, sound: Path) -> None:
    (root / EPISODES_FILE).rename(root / "meta/episodes/file-000.parquet")
    _repaired(root, sound)


def test_index_columns_and_numbers_of_episodes_stored_as_doubles_become_integers(
    root: Path, sound: Path
) -> None:
    table = root / DATA_FILE
    for name in ("frame_index", "episode_index", "index", "task_index"):
        edit_table(table, partial(_as_double, name=name))
    edit_table(root / EPISODES_FILE, partial(_as_double, name="length"))
    _repaired(root, sound)
    repaired = roboreel.open(root.parent / "b")
    (rows,) = repaired.rows([(0, 0, 12)])
    assert {str(rows.schema.field(n).type) for n in ("index", "task_index")} == {"int64"}


def _as_double(found: pa.Table, name: str) -> pa.Table:
    at = found.column_names.index(name)
    return found.set_column(at, name, pc.cast(found[name], pa.float64()))


def test_plain_bytes_of_images_become_image_structs(root: Path, sound: Path) -> None:
    edit_table(root / DATA_FILE, with_plain_images)
    _repaired(root, sound)
    (rows,) = roboreel.open(root.parent / "b").rows([(0, 0, 1)])
    assert pa.types.is_struct(rows.schema.field("observation.images.still").type)


def test_tasks_follow_the_rows_or_the_list(root: Path, tmp_path: Path) -> None:
    names = roboreel.open(root).tasks
    texts = [["other"], *roboreel.open(root).episodes["tasks"].to_pylist()[1:]]
    set_column(root / EPISODES_FILE, "tasks", pa.array(texts, pa.list_(pa.string())))
    left = roboreel.repair(root, out=tmp_path / "left")
    assert "task.rows" in {step.rule for step in left.left}
    for counts, expected in (("rows", [names[0]]), ("episodes", ["other"])):
        out = tmp_path / counts
        roboreel.repair(root, out=out, choices=RepairChoices(tasks_from=counts))  # type: ignore[arg-type]
        repaired = roboreel.open(out)
        assert repaired.episodes["tasks"][0].as_py() == expected
        assert repaired.tasks_of_rows()[0] == expected
        assert "task.rows" not in {p.rule for p in roboreel.check(out).problems}


def test_meta_is_made_again_from_tables_and_videos(root: Path, sound: Path, tmp_path: Path) -> None:
    for path in (root / "meta").rglob("*"):
        if path.is_file():
            path.unlink()
    with pytest.raises(roboreel.PlanError, match=r"task\.resolves"):
        roboreel.repair(root, out=tmp_path / "b")
    texts = list(roboreel.open(sound).tasks.values())
    report = roboreel.repair(root, out=tmp_path / "b", choices=RepairChoices(tasks=texts))
    assert report.ok
    found, known = roboreel.open(tmp_path / "b"), roboreel.open(sound)
    assert (found.fps, found.version, dict(found.tasks)) == (
        known.fps,
        known.version,
        dict(known.tasks),
    )
    assert set(found.features) == set(known.features)
    differences = roboreel.diff(sound, tmp_path / "b").differences
    assert {one.kind for one in differences} <= {"features", "info"}


def test_cameras_without_files_are_left_out_only_on_request(root: Path, tmp_path: Path) -> None:
    for path in (root / "videos" / TOP).rglob("*.mp4"):
        path.unlink()
    left = roboreel.repair(root, out=tmp_path / "b")
    assert left.out is None
    assert "drop_missing_cameras=True" in left.left[0].choice
    choices = RepairChoices(drop_missing_cameras=True)
    assert roboreel.repair(root, out=tmp_path / "b", choices=choices).ok
    assert roboreel.open(tmp_path / "b").cameras == (WRIST,)
