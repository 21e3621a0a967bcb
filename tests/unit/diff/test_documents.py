"""Documents and files: what differs is found, what versions only spell differently is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import roboreel
from roboreel.testing import make_dataset
from tests.mutate import copied, edit_info, edit_json, edit_lines, episode_table, set_column
from tests.unit.diff.bases import EPISODES, SIDE, TOP, noted, places

INFO, EPISODE_LINES = "meta/info.json", "meta/episodes.jsonl"
Edit = Callable[[Any], object]


def _feature(name: str, **values: Any) -> Edit:
    return lambda info: info["features"][name].update(values)


def _facts(name: str, **values: Any) -> Edit:
    return lambda info: info["features"][name]["info"].update(values)


def _without(name: str) -> Edit:
    return lambda info: info["features"].pop(name)


DIFFERENT: dict[str, tuple[Edit, str, str | None, str]] = {
    "fps": (lambda info: info.update(fps=25), "info", None, "fps 30 against 25"),
    "robot": (lambda info: info.update(robot_type="koch"), "info", None, "'koch'"),
    "own key": (lambda info: info.update(mine={"a": [1]}), "info", None, "'mine': nothing against"),
    "splits": (
        lambda info: info.update(splits={"train": "0:2", "test": "2:3"}),
        "info",
        None,
        "'test'",
    ),
    "shape": (_feature("action", shape=[7]), "features", "action", "shape [6] against [7]"),
    "dtype": (_feature("action", dtype="float64"), "features", "action", "dtype float32"),
    "names": (_feature("action", names=["a"] * 6), "features", "action", "names"),
    "key": (_feature("action", unit="rad"), "features", "action", "'unit'"),
    "codec": (_facts(TOP, **{"video.codec": "av1"}), "features", TOP, "'video.codec'"),
    "depth": (_facts(TOP, **{"video.is_depth_map": True}), "features", TOP, "depth"),
    "depth code": (_facts(TOP, **{"video.depth_max": 3.5}), "features", TOP, "video.depth_max"),
    "undeclared": (_without("action"), "features", "action", "declared in the first only"),
    "declared": (
        lambda info: info["features"].update(ghost={"dtype": "float32", "shape": [1]}),
        "features",
        "ghost",
        "declared in the second only",
    ),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_a_difference_of_info_is_found(first: Path, second: Path, name: str) -> None:
    edit, kind, column, says = DIFFERENT[name]
    edit_json(second / INFO, edit)
    report = roboreel.diff(first, second)
    found = [d for d in report.differences if d.kind not in ("timestamps", "places")]
    assert [(d.kind, d.column) for d in found] == [(kind, column)]
    assert says in found[0].what


SAME: dict[str, tuple[Edit, set[str]]] = {
    "spelling of fps": (lambda info: info.update(fps=30.0), {"info"}),
    "totals": (lambda info: info.update(total_frames=7), set()),
    "template": (lambda info: info.update(data_path="nowhere/{episode_index}"), set()),
    "left-over fps": (_feature("action", fps=30), {"features"}),
    "names in a dict": (
        lambda info: info["features"]["action"].update(
            names={"motors": info["features"]["action"]["names"]}
        ),
        {"features"},
    ),
    "video_info": (
        lambda info: info["features"][TOP].update(video_info=info["features"][TOP].pop("info")),
        set(),
    ),
    "no video facts": (lambda info: info["features"][TOP].pop("info"), {"features"}),
    "no names": (_feature("next.reward", names=None), set()),
    "order": (
        lambda info: info.update(features=dict(reversed(info["features"].items()))),
        {"features"},
    ),
    "no splits": (lambda info: info.pop("splits"), set()),
}


@pytest.mark.parametrize("name", SAME)
def test_what_is_only_spelled_otherwise_is_the_same(first: Path, second: Path, name: str) -> None:
    edit, kinds = SAME[name]
    edit_json(second / INFO, edit)
    for pair in ((first, second), (second, first)):
        report = roboreel.diff(*pair)
        assert report.differences == ()
        assert noted(report) == kinds


def test_facts_that_a_new_encoding_changes_are_notes_where_pictures_are_compared(
    first: Path, second: Path
) -> None:
    edit_json(second / INFO, _facts(TOP, **{"video.codec": "av1"}))
    assert roboreel.diff(first, second, decode=True).same


def test_a_column_declared_anew_is_a_note(first: Path, second: Path) -> None:
    edit_json(second / INFO, _without("next.reward"))
    report = roboreel.diff(second, first)
    assert report.same
    assert noted(report) == {"features"}


def test_the_number_of_episodes_counts(first: Path, second: Path) -> None:
    edit_lines(second / EPISODE_LINES, lambda lines: lines[:2])
    report = roboreel.diff(first, second)
    assert places(report) == [("episodes", None, None, None)]
    assert report.differences[0].what == "3 against 2 episodes"
    assert report.compared.episodes == 2


def test_episodes_in_another_order_are_found(tmp_path: Path) -> None:
    one = make_dataset(tmp_path / "a", version="v2.1", episodes=(4, 4), cameras={})
    two = copied(one, tmp_path / "b")
    paths = episode_table(two, 0), episode_table(two, 1)
    tables = [pq.ParquetFile(path).read() for path in paths]
    for path, table in zip(paths, reversed(tables), strict=True):
        pq.write_table(table, path)
    report = roboreel.diff(one, two)
    assert {kind for kind, *_ in places(report)} >= {"values", "row-tasks", "index"}
    assert report.differences[0].episodes == 2


@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_task_text_of_an_episode_is_found(first: Path, second: Path, position: int) -> None:
    def change(lines: list[Any]) -> list[Any]:
        lines[position]["tasks"][0] += "!"
        return lines

    edit_lines(second / EPISODE_LINES, change)
    found = places(roboreel.diff(first, second))
    assert ("tasks", position, None, None) in found
    assert {kind for kind, *_ in found} == {"tasks"}


def test_a_text_of_the_task_list_is_found_in_list_and_rows(first: Path, second: Path) -> None:
    def change(lines: list[Any]) -> list[Any]:
        lines[3]["task"] = "something else"
        return lines

    edit_lines(second / "meta/tasks.jsonl", change)
    report = roboreel.diff(first, second)
    assert [(kind, *place[:2]) for kind, *place in places(report)] == [
        ("tasks", None, None),
        ("row-tasks", 2, 3),
    ]
    assert "'something else'" in report.differences[-1].what


def test_an_unused_task_counts(first: Path, second: Path) -> None:
    edit_lines(
        second / "meta/tasks.jsonl", lambda lines: [*lines, {"task_index": 9, "task": "rest"}]
    )
    (found,) = roboreel.diff(first, second).differences
    assert (found.kind, found.what) == ("tasks", "only the second lists 'rest'")


def test_an_episode_that_lists_no_task_may_list_those_of_its_rows(
    first: Path, second: Path
) -> None:
    edit_lines(
        second / EPISODE_LINES, lambda lines: [lines[0], {**lines[1], "tasks": []}, lines[2]]
    )
    assert roboreel.diff(second, first).same
    assert places(roboreel.diff(first, second)) == [("tasks", 1, None, None)]


@pytest.mark.parametrize(
    ("a", "b"),
    [(1, 2), (1, None), (1, 1.0), ({"a": [1, "x"]}, {"a": [1, "y"]}), ("x", ["x"]), (True, 1)],
)
def test_a_key_of_an_episode_counts(first: Path, tmp_path: Path, a: Any, b: Any) -> None:
    roots = []
    for side, value in zip("ab", (a, b), strict=True):
        root = copied(first, tmp_path / side)
        if value is not None:
            edit_lines(root / EPISODE_LINES, partial(_with_key, value=value))
        roots.append(root)
    assert places(roboreel.diff(*roots)) == [("extras", 2, None, "mine")]
    assert roboreel.diff(roots[0], roots[0]).same


def _with_key(lines: list[Any], *, value: Any) -> list[Any]:
    return [*lines[:2], {**lines[2], "mine": value}]


def test_extra_columns_of_v30_are_compared(first_v30: Path, second_v30: Path) -> None:
    path = "meta/episodes/chunk-000/file-000.parquet"
    set_column(second_v30 / path, "mine", pa.array([1.5, 2.5, 3.5]))
    assert places(roboreel.diff(first_v30, second_v30)) == [("extras", 0, None, "mine")]


def test_a_file_that_travels_counts(first: Path, second: Path) -> None:
    (second / "meta/modality.json").write_text("{}")
    (found,) = roboreel.diff(first, second).differences
    assert (found.kind, found.path, found.what) == (
        "files",
        "meta/modality.json",
        "only the second has this file",
    )


def test_one_byte_of_a_file_counts(first: Path, second: Path) -> None:
    other = copied(first, second.parent / "c")
    data = bytes(range(256)) * 9000  # more than is read at once
    for root in (second, other):
        (root / "README.md").write_bytes(data)
    assert roboreel.diff(second, other).same
    (other / "README.md").write_bytes(data[:2_000_000] + b"x" + data[2_000_001:])
    (found,) = roboreel.diff(second, other).differences
    assert found.what == "the first difference is at byte 2000000"
    (other / "README.md").write_bytes(data[:-1])
    (found,) = roboreel.diff(second, other).differences
    assert "bytes against" in found.what


def test_files_that_stay_behind_are_notes(first: Path, second: Path) -> None:
    place = second / "images/raw/0.png"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"x")
    report = roboreel.diff(first, second)
    assert report.same
    assert noted(report) == {"files"}


def test_statistics_are_notes(first: Path, second: Path) -> None:
    def change(lines: list[Any]) -> list[Any]:
        lines[1]["stats"]["action"]["mean"][2] += 0.5
        del lines[2]["stats"]["next.reward"]
        return lines

    edit_lines(second / "meta/episodes_stats.jsonl", change)
    report = roboreel.diff(first, second)
    assert report.same
    assert [(n.kind, n.episode, n.column) for n in report.notes] == [
        ("statistics", 1, "action"),
        ("statistics", 2, "next.reward"),
    ]
    assert "mean" in report.notes[0].what


def test_statistics_that_cannot_be_read_are_a_note(first: Path, second: Path) -> None:
    (second / "meta/episodes_stats.jsonl").write_text("no json")
    report = roboreel.diff(first, second)
    assert report.same
    assert noted(report) == {"statistics"}


def test_renaming_covers_cameras_and_statistics(first: Path, second: Path) -> None:
    info = json.loads((second / INFO).read_text("utf-8"))
    names = {TOP: "above", "action": "deed"}
    edit_info(second, features={names.get(k, k): v for k, v in info["features"].items()})
    (second / f"videos/chunk-000/{TOP}").rename(second / "videos/chunk-000/above")
    for episode in range(len(EPISODES)):
        path = episode_table(second, episode)
        table = pq.ParquetFile(path).read()
        pq.write_table(table.rename_columns([names.get(n, n) for n in table.column_names]), path)

    def change(lines: list[Any]) -> list[Any]:
        for line in lines:
            line["stats"] = {names.get(k, k): v for k, v in line["stats"].items()}
        return lines

    edit_lines(second / "meta/episodes_stats.jsonl", change)
    back = {new: old for old, new in names.items()}
    report = roboreel.diff(first, second, renamed=back)
    assert report.same
    assert report.notes == ()
    assert report.compared.packets == 30
    swapped = {TOP: SIDE, SIDE: TOP}
    found = {column for kind, _, _, column in places(roboreel.diff(first, first, renamed=swapped))}
    assert {TOP, SIDE} <= found


@pytest.mark.parametrize(
    ("renamed", "says"),
    [
        ({"nothing": "action"}, "the second has no feature 'nothing'"),
        ({"action": "nothing"}, "the first has no feature 'nothing'"),
        ({"action": "observation.state"}, "are renamed to 'observation.state'"),
        ({"index": "action"}, "index columns keep their names"),
    ],
)
def test_renamings_that_have_no_meaning_are_refused(
    first: Path, second: Path, renamed: dict[str, str], says: str
) -> None:
    with pytest.raises(roboreel.UsageError, match=says):
        roboreel.diff(first, second, renamed=renamed)


def test_what_cannot_be_opened_is_an_error(first: Path, tmp_path: Path) -> None:
    with pytest.raises(roboreel.StorageError, match="no such folder"):
        roboreel.diff(first, tmp_path / "nowhere")
    with pytest.raises(roboreel.DatasetError, match="not a LeRobot dataset"):
        roboreel.diff(tmp_path, first)


@pytest.mark.parametrize("turned", [False, True])
def test_the_origin_of_episodes_is_no_content(tmp_path: Path, turned: bool) -> None:
    source = make_dataset(tmp_path / "a", version="v2.0", episodes=(4, 3))
    roboreel.convert(source, to="v3.0", out=tmp_path / "b", with_uids=True)
    pair = (tmp_path / "b", source) if turned else (source, tmp_path / "b")
    report = roboreel.diff(*pair)
    assert report.same
    side = "first" if turned else "second"
    assert f"the origin of episodes, only in the {side}" in {note.what for note in report.notes}
