"""Paths that are long, odd, or not UTF-8, through every command: they work, or are one clear error."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import roboreel as rr
from roboreel.errors import StorageError, UsageError
from roboreel.storage.staging.staging import Staging, staging_location
from roboreel.testing import make_dataset
from tests.oracle import tree_digest
from tests.unit.cli.conftest import Roboreel

NOT_UTF8 = "a\udcffb"
LIMIT = 255
NAMES = {
    "newline": "a\nb",
    "escape": "\x1b[31mred",
    "dot": "x.",
    "spaces": " x ",
    "dash": "--help",
    "quotes": "a'b\"c",
    "braces": "{x}%s*",
    "reversed": "\u202ex",
    "long": "x" * LIMIT,
    "long in bytes": "日" * (LIMIT // 3),
    "longer in bytes than in characters": "日" * 80,
    "original": "x.before-20260101T000000Z",
}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("names")
    return make_dataset(folder / "in", version="v2.1", episodes=(3, 2), cameras={})


@pytest.mark.sample(4)
@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_odd_names_of_folders_work(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, roboreel: Roboreel, name: str
) -> None:
    shutil.copytree(small, tmp_path / name)
    before = tree_digest(small)
    monkeypatch.chdir(tmp_path)
    commands = [["info"], ["check"], ["stats"], ["tasks"], ["diff", str(small)]]
    commands += [["convert", "--to", "v3.0", "-o", "out"], ["undo"]]
    for command, *rest in commands:
        done = roboreel(command, *rest, "--", f"./{name}")
        assert (done.code, done.err) == (0, ""), command
        assert not {c for c in done.out if c != "\n" and not c.isprintable()}
    shutil.rmtree(tmp_path / name)
    done = roboreel("convert", "out", "--to", "v2.1", "-o", f"./{name}", "--json")
    assert (done.code, done.err) == (0, "")
    assert rr.diff(small, tmp_path / name).same
    assert tree_digest(small) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "out"])


def test_a_name_without_room_for_an_original_is_refused_before_the_work(
    small: Path, tmp_path: Path, roboreel: Roboreel
) -> None:
    for name, fits in (("x" * (LIMIT - 30), True), ("x" * (LIMIT - 20), False), ("日" * 80, False)):
        place = tmp_path / name
        shutil.copytree(small, place)
        done = roboreel("convert", place, "--to", "v3.0", "--in-place", "--dry-run")
        assert done.code == (0 if fits else 2)
        if not fits:
            assert "the original would be kept as NAME.before-TIME" in done.err
            assert roboreel("convert", place, "--to", "v3.0", "--in-place").code == 2
            assert [path.name for path in tmp_path.iterdir()] == [name]
        shutil.rmtree(place)


def test_staging_names_are_measured_in_bytes(tmp_path: Path) -> None:
    names = ["日" * 80, "日" * 79 + "月", "x" * 200, "😀" * 60]
    places = {staging_location(tmp_path / name) for name in names}
    assert len(places) == len(names)
    assert all(len(os.fsencode(place.name)) < 144 for place in places)
    Staging(tmp_path / names[0]).discard()


COMMANDS = {
    "info": ["info", "{odd}"],
    "check": ["check", "{odd}", "--json"],
    "diff": ["diff", "{source}", "{odd}"],
    "convert": ["convert", "{odd}", "--to", "v3.0", "-o", "{out}"],
    "output": ["convert", "{source}", "--to", "v3.0", "-o", "{odd}x"],
    "in place": ["convert", "{odd}", "--to", "v3.0", "--in-place"],
    "delete": ["delete", "{odd}", "--episodes", "1", "-o", "{out}"],
    "merge": ["merge", "{source}", "{odd}", "-o", "{out}"],
    "split": ["split", "{source}", "--into", "a=0.5,b=0.5", "-o", "{odd}x"],
    "list": ["keep", "{source}", "--episodes", "@{odd}", "-o", "{out}"],
    "values": ["features", "{source}", "--add", "x={odd}.npy", "-o", "{out}"],
    "videos": ["features", "{source}", "--add-video", "x={odd}", "-o", "{out}"],
    "task": ["tasks", "{source}", "--set", "{odd}", "-o", "{out}"],
    "stats": ["stats", "{odd}", "--check"],
    "undo": ["undo", "{odd}"],
    "demo": ["demo", "{odd}x"],
}


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_what_is_not_utf8_is_one_clear_error(
    small: Path, tmp_path: Path, roboreel: Roboreel, words: list[str]
) -> None:
    odd = tmp_path / NOT_UTF8
    try:
        shutil.copytree(small, odd)
    except OSError:
        pytest.skip("this disk has no such names")
    done = roboreel(*(word.format(odd=odd, source=small, out=tmp_path / "out") for word in words))
    assert done.code == 2
    assert bool(done.out) == ("--json" in words)
    assert done.err.startswith("error: ")
    assert "a\\udcffb" in done.err
    assert "is not UTF-8" in done.err
    assert len(done.err.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == [NOT_UTF8]


@pytest.mark.parametrize("name", [NOT_UTF8, "a\ud800b", "a\0b", "~\ud800", "~\0"])
def test_paths_that_no_disk_or_document_takes_are_refused_by_functions(
    small: Path, tmp_path: Path, name: str
) -> None:
    calls: list[Callable[[], object]] = [
        lambda: rr.open(name),
        lambda: rr.check(name),
        lambda: rr.convert(small, to="v3.0", out=name),
        lambda: rr.convert(small, to="v3.0", out=tmp_path / name),
        lambda: rr.add_video(rr.open(small), "x", name),
        lambda: rr.add_video(rr.open(small), "x", [f"{name}.mp4"]),
        lambda: rr.decode_video_frames(name, [0.0], tolerance_s=0.1),
        lambda: rr.kept_versions(name),
        lambda: rr.undo(name),
    ]
    for call in calls:
        with pytest.raises(UsageError, match=r"is not UTF-8|NUL"):
            call()
    assert list(tmp_path.iterdir()) == []


def test_below_a_folder_that_is_not_utf8_relative_paths_are_refused_too(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, roboreel: Roboreel
) -> None:
    folder = tmp_path / NOT_UTF8
    try:
        shutil.copytree(small, folder / "set")
    except OSError:
        pytest.skip("this disk has no such names")
    monkeypatch.chdir(folder)
    for words in (["info", "set"], ["convert", small, "--to", "v3.0", "-o", "out"]):
        done = roboreel(*words)
        assert (done.code, done.out) == (2, "")
        assert "is not UTF-8" in done.err


def test_in_a_folder_that_is_gone_relative_paths_are_an_error(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, roboreel: Roboreel
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    for words in (["info", "."], ["convert", small, "--to", "v3.0", "-o", "out"], ["demo", "x"]):
        done = roboreel(*words)
        assert (done.code, done.out) == (1, "")
        assert "the current folder no longer exists" in done.err
    with pytest.raises(StorageError):
        rr.kept_versions("set")
    assert roboreel("info", small).code == 0


def test_videos_whose_names_are_not_utf8_are_not_passed_over(small: Path, tmp_path: Path) -> None:
    (tmp_path / "b.mp4").write_bytes(b"")
    try:
        (tmp_path / f"{NOT_UTF8}.mp4").write_bytes(b"")
    except OSError:
        pytest.skip("this disk has no such names")
    with pytest.raises(UsageError, match="has a name that is not UTF-8"):
        rr.add_video(rr.open(small), "x", tmp_path)
