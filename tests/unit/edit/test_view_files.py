"""View files say a view again: saved and opened it is the same, and nothing else is written."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import roboreel
from roboreel import Encoding, View
from roboreel.dataset.view_edit import begin_view, edit_view, undo_edit
from roboreel.dataset.view_refresh import refresh_view
from roboreel.edit.relative_actions import RelativeActions
from roboreel.edit.view import Verbs
from roboreel.errors import ChangedInputError
from roboreel.format.encoding import Reencoding
from roboreel.hub.open_source import view_opener
from roboreel.testing import make_dataset
from tests.mutate import edit_info
from tests.oracle import tree_digest
from tests.same_view import differing
from tests.unit.edit.conftest import LENGTHS, TASKS, TOP

ROWS = sum(LENGTHS)

EDITS: dict[str, Callable[[View], View]] = {
    "whole": lambda v: v,
    "keep": lambda v: v.keep([2, 0]),
    "keep by task": lambda v: v.keep(task=TASKS[1]),
    "keep by length": lambda v: v.keep(min_frames=10),
    "delete": lambda v: v.delete([1]),
    "trim": lambda v: v.trim({0: (2, 9), 3: (1, None)}),
    "trim again": lambda v: v.trim({0: (2, 9)}).trim({0: (1, 3)}),
    "trim still": lambda v: v.trim_still(0.0, episodes=[0, 3]),
    "reorder": lambda v: v.reorder([3, 1, 0, 2]),
    "shuffle": lambda v: v.shuffle(seed=7),
    "rename": lambda v: v.rename({"action": "act", TOP: "front"}),
    "remove": lambda v: v.remove(TOP),
    "add numbers": lambda v: v.add("more", np.arange(ROWS, dtype=np.float32)),
    "add a vector": lambda v: v.add("more", np.ones((ROWS, 3)), names=["x", "y", "z"]),
    "add a matrix": lambda v: v.add("more", np.ones((ROWS, 2, 3), dtype=np.int16)),
    "add texts": lambda v: v.add("more", np.array(["ü"] * ROWS)),
    "add a function": lambda v: v.add("more", lambda columns: columns["action"] * 2),
    "add to a part": lambda v: (
        v.keep([1, 2]).add("more", np.ones(10, dtype=bool)).rename({"more": "m"})
    ),
    "tasks": lambda v: v.set_tasks("öffne", replacing={TASKS[0]: "a=b"}, episodes={2: "own"}),
    "tasks twice": lambda v: v.set_tasks("a").set_tasks(
        replacing={"a": "b"}, tasks_from="episodes"
    ),
    "recompute": lambda v: v.recompute(["action"], quantiles=[0.25], like="lerobot-0.6.1"),
    "relative": lambda v: v.recompute(cameras="none", relative_actions=RelativeActions(chunk=3)),
    "resample": lambda v: v.resample(Fraction(30000, 2002)),
    "target": lambda v: v.with_target("v2.1", data_file_mb=3, allow_missing=[TOP], regroup=False),
    "reencoding": lambda v: v.with_target(reencoding=Reencoding(vcodec="h264", crf=20, preset=3)),
    "encode": lambda v: v.encode({TOP: Encoding(vcodec="h264", size=(64, 32))}),
    "encode near": lambda v: v.encode({TOP: Reencoding(size=(64, 32))}),
    "decode": lambda v: v.decode(TOP),
    "split": lambda v: v.split({"a": 0.5, "b": 0.5}, seed=3)["b"],
    "split by task": lambda v: [*v.split_by_task().values()][1],
    "named splits": lambda v: v.as_splits({"a": [3, 1], "b": [0, 2]}),
    "concat": lambda v: roboreel.concat([v.delete([0]), v.trim({1: (0, 4)})]),
    "common": lambda v: roboreel.concat(
        [v.remove("action").with_target("v2.1"), v], features="common", allow_missing=["action"]
    ),
    "pad": lambda v: roboreel.concat([v, v.remove("next.reward")], features="pad"),
    "renamed parts": lambda v: roboreel.concat(
        [v.rename({"action": "a"}), v], rename={"a": "action"}
    ),
    "resampled parts": lambda v: roboreel.concat(
        [v.resample(15), v.trim({1: (0, 4)}).resample(15)]
    ),
    "concat of concat": lambda v: roboreel.concat([roboreel.concat([v, v.keep([1])]), v]).delete(
        [0]
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_a_saved_view_is_the_same_when_it_is_opened(
    dataset: roboreel.Dataset, tmp_path: Path, name: str
) -> None:
    view = EDITS[name](dataset.as_view())
    view.save(tmp_path / "a.view.json")
    again = roboreel.open_view(tmp_path / "a.view.json")
    assert differing(view, again) == []
    assert view.uids() == again.uids()
    again.save(tmp_path / "b.view.json")
    assert differing(again, roboreel.open_view(tmp_path / "b.view.json")) == []


def test_every_verb_is_saved_by_some_edit_here(dataset: roboreel.Dataset) -> None:
    saved = {step.verb for edit in EDITS.values() for step in _steps(edit(dataset.as_view()))}
    quiet = {"as_view", "lineage", "save", "suggest_still"}
    verbs = {name for name in dir(Verbs) if not name.startswith("_")} - quiet
    called = {
        "set_tasks": "tasks", "with_target": "target", "written_as": "target", "split": "keep",
        "split_by_task": "keep", "as_splits": "splits", "trim_still": "trim",
    }  # fmt: skip
    assert {called.get(verb, verb) for verb in verbs} == saved


def _steps(view: View) -> list[roboreel.edit.recipe.Step]:
    assert view.recipe is not None
    return [*view.recipe.steps]


def test_saving_writes_one_file_and_reads_no_rows(
    dataset: roboreel.Dataset, tmp_path: Path
) -> None:
    dataset.delete([1]).save(tmp_path / "a.view.json")
    assert [path.name for path in tmp_path.iterdir()] == ["a.view.json"]


def test_open_gives_a_view(dataset: roboreel.Dataset, tmp_path: Path) -> None:
    dataset.save(tmp_path / "a.view.json")
    assert isinstance(roboreel.open(tmp_path / "a.view.json"), View)
    assert isinstance(roboreel.open(str(tmp_path / "a.view.json")), View)


def test_an_opened_view_pickles(dataset: roboreel.Dataset, tmp_path: Path) -> None:
    dataset.delete([1]).trim({0: (1, 4)}).save(tmp_path / "a.view.json")
    view = roboreel.open_view(tmp_path / "a.view.json")
    again = pickle.loads(pickle.dumps(view))
    assert differing(view, again) == []
    again.delete([0]).save(tmp_path / "b.view.json")


@pytest.mark.parametrize("version", ["v2.0", "v2.1", "v3.0"])
def test_a_view_file_writes_what_the_view_writes(tmp_path: Path, version: str) -> None:
    source = make_dataset(tmp_path / "a", version=version, episodes=(5, 3, 8))  # type: ignore[arg-type]
    before = tree_digest(source)
    view = roboreel.open(source).delete([1]).set_tasks("x").with_target(with_uids=True)
    view.save(tmp_path / "a.view.json")
    roboreel.write(view, out=tmp_path / "b")
    roboreel.write(roboreel.open_view(tmp_path / "a.view.json"), out=tmp_path / "c")
    assert tree_digest(tmp_path / "b") == tree_digest(tmp_path / "c")
    assert tree_digest(source) == before


def test_a_view_file_converts_and_checks_as_a_dataset(tmp_path: Path) -> None:
    source = make_dataset(tmp_path / "a", version="v2.1", episodes=(5, 3, 8))
    roboreel.open(source).delete([1]).save(tmp_path / "a.view.json")
    roboreel.convert(tmp_path / "a.view.json", to="v3.0", out=tmp_path / "b")
    assert roboreel.open(tmp_path / "b").total_episodes == 2
    assert roboreel.check(tmp_path / "a.view.json").ok
    assert roboreel.check(roboreel.open_view(tmp_path / "a.view.json")).episodes == 2


def test_problems_of_episodes_that_a_view_leaves_out_are_not_told(tmp_path: Path) -> None:
    source = make_dataset(tmp_path / "a", version="v2.1", episodes=(5, 3, 8))
    (source / "data/chunk-000/episode_000001.parquet").unlink()
    dataset = roboreel.open(source)
    assert not roboreel.check(dataset).ok
    assert not roboreel.check(dataset.keep([1])).ok
    assert roboreel.check(dataset.delete([1])).ok


def test_paths_are_relative_so_that_all_can_move(tmp_path: Path) -> None:
    source = make_dataset(tmp_path / "one/data", version="v3.0", episodes=(5, 3))
    (tmp_path / "one/views").mkdir()
    roboreel.open(source).delete([0]).save(tmp_path / "one/views/a.view.json")
    (tmp_path / "one").rename(tmp_path / "two")
    view = roboreel.open_view(tmp_path / "two/views/a.view.json")
    assert view.sources[0].dataset.url == str(tmp_path / "two/data")
    assert str(tmp_path) not in (tmp_path / "two/views/a.view.json").read_text("utf-8")


def test_a_copy_with_other_stamps_is_the_same_source(tmp_path: Path) -> None:
    source = make_dataset(tmp_path / "a", version="v2.1", episodes=(5, 3))
    roboreel.open(source).save(tmp_path / "a.view.json")
    shutil.copytree(source, tmp_path / "copy")
    shutil.rmtree(source)
    shutil.copytree(tmp_path / "copy", source, copy_function=shutil.copyfile)
    assert len(roboreel.open_view(tmp_path / "a.view.json").slices) == 2


def test_a_source_that_changed_is_refused_by_name(tmp_path: Path) -> None:
    source = make_dataset(tmp_path / "a", version="v2.1", episodes=(5, 3))
    roboreel.open(source).save(tmp_path / "a.view.json")
    edit_info(source, robot_type="other")
    with pytest.raises(ChangedInputError, match=r"a' has changed .*'meta/info\.json'.* refresh"):
        roboreel.open_view(tmp_path / "a.view.json")


def test_a_source_that_changed_since_it_was_opened_is_not_saved(tmp_path: Path) -> None:
    source = make_dataset(tmp_path / "a", version="v2.1", episodes=(5, 3))
    dataset = roboreel.open(source)
    edit_info(source, robot_type="other")
    with pytest.raises(ChangedInputError, match="open it again"):
        dataset.save(tmp_path / "a.view.json")


def test_a_missing_source_is_named(tmp_path: Path) -> None:
    source = make_dataset(tmp_path / "a", version="v2.1", episodes=(5, 3))
    roboreel.open(source).save(tmp_path / "a.view.json")
    shutil.rmtree(source)
    with pytest.raises(roboreel.StorageError, match=r"source of '.*a\.view\.json' is missing.*/a'"):
        roboreel.open_view(tmp_path / "a.view.json")


def test_a_view_of_a_view_follows_both(tmp_path: Path) -> None:
    source = make_dataset(tmp_path / "a", version="v3.0", episodes=(5, 3, 8, 4))
    roboreel.open(source).delete([1]).save(tmp_path / "a.view.json")
    begin_view(tmp_path / "b.view.json", [tmp_path / "a.view.json", source])
    view, _ = edit_view(tmp_path / "b.view.json", lambda v: v.keep([0, 2, 4]))
    again = roboreel.open_view(tmp_path / "b.view.json")
    assert differing(view, again) == []
    assert [row["source_episode"] for row in again.lineage().to_pylist()] == [0, 3, 1]
    edit_view(tmp_path / "a.view.json", lambda v: v.delete([0]))
    with pytest.raises(ChangedInputError, match=r"a\.view\.json' has changed"):
        roboreel.open_view(tmp_path / "b.view.json")


def test_edits_are_added_and_taken_back(tmp_path: Path) -> None:
    source = make_dataset(tmp_path / "a", version="v3.0", episodes=(5, 3, 8, 4))
    path = tmp_path / "a.view.json"
    begin_view(path, [source])
    edit_view(path, lambda v: v.delete([1]))
    before = path.read_bytes()
    view, verbs = edit_view(path, lambda v: v.delete([0]).trim({0: (1, 4)}))
    assert [verb["verb"] for verb in verbs] == ["delete", "trim"]
    assert differing(view, roboreel.open_view(path)) == []
    assert [verb["verb"] for verb in undo_edit(path)] == ["delete", "trim"]
    assert path.read_bytes() == before
    undo_edit(path)
    with pytest.raises(roboreel.UsageError, match="no edit to undo"):
        undo_edit(path)


def test_a_refused_edit_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    source = make_dataset(tmp_path / "a", version="v3.0", episodes=(5, 3))
    path = tmp_path / "a.view.json"
    begin_view(path, [source])
    before = path.read_bytes()
    with pytest.raises(roboreel.UsageError):
        edit_view(path, lambda v: v.delete([7]))
    assert path.read_bytes() == before


def test_an_edit_of_a_file_that_changed_meanwhile_is_refused(tmp_path: Path) -> None:
    source = make_dataset(tmp_path / "a", version="v3.0", episodes=(5, 3, 4))
    path = tmp_path / "a.view.json"
    begin_view(path, [source])

    def slow(view: View) -> View:
        edit_view(path, lambda v: v.delete([0]))
        return view.delete([1])

    with pytest.raises(roboreel.StorageError, match="meanwhile: run this again"):
        edit_view(path, slow)


def test_a_grown_dataset_is_taken_over_without_its_new_episodes(tmp_path: Path) -> None:
    source = make_dataset(tmp_path / "a", version="v3.0", episodes=(5, 3, 8))
    path = tmp_path / "a.view.json"
    roboreel.open(source).delete([1]).save(path)
    before = roboreel.open_view(path).uids()
    other = make_dataset(tmp_path / "b", version="v3.0", episodes=(7, 2))
    grown = roboreel.concat([roboreel.open(other), roboreel.open(source)])
    roboreel.write(grown, out=tmp_path / "c")
    shutil.rmtree(source)
    (tmp_path / "c").rename(source)
    with pytest.raises(ChangedInputError):
        roboreel.open_view(path)
    refreshed = refresh_view(path)
    assert refreshed.uids() == before
    again = roboreel.open_view(path)
    assert differing(refreshed, again) == []
    assert [row["source_episode"] for row in again.lineage().to_pylist()] == [0, 2]
    assert refresh_view(path).uids() == before


def test_a_dataset_that_lost_an_episode_is_not_taken_over(tmp_path: Path) -> None:
    source = make_dataset(tmp_path / "a", version="v3.0", episodes=(5, 3, 8))
    path = tmp_path / "a.view.json"
    roboreel.open(source).save(path)
    before, uid = path.read_bytes(), roboreel.open(source).uids()[1]
    roboreel.write(roboreel.open(source).delete([1]), in_place=True)
    with pytest.raises(roboreel.DatasetError, match=rf"1 of its episodes .*{uid}"):
        refresh_view(path)
    assert path.read_bytes() == before


def test_a_dataset_of_the_hub_is_named_by_its_reference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_dataset(tmp_path / "one/user/name", version="v3.0", episodes=(5, 3))
    monkeypatch.setenv("HF_LEROBOT_HOME", str(tmp_path / "one"))
    roboreel.open("user/name").delete([0]).save(tmp_path / "a.view.json")
    begin_view(tmp_path / "b.view.json", ["user/name"], view_opener())
    (tmp_path / "one").rename(tmp_path / "two")
    monkeypatch.setenv("HF_LEROBOT_HOME", str(tmp_path / "two"))
    assert "one" not in (tmp_path / "a.view.json").read_text("utf-8")
    assert roboreel.open_view(tmp_path / "a.view.json").lengths.tolist() == [3]
    assert roboreel.open_view(tmp_path / "b.view.json").lengths.tolist() == [5, 3]


def test_cameras_from_elsewhere_are_not_saved(tmp_path: Path, source: Path) -> None:
    videos = make_dataset(tmp_path / "a", version="v2.1", episodes=LENGTHS)
    folder = next((videos / "videos/chunk-000").iterdir())
    view = roboreel.add_video(roboreel.open(source), "extra", folder)
    with pytest.raises(roboreel.UsageError, match="from other videos"):
        view.save(tmp_path / "a.view.json")


def test_functions_that_need_a_dataset_say_so(dataset: roboreel.Dataset) -> None:
    view: Any = dataset.delete([0])
    for function in (roboreel.check_stats, lambda one: roboreel.diff(one, dataset)):
        with pytest.raises(roboreel.UsageError, match=r"not a view: write the view first"):
            function(view)


def test_the_name_tells_a_view_file(dataset: roboreel.Dataset, tmp_path: Path) -> None:
    with pytest.raises(roboreel.UsageError, match=r"ends in \.view\.json"):
        dataset.save(tmp_path / "a.json")


def test_what_is_no_view_file_is_not_replaced(dataset: roboreel.Dataset, tmp_path: Path) -> None:
    (tmp_path / "a.view.json").write_text("{}")
    with pytest.raises(roboreel.DatasetError, match="cannot be read as a view file"):
        dataset.save(tmp_path / "a.view.json")
    dataset.save(tmp_path / "b.view.json")
    dataset.delete([0]).save(tmp_path / "b.view.json")
    assert len(roboreel.open_view(tmp_path / "b.view.json").slices) == len(LENGTHS) - 1


def test_a_verb_is_a_line_of_the_file(dataset: roboreel.Dataset, tmp_path: Path) -> None:
    dataset.delete([1]).trim({0: (2, 9)}).save(tmp_path / "a.view.json")
    lines = (tmp_path / "a.view.json").read_text("utf-8").splitlines()
    assert json.loads(lines[-3]) == {"verb": "trim", "positions": [0], "start": [2], "stop": [9]}


def test_functions_that_are_looked_for_in_a_view_are_named(tmp_path: Path) -> None:
    opened: Any = roboreel.open(make_dataset(tmp_path / "a", episodes=(3,), cameras={}))
    for one in (opened, opened.as_view()):
        with pytest.raises(AttributeError, match=r"use roboreel\.write\(view, out="):
            one.write("out")
        assert not hasattr(one, "nothing")
    with pytest.raises(
        roboreel.UsageError, match=r"ends in \.view\.json; .*write\(view, out='out'\)"
    ):
        opened.keep([0]).save("out")
