"""Each edit of the real datasets, in each version they have, does what it does to a model in memory."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import roboreel
from roboreel.edit.view import Verbs
from tests.edit_model import Dataset, beyond_copies, digest, mismatch, model_of
from tests.judge import cell_bits, faults, sound
from tests.oracle import INDEX_COLUMNS, Reading, read
from tests.real.test_conversion import (
    BY_LEROBOT,
    EXTRA_FILES,
    MISSING,
    TIMESTAMP_ERROR_S,
    WITHOUT_VIDEOS,
    WRONG_STATS,
)

StatsKey = Callable[[str], Path]
ReadOnce = Callable[[str], Reading]

GR00T, CR5 = "gr00t_robot_sim_PickNPlace_v20", "cr5_v21_av1_first20"
SETS = (*(f"by_lerobot/{n}" for n in BY_LEROBOT), "so101_rosbag_v30", "pusht_image_slice_v30")
TOP = "observation.images.top"
NUMBERED_CUT = (20, 35)
"""Of the first episode: it starts and ends at keyframes, whatever made the set."""


def held(view: Verbs, model: Dataset, out: Path, *, name: str, source: Path) -> Reading:
    """Write a view, and hold the result against the model and the rules of the format."""
    report = roboreel.write(view.as_view(), out=out)
    assert report.frames_encoded == 0
    result = read(sound(out))
    assert mismatch(model, result, statistics=False) == []
    found = faults(
        result,
        extra_files=EXTRA_FILES.get(name, ()),
        timestamp_error_s=TIMESTAMP_ERROR_S.get(name, 0.0),
        wrong_stats=[renamed for n in WRONG_STATS.get(name, ()) for renamed in (n, f"arm.{n}")],
    )
    copied = {digest(path) for path in source.rglob("*.parquet")}
    assert beyond_copies(found, out, copied) == []
    assert errors_of(out) <= errors_of(source)
    return result


@functools.cache
def errors_of(root: Path) -> set[str]:
    """Rules that a dataset breaks."""
    return {p.rule for p in roboreel.check(root).problems if p.severity == "error"}


@pytest.fixture(scope="module")
def models(reading: ReadOnce) -> Callable[[str], Dataset]:
    """Gives the model of a dataset by its name."""
    found: dict[str, Dataset] = {}

    def model(name: str) -> Dataset:
        if name not in found:
            found[name] = model_of(reading(name))
        return found[name]

    return model


@pytest.fixture(params=SETS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


Models = Callable[[str], Dataset]


def test_episodes_are_deleted_and_kept(
    untouched: StatsKey, models: Models, tmp_path: Path, name: str
) -> None:
    source, model = untouched(name), models(name)
    dataset = roboreel.open(source)
    held(dataset.delete([1]), model.delete([1]), tmp_path / "a", name=name, source=source)
    last = len(model) - 1
    held(dataset.keep([0, last]), model.keep([0, last]), tmp_path / "b", name=name, source=source)


def test_parts_of_a_split_hold_each_episode_once(
    untouched: StatsKey, models: Models, tmp_path: Path, name: str
) -> None:
    source, model = untouched(name), models(name)
    first = int(len(model) * 0.8)
    expected = {"train": range(first), "val": range(first, len(model))}
    views = roboreel.open(source).split({"train": 0.8, "val": 0.2})
    assert list(views) == list(expected)
    for part, view in views.items():
        out = tmp_path / part
        held(view, model.keep(expected[part]), out, name=name, source=source)


def test_a_dataset_is_merged_with_itself(
    untouched: StatsKey, models: Models, tmp_path: Path, name: str
) -> None:
    source, model = untouched(name), models(name)
    view = roboreel.concat([roboreel.open(source), roboreel.open(source).keep([0])])
    held(view, model.joined(model.keep([0])), tmp_path / "out", name=name, source=source)


def test_an_episode_is_cut(untouched: StatsKey, models: Models, tmp_path: Path, name: str) -> None:
    source, model = untouched(name), models(name)
    cut = {0: NUMBERED_CUT, len(model) - 1: (0, 5)}
    view, expected = roboreel.open(source).trim(cut), model.trim(cut)
    if model.version != "v3.0":  # GOP 2: 20 begins one
        cut = {0: (20, model.lengths[0])}
        view, expected = roboreel.open(source).trim(cut), model.trim(cut)
    held(view, expected, tmp_path / "out", name=name, source=source)


def test_features_and_order_change_and_tasks_too(
    untouched: StatsKey, models: Models, tmp_path: Path, name: str
) -> None:
    source, model = untouched(name), models(name)
    order = list(reversed(range(len(model))))
    values = np.arange(sum(model.lengths) * 2, dtype=np.float64).reshape(-1, 2)
    names = {"action": "arm.action"} | ({TOP: "front"} if TOP in model.features else {})
    old = model.tasks[0]
    view = roboreel.open(source).add("extra", values).reorder(order).rename(names)
    expected = model.add("extra", values).keep(order).rename(names)
    view = view.remove("observation.state").set_tasks(replacing={old: "another"})
    expected = expected.remove(["observation.state"]).set_tasks(replacing={old: "another"})
    held(view, expected, tmp_path / "out", name=name, source=source)


def test_what_was_edited_is_edited_again_in_another_version(
    untouched: StatsKey, models: Models, tmp_path: Path, name: str
) -> None:
    source, model = untouched(name), models(name)
    held(
        roboreel.open(source).delete([0]),
        model.delete([0]),
        tmp_path / "once",
        name=name,
        source=source,
    )
    other = "v2.1" if model.version == "v3.0" else "v3.0"
    roboreel.convert(tmp_path / "once", to=other, out=tmp_path / other)
    order = [len(model) - 2, *range(len(model) - 2)]
    again = roboreel.open(tmp_path / other).reorder(order)
    expected = model.delete([0]).written_as(other).keep(order)
    held(again, expected, tmp_path / "twice", name=name, source=tmp_path / other)


@pytest.mark.parametrize("name", [GR00T, CR5])
def test_recorded_timestamps_stay_as_they_are(
    untouched: StatsKey, reading: ReadOnce, tmp_path: Path, name: str
) -> None:
    source, out = untouched(name), tmp_path / "out"
    model = model_of(reading(name), episodes=range(3)).keep([0, 2])
    view = roboreel.open(source).keep([0, 2]).with_target(allow_missing=MISSING.get(name, ()))
    roboreel.write(view, out=out)
    result = read(sound(out))
    found = faults(result, extra_files=EXTRA_FILES.get(name, ()), timestamp_error_s=5)
    assert beyond_copies(found, out, {digest(path) for path in source.rglob("*.parquet")}) == []
    for was, take, episode in zip((0, 2), model.takes, result.episodes, strict=True):
        assert episode.tasks == take.tasks
        for camera in result.cameras:
            assert [f.digest for f in take.frames[camera]] == result.digests(episode, camera)
        for column in take.rows.column_names:
            assert cell_bits(episode.rows[column]) == cell_bits(take.rows[column]), column
        recorded = reading(name).episodes[was].rows["timestamp"]
        assert cell_bits(episode.rows["timestamp"]) == cell_bits(recorded)
        assert set(take.rows.column_names) == set(episode.rows.column_names) - {*INDEX_COLUMNS}


def test_merging_every_version_of_one_recording_keeps_all(
    untouched: StatsKey, models: Models, tmp_path: Path
) -> None:
    names = [
        "by_lerobot/v3.0-lerobot-0.6.1-av1",
        "by_lerobot/v2.1-lerobot-0.3.3-av1",
        "by_lerobot/v2.0-from-0.3.3-h264",
        "by_lerobot/v3.0-lerobot-0.4.4-av1-many-files",
    ]
    view = roboreel.concat([roboreel.open(untouched(one)) for one in names])
    report = roboreel.write(view, out=tmp_path / "out")
    assert report.frames_encoded == 0
    expected = models(names[0])
    for one in names[1:]:
        expected = expected.joined(models(one))
    assert mismatch(expected, read(sound(tmp_path / "out")), statistics=False) == []


def test_a_dataset_without_its_videos_is_edited_once_its_cameras_are_left_out(
    untouched: StatsKey, tmp_path: Path
) -> None:
    source = untouched(WITHOUT_VIDEOS)
    dataset = roboreel.open(source)
    with pytest.raises(roboreel.RoboreelError, match="the videos are missing"):
        roboreel.write(dataset.delete([0]), out=tmp_path / "out")
    assert not list(tmp_path.iterdir())
    roboreel.write(dataset.remove(*dataset.cameras).delete([0]), out=tmp_path / "out")
    result, was = read(sound(tmp_path / "out")), read(source)
    assert [e.length for e in result.episodes] == [e.length for e in was.episodes[1:]]
    assert faults(result, extra_files=["README.md"]) == []
