"""`roboreel edit`, `write`, `info --lineage`: view files on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from roboreel import kept_versions
from roboreel.testing import make_dataset
from tests.oracle import tree_digest
from tests.unit.cli.conftest import LENGTHS, TOP, Roboreel


@pytest.fixture
def view(roboreel: Roboreel, source: Path, tmp_path: Path) -> Path:
    path = tmp_path / "a.view.json"
    begun = roboreel("edit", path, "from", source)
    assert begun.code == 0, begun.err
    assert begun.out == f"{path} has 4 episodes, 19 frames\n"
    return path


def test_edits_are_shown_and_taken_back(roboreel: Roboreel, view: Path, source: Path) -> None:
    done = roboreel("edit", view, "delete", "--episodes", "1")
    assert done.out == f"delete 1 episode (1): {view} now has 3 episodes\n"
    assert roboreel("edit", view, "trim", "--episode", 0, "--frames", "2:5").code == 0
    assert roboreel("edit", view, "tasks", "--set", "do it").code == 0
    shown = roboreel("edit", view, "show").out
    assert shown.splitlines() == [
        "sources",
        f"  {source}",
        "edits",
        "  1  delete 1 episode (1)",
        "  2  trim 1 episode (0) to 2:5",
        "  3  tasks of 3 episodes (0:3) to 'do it'",
    ]
    assert "undone in" in roboreel("edit", view, "undo").out
    assert roboreel("edit", view, "tasks", "--replace", "pick up the red cube=it").code == 0
    shown = roboreel("edit", view, "show").out.splitlines()[-1]
    assert shown.endswith("to 'it'")
    assert "'pick up the red cube' to 'it'" in shown
    roboreel("edit", view, "undo")
    listed = json.loads(roboreel("edit", view, "show", "--json").out)
    assert [verb["verb"] for verb in listed["verbs"]] == ["delete", "trim"]


def test_a_command_is_taken_back_whole(roboreel: Roboreel, view: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros(sum(LENGTHS)))
    edits = (
        "--remove",
        "next.reward",
        "--rename",
        "action=act",
        "--add",
        f"x={tmp_path / 'x.npy'}",
    )
    before = view.read_bytes()
    assert roboreel("edit", view, "features", *edits).code == 0
    assert len(json.loads(roboreel("edit", view, "show", "--json").out)["verbs"]) == 3
    roboreel("edit", view, "undo")
    assert view.read_bytes() == before


def test_write_makes_the_dataset(
    roboreel: Roboreel, view: Path, source: Path, tmp_path: Path
) -> None:
    before = tree_digest(source)
    roboreel("edit", view, "delete", "--episodes", "1")
    assert roboreel("write", view, "-o", tmp_path / "b").code == 0
    assert roboreel("edit", view, "write", "-o", tmp_path / "again").code == 0
    assert tree_digest(tmp_path / "again") == tree_digest(tmp_path / "b")
    assert (
        roboreel("delete", source, "--episodes", "1", "--with-uids", "-o", tmp_path / "c").code == 0
    )
    assert tree_digest(tmp_path / "b") == tree_digest(tmp_path / "c")
    assert tree_digest(source) == before


def test_splits_and_statistics_are_edits_too(roboreel: Roboreel, view: Path) -> None:
    assert roboreel("edit", view, "split", "--into", "a=0:2,b=2:4", "--as-splits").code == 0
    assert roboreel("edit", view, "stats", "--recompute", "--cameras", "none").code == 0
    verbs = json.loads(roboreel("edit", view, "show", "--json").out)["verbs"]
    assert [verb["verb"] for verb in verbs] == ["splits", "recompute"]


def test_write_takes_options_of_the_file_and_of_the_command(
    roboreel: Roboreel, view: Path, tmp_path: Path
) -> None:
    assert (
        roboreel("edit", view, "resample", "--fps", 15, "--vcodec", "h264", "--crf", 40).code == 0
    )
    done = roboreel("write", view, "--to", "v2.1", "-o", tmp_path / "b")
    assert done.code == 0, done.err
    told = json.loads(roboreel("info", tmp_path / "b", "--json").out)
    assert (told["version"], told["fps"]) == ("v2.1", 15)
    assert told["features"]["observation.images.top"]["video"]["video.crf"] == 40


@pytest.mark.sample(5)
@pytest.mark.parametrize(
    "command",
    [
        ["delete", "--episodes", "0"],
        ["keep", "--episodes", "0"],
        ["trim", "--frames", "0:1"],
        ["shuffle", "--seed", "1"],
        ["features", "--remove", "action"],
        ["tasks", "--set", "x"],
        ["compact"],
        ["convert", "--to", "v2.1"],
        ["split", "--into", "a=0,b=1,2"],
        ["merge"],
        ["stats", "--recompute", "--cameras", "none"],
    ],
)
def test_commands_that_write_take_view_files(
    roboreel: Roboreel, view: Path, tmp_path: Path, command: list[str]
) -> None:
    roboreel("edit", view, "delete", "--episodes", "1")
    done = roboreel(command[0], view, *command[1:], "-o", tmp_path / "out")
    assert done.code == 0, done.err
    assert (tmp_path / "out").is_dir()


@pytest.mark.parametrize(
    "command", ["delete", "keep", "trim", "reorder", "features", "tasks", "encode"]
)
def test_commands_that_list_take_view_files(roboreel: Roboreel, view: Path, command: str) -> None:
    roboreel("edit", view, "delete", "--episodes", "1")
    listed, inside = roboreel(command, view), roboreel("edit", view, command)
    assert (listed.code, listed.out) == (0, inside.out)
    assert listed.out


def test_check_and_info_take_view_files(roboreel: Roboreel, view: Path) -> None:
    roboreel("edit", view, "keep", "--episodes", "0,3")
    assert "2 episodes" in roboreel("check", view).out
    told = roboreel("info", view).out
    assert "episodes  2: 14 frames at 30 fps" in told
    as_json = json.loads(roboreel("info", view, "--json").out)
    assert (as_json["episodes"], as_json["frames"]) == (2, 14)


@pytest.mark.parametrize("command", [["diff"], ["stats"], ["undo"]])
def test_commands_that_need_a_dataset_say_so(
    roboreel: Roboreel, view: Path, source: Path, command: list[str]
) -> None:
    done = roboreel(*command, view, *([source] if command == ["diff"] else []))
    assert done.code != 0
    assert "Traceback" not in done.err
    if command != ["undo"]:
        assert f"'{view}' is a view file, but a dataset is needed here" in done.err
        assert f"roboreel write {view} -o DST" in done.err


def test_in_place_is_not_for_view_files(roboreel: Roboreel, view: Path, source: Path) -> None:
    before = tree_digest(source)
    for command in (["delete", "--episodes", "0"], ["convert", "--to", "v2.1"]):
        done = roboreel(command[0], view, *command[1:], "--in-place")
        assert done.code == 2
        assert "--in-place cannot replace the view file" in done.err
    assert roboreel("write", view, "--in-place").code == 2
    assert tree_digest(source) == before
    assert "--in-place" not in roboreel("write", view).err


def test_lineage_lists_uids_and_keep_takes_them(
    roboreel: Roboreel, source: Path, tmp_path: Path
) -> None:
    told = json.loads(roboreel("info", source, "--lineage", "--json").out)["episodes"]
    uids = [one["episode_uid"] for one in told]
    assert roboreel("info", source, "--lineage").out.splitlines()[2].split() == [
        "2", uids[2], "source", "episode", "2", "0:1",
    ]  # fmt: skip
    (tmp_path / "uids.txt").write_text(f"{uids[3]}\n")
    wanted = ("--uid", f"{uids[0]},{uids[2]}", "--uid", f"@{tmp_path / 'uids.txt'}")
    assert roboreel("keep", source, *wanted, "-o", tmp_path / "b").code == 0
    kept = json.loads(roboreel("info", tmp_path / "b", "--lineage", "--json").out)["episodes"]
    assert [one["episode_uid"] for one in kept] == [uids[0], uids[2], uids[3]]
    assert (
        "no episode has the uid" in roboreel("keep", source, "--uid", "x", "-o", tmp_path / "c").err
    )


def test_a_changed_source_is_named_and_refreshed(
    roboreel: Roboreel, view: Path, tmp_path: Path
) -> None:
    data = make_dataset(tmp_path / "data", version="v2.1", episodes=(5, 3))
    path = tmp_path / "b.view.json"
    assert roboreel("edit", path, "from", data).code == 0
    roboreel("tasks", data, "--set", "other", "--in-place", "--discard-original")
    done = roboreel("info", path)
    assert done.code == 1
    assert f"'{data}' has changed since the view file '{path}' was made" in done.err
    assert "Put the earlier version back, take" in done.err
    assert roboreel("edit", path, "refresh").code == 0
    assert "other" in roboreel("info", path).out


def test_a_source_that_was_edited_in_place_is_put_back(roboreel: Roboreel, tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "data", version="v2.1", episodes=(5, 3))
    path = tmp_path / "b.view.json"
    assert roboreel("edit", path, "from", data).code == 0
    roboreel("tasks", data, "--set", "first", "--in-place")
    assert f"(roboreel undo {data} --restore), take" in roboreel("info", path).err
    roboreel("tasks", data, "--set", "second", "--in-place")
    command = f"roboreel undo {data} --restore --version {kept_versions(data)[-1].name}"
    assert command in roboreel("info", path).err
    assert roboreel(*command.split()[1:]).code == 0
    assert roboreel("info", path).code == 0


def _tries(err: str) -> list[str]:
    lines = [line.split("   #")[0] for line in err.splitlines()]
    return [line.removeprefix("  try: roboreel ") for line in lines if line.startswith("  try: ")]


def test_an_edit_in_place_of_its_source_is_undone_by_the_line(
    roboreel: Roboreel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = make_dataset(tmp_path / "data", version="v2.1", episodes=(5, 3), cameras={})
    roboreel("edit", "b.view.json", "from", "data")
    before = roboreel("info", "b.view.json").out
    roboreel("delete", "data", "--episodes", "0", "--in-place")
    for words in (["info", "b.view.json"], ["edit", "b.view.json", "refresh"]):
        (line,) = _tries(roboreel(*words).err)
        assert line == f"undo {data} --restore"
    assert roboreel(*line.split()).code == 0
    assert roboreel("info", "b.view.json").out == before


def test_the_edit_of_an_inner_view_file_is_undone_by_the_line(
    roboreel: Roboreel, view: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(view.parent)
    roboreel("edit", "outer.view.json", "from", view)
    roboreel("edit", view, "delete", "--episodes", "1")
    (line,) = _tries(roboreel("info", "outer.view.json").err)
    assert line == f"edit {view.name} undo"
    assert roboreel(*line.split()).code == 0
    assert roboreel("info", "outer.view.json").code == 0


@pytest.mark.parametrize(
    ("number", "line"), [(1, "edit VIEW undo"), (0, "edit VIEW show")], ids=["last", "first"]
)
def test_a_verb_that_was_written_by_hand_is_undone_or_shown_by_the_line(
    roboreel: Roboreel, view: Path, monkeypatch: pytest.MonkeyPatch, number: int, line: str
) -> None:
    monkeypatch.chdir(view.parent)
    roboreel("edit", view, "delete", "--episodes", "1")
    roboreel("edit", view, "keep", "--episodes", "0")
    document = json.loads(view.read_text(encoding="utf-8"))
    document["verbs"][number]["verb"] = "dlete"
    view.write_text(json.dumps(document), encoding="utf-8")
    assert _tries(roboreel("info", view.name).err) == [line.replace("VIEW", view.name)]
    assert roboreel(*line.replace("VIEW", view.name).split()).code == 0


def test_a_view_file_in_the_place_of_a_dataset_is_written_by_the_line(
    roboreel: Roboreel, view: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(view.parent)
    (line,) = _tries(roboreel("stats", view.name).err)
    assert line == f"write {view.name} -o {view.name.removesuffix('.view.json')}_written"
    assert roboreel(*line.split()).code == 0


def test_from_puts_several_together(
    roboreel: Roboreel, view: Path, source: Path, tmp_path: Path
) -> None:
    roboreel("edit", view, "delete", "--episodes", "1")
    both = tmp_path / "both.view.json"
    assert roboreel("edit", both, "from", view, source).out == f"{both} has 7 episodes, 34 frames\n"
    assert f"  {view}" in roboreel("edit", both, "show").out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["x.view.json", "show"],
            "no such view file; begin one with roboreel edit x.view.json from SRC",
        ),
        (["x.json", "show"], "the name of a view file ends in .view.json"),
        (["{view}", "from", "{source}"], "exists already"),
        (["{view}", "undo"], "has no edit to undo"),
        (["{view}", "delete", "--episodes", "9"], "no episode 9"),
        (["{view}", "delete", "-o", "x"], "-o"),
        (["{view}", "nothing"], "nothing"),
        (
            ["{view}", "split", "--into", "a=0,b=1:4"],
            "a view file is one dataset: add --as-splits",
        ),
        (["{view}", "stats"], "a dataset is needed here"),
    ],
)
def test_mistakes_are_one_error(
    roboreel: Roboreel, view: Path, source: Path, arguments: list[str], said: str
) -> None:
    before = view.read_bytes()
    done = roboreel("edit", *(one.format(view=view, source=source) for one in arguments))
    assert done.code in (1, 2)
    assert said in done.err
    assert "Traceback" not in done.err
    assert view.read_bytes() == before


def test_what_an_edit_says_is_told_in_words(roboreel: Roboreel, view: Path) -> None:
    assert roboreel("edit", view, "split", "--into", "a=0.5,b=0.5", "--as-splits").code == 0
    assert roboreel("edit", view, "encode", "--vcodec", "h264").code == 0
    shown = roboreel("edit", view, "show").out
    assert "  1  splits parts a: 2 episodes (0,1), b: 2 episodes (2,3)\n" in shown
    assert f"  2  encode cameras {TOP} (vcodec h264, pix_fmt yuv420p, g 2, crf 30" in shown
