"""`roboreel undo`: lists, puts back and removes what edits in place kept; nothing unasked."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path

import pytest

import roboreel as rr
from roboreel.errors import DatasetError, StorageError, UsageError
from roboreel.storage import disk
from roboreel.storage.staging.staging import Staging, staging_location
from roboreel.testing import make_dataset
from tests.oracle import tree_digest
from tests.unit.cli.conftest import Roboreel


@pytest.fixture
def edited(tmp_path: Path) -> tuple[Path, list[dict[str, str]]]:
    """A dataset that was edited twice in place, and what it held at first, in between and now."""
    path = make_dataset(tmp_path / "set", version="v2.1", episodes=(3, 2, 4), cameras={})
    states = [tree_digest(path)]
    for number in (2, 0):
        rr.write(rr.open(path).delete([number]), in_place=True)
        states.append(tree_digest(path))
    return path, states


def _names(path: Path) -> list[str]:
    return sorted(one.name for one in path.parent.iterdir())


def test_without_an_option_it_lists_and_changes_nothing(
    edited: tuple[Path, list[dict[str, str]]], roboreel: Roboreel
) -> None:
    path, _ = edited
    before = _names(path)
    shown, as_json = roboreel("undo", path), roboreel("undo", path, "--json")
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.startswith(f"2 earlier versions of {path}, newest first\n")
    assert shown.out.endswith(f"\nremove all of them: roboreel undo {path} --keep 0\n")
    kept = json.loads(as_json.out)["kept"]
    assert [one["name"] for one in kept] == sorted(before, reverse=True)[:2]
    assert [(one["episodes"], one["version"], one["kind"]) for one in kept] == [
        (2, "v2.1", "before"),
        (3, "v2.1", "before"),
    ]
    assert kept[0]["size_bytes"] == rr.open(kept and path.parent / kept[0]["name"]).size_bytes()
    assert _names(path) == before


def test_each_restore_goes_one_edit_further_back(
    edited: tuple[Path, list[dict[str, str]]], roboreel: Roboreel
) -> None:
    path, (first, second, third) = edited
    would = roboreel("undo", path, "--restore", "--dry-run")
    assert (would.code, tree_digest(path)) == (0, third)
    done = roboreel("undo", path, "--restore")
    assert (done.code, done.err) == (0, "")
    assert tree_digest(path) == second
    again = json.loads(roboreel("undo", path, "--restore", "--json").out)
    assert tree_digest(path) == first
    assert tree_digest(path.with_name(again["kept"])) == second
    none = roboreel("undo", path, "--restore")
    assert (none.code, tree_digest(path)) == (2, first)
    assert "no original of" in none.err
    undone = rr.kept_versions(path)
    assert [one.kind for one in undone] == ["undone", "undone"]
    back = roboreel("undo", path, "--restore", "--version", undone[1].name)
    assert (back.code, tree_digest(path)) == (0, third)


def test_the_present_version_goes_only_where_that_is_asked(
    edited: tuple[Path, list[dict[str, str]]], roboreel: Roboreel
) -> None:
    path, (_, second, _) = edited
    assert roboreel("undo", path, "--restore", "--discard-present", "-q").out == ""
    assert tree_digest(path) == second
    assert len(_names(path)) == 2


@pytest.mark.parametrize("keep", [0, 1, 2, 5])
def test_keep_removes_all_but_the_newest(
    edited: tuple[Path, list[dict[str, str]]], roboreel: Roboreel, keep: int
) -> None:
    path, (_, _, third) = edited
    names = [one.name for one in rr.kept_versions(path)]
    would = json.loads(roboreel("undo", path, "--keep", keep, "--dry-run", "--json").out)
    assert [one["name"] for one in would["would_remove"]] == names[keep:]
    assert len(_names(path)) == 3
    done = roboreel("undo", path, "--keep", keep, "--json")
    assert json.loads(done.out)["removed"] == names[keep:]
    assert _names(path) == sorted(["set", *names[:keep]])
    assert tree_digest(path) == third


def test_what_is_no_earlier_version_is_left_alone(
    edited: tuple[Path, list[dict[str, str]]], roboreel: Roboreel
) -> None:
    path, _ = edited
    beside = ["set.before-20260101", "set.before-20260199T000000Z", "set2.before-20260101T000000Z"]
    beside += ["set.before-20260101T000000Z", "xset.before-20260101T000000Z"]
    for name in beside:
        path.with_name(name).mkdir()
        path.with_name(name).joinpath("thesis.tex").write_text("mine")
    shutil.copytree(path, path.with_name("elsewhere"))
    path.with_name("set.before-20260102T000000Z").symlink_to("elsewhere")
    path.with_name("set.before-20260103T000000Z").write_text("a file")
    assert roboreel("undo", path, "--keep", 0).code == 0
    expected = [*beside, "elsewhere", "set", "set.before-20260102T000000Z"]
    assert _names(path) == sorted([*expected, "set.before-20260103T000000Z"])
    assert all(path.with_name(name).joinpath("thesis.tex").exists() for name in beside)


def test_a_damaged_version_is_put_back_unless_the_present_one_would_be_gone(
    edited: tuple[Path, list[dict[str, str]]], roboreel: Roboreel
) -> None:
    path, (_, _, third) = edited
    newest = Path(rr.kept_versions(path)[0].path)
    (newest / "meta/info.json").write_text("{")
    damaged = tree_digest(newest)
    before = _names(path)
    with pytest.raises(DatasetError):
        rr.undo(path, discard_present=True)
    assert roboreel("undo", path, "--restore", "--discard-present").code == 1
    assert (_names(path), tree_digest(path)) == (before, third)
    assert "damaged" in roboreel("undo", path).out
    assert roboreel("undo", path, "--restore").code == 0
    assert tree_digest(path) == damaged
    assert (
        roboreel("undo", path, "--restore", "--version", rr.kept_versions(path)[0].name).code == 0
    )
    assert tree_digest(path) == third


def test_where_the_dataset_is_gone_its_versions_are_told_and_kept(
    edited: tuple[Path, list[dict[str, str]]], roboreel: Roboreel
) -> None:
    path, (_, second, _) = edited
    shutil.rmtree(path)
    missing = roboreel("info", path)
    assert missing.code == 1
    assert f"roboreel undo {path}" in missing.err
    assert roboreel("undo", path, "--keep", 0).code == 1
    assert len(rr.kept_versions(path)) == 2
    done = rr.undo(path)
    assert (done.kept, done.replaced, tree_digest(path)) == (None, False, second)


def test_what_an_interrupted_run_left_stays(edited: tuple[Path, list[dict[str, str]]]) -> None:
    path, (_, second, _) = edited
    staging = staging_location(path)
    (staging / "dataset").mkdir(parents=True)
    (staging / "ledger.jsonl").write_text("of a run\n")
    rr.undo(path)
    rr.remove_kept(path, keep=0)
    assert tree_digest(path) == second
    assert (staging / "ledger.jsonl").read_text() == "of a run\n"
    assert _names(path) == [staging.name, "set"]


def test_what_was_half_removed_beside_kept_work_is_removed(
    edited: tuple[Path, list[dict[str, str]]],
) -> None:
    """A run was killed while it removed a version, and the work of another one waits for --resume."""
    path, (_, second, _) = edited
    staging = staging_location(path)
    (staging / "dataset").mkdir(parents=True)
    (staging / "discarded/data").mkdir(parents=True)
    assert rr.undo(path, discard_present=True).kept is None
    assert tree_digest(path) == second
    rr.remove_kept(path, keep=0)
    assert _names(path) == [staging.name, "set"]
    assert sorted(os.listdir(staging)) == ["dataset", "lock"]


def test_the_list_says_how_to_put_back_what_was_undone(
    edited: tuple[Path, list[dict[str, str]]], roboreel: Roboreel
) -> None:
    path, (_, _, third) = edited
    rr.undo(path)
    rr.undo(path, discard_present=True)
    (undone,) = rr.kept_versions(path)
    shutil.rmtree(path)
    shown = roboreel("undo", path).out
    assert shown.endswith(f"roboreel undo {path} --restore --version {undone.name}\n")
    assert roboreel("undo", path, "--restore", "--version", undone.name).code == 0
    assert tree_digest(path) == third


@pytest.mark.slow
def test_a_run_at_work_is_not_disturbed(edited: tuple[Path, list[dict[str, str]]]) -> None:
    path, _ = edited
    staging = Staging(path, in_place=True)
    before = _names(path)
    with pytest.raises(UsageError, match="another run"):
        rr.undo(path)
    with pytest.raises(UsageError, match="another run"):
        rr.remove_kept(path, keep=0)
    assert _names(path) == before
    staging.discard()


MISTAKES = {
    "both": (["--restore", "--keep", "1"], "give only one of them"),
    "version alone": (["--version", "x"], "need --restore"),
    "discard alone": (["--discard-present"], "need --restore"),
    "unknown version": (["--restore", "--version", "x"], "there is no version 'x'"),
    "negative": (["--keep", "-1"], "keep"),
}


@pytest.mark.parametrize(("options", "said"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_change_nothing(
    edited: tuple[Path, list[dict[str, str]]], roboreel: Roboreel, options: list[str], said: str
) -> None:
    path, (_, _, third) = edited
    before = _names(path)
    done = roboreel("undo", path, *options)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert (_names(path), tree_digest(path)) == (before, third)


def test_paths_that_have_no_earlier_versions(
    edited: tuple[Path, list[dict[str, str]]], roboreel: Roboreel
) -> None:
    path, _ = edited
    newest = rr.kept_versions(path)[0]
    own = roboreel("undo", newest.path, "--restore")
    assert own.code == 2
    assert "itself an earlier version of 'set'" in own.err
    assert roboreel("undo", path.with_name("nowhere")).code == 1
    link = path.with_name("link")
    os.symlink(path, link)
    assert roboreel("undo", link, "--restore").code == 2
    assert roboreel("undo", "s3://bucket/set").code == 2


def test_a_second_restore_and_a_view_file_have_the_line(
    edited: tuple[Path, list[dict[str, str]]],
    roboreel: Roboreel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path, states = edited
    monkeypatch.chdir(path.parent)
    for _ in range(2):
        roboreel("undo", "set", "--restore")
    told = roboreel("undo", "set", "--restore").err.splitlines()[-1]
    assert told.endswith("   # restores what the last undo replaced")
    assert roboreel(*told.split("   #")[0].split()[2:]).code == 0
    assert tree_digest(path) == states[1]
    roboreel("edit", "a.view.json", "from", "set")
    told = roboreel("undo", "a.view.json").err
    assert told.startswith("error: 'a.view.json' is a view file: ")
    assert told.splitlines()[-1].startswith("  try: roboreel edit a.view.json undo ")


def test_a_version_that_cannot_be_moved_leaves_the_present_one_in_its_place(
    edited: tuple[Path, list[dict[str, str]]],
) -> None:
    path, states = edited
    before = _names(path)
    failures = iter([OSError(errno.EACCES, os.strerror(errno.EACCES))])

    def fail(when: str, name: str, at: str) -> None:
        if (when, name, str(at)) == ("before", "replace", str(path)):
            for failure in failures:  # the first time: then it is moved back
                raise failure

    with disk.faults(fail), pytest.raises(StorageError, match="cannot be restored"):
        rr.undo(path)
    assert _names(path) == before
    assert tree_digest(path) == states[-1]


def test_a_dataset_in_lerobots_folder_is_named_as_in_other_commands(
    roboreel: Roboreel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_LEROBOT_HOME", str(tmp_path / "home"))
    path = make_dataset(tmp_path / "home" / "me" / "set", version="v2.1", cameras={})
    first = tree_digest(path)
    rr.write(rr.open("me/set").delete([0]), in_place=True)
    (kept,) = rr.kept_versions("me/set")
    listed = roboreel("undo", "me/set", "--json")
    assert [one["name"] for one in json.loads(listed.out)["kept"]] == [kept.name]
    done = roboreel("undo", "me/set", "--restore")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"restored {kept.name} as {path}\n")
    assert tree_digest(path) == first
    (undone,) = rr.remove_kept("me/set", keep=0)
    assert undone.name not in _names(path)
