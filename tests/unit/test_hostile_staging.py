"""What others put beside a dataset under the names of roboreel's own: it leads nowhere, and nothing hangs."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import roboreel
from roboreel.cli.main import app
from roboreel.runner.run_options import Leftovers
from roboreel.storage import disk
from roboreel.storage.staging.staging import Staging, staging_location
from roboreel.storage.staging.staging_folder import identity
from roboreel.testing import make_dataset
from tests.oracle import tree_digest

pytestmark = [
    pytest.mark.usefixtures("no_hang"),
    pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes and owners on this system"),
]
PRECIOUS = "nobody else's business"
OPTIONS: dict[str, Any] = {"to": "v3.0", "data_file_mb": 0.001}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    source = make_dataset(tmp_path / "set", version="v2.1", episodes=(3, 2, 4))
    (source / "README.md").write_text("travels along")
    return source


@pytest.fixture
def precious(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    (folder / "dataset").mkdir(parents=True)
    (folder / "dataset" / "thesis.tex").write_text(PRECIOUS)
    return folder / "dataset" / "thesis.tex"


def _state(folder: Path) -> dict[str, tuple[object, ...]]:
    """All that a disk says of what is below a folder, but for when it was read."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(folder.rglob("*")):
        at = os.lstat(path)
        link = os.readlink(path) if path.is_symlink() else ""
        found[str(path)] = (at.st_mode, at.st_size, at.st_mtime_ns, at.st_ctime_ns, at.st_ino, link)
    return found


def _left(source: Path, out: Path) -> Path:
    """Stop a run in its last file; returns the staging folder with the work that is kept."""

    def full(when: str, name: str, path: str) -> None:
        if (when, name) == ("before", "create") and path.endswith("info.json"):
            raise OSError(28, "No space left on device")

    with disk.faults(full), pytest.raises(roboreel.RunError, match="kept in"):
        roboreel.convert(source, out=out, **OPTIONS)
    return staging_location(out)


def _link(path: Path, precious: Path) -> None:
    path.symlink_to(precious)


def _link_to_new(path: Path, precious: Path) -> None:
    path.symlink_to(precious.with_name("new"))


def _hard_link(path: Path, precious: Path) -> None:
    os.link(precious, path)


def _pipe(path: Path, _precious: Path) -> None:
    os.mkfifo(path)


def _folder(path: Path, _precious: Path) -> None:
    path.mkdir()


WAYS: tuple[tuple[Leftovers, bool], ...] = (("refuse", False), ("resume", True), ("clean", False))
"""What to do with leftovers, and whether in place."""
PLANTS = (_link, _link_to_new, _hard_link, _pipe, _folder)
READING = (
    ("info",), ("info", "--json"), ("check",), ("diff", None), ("stats",), ("stats", "--check"),
    ("features",), ("tasks",),
)  # fmt: skip


def _read_by_all(source: Path) -> None:
    for command, *more in READING:
        words = [command, str(source), *(str(source) if word is None else word for word in more)]
        done = CliRunner().invoke(app, words)
        assert done.exit_code in (0, 1), (words, done.output)
        assert done.exception is None or isinstance(done.exception, SystemExit), words


@pytest.mark.sample(5)
@pytest.mark.parametrize("plant", PLANTS)
@pytest.mark.parametrize("name", ["lock", "ledger.jsonl", "swap.json"])
def test_a_planted_file_leads_nowhere(
    source: Path, tmp_path: Path, precious: Path, name: str, plant: Callable[[Path, Path], None]
) -> None:
    for place in (staging_location(source), staging_location(tmp_path / "out")):
        place.mkdir()
        plant(place / name, precious)
    before = _state(tmp_path)
    if name == "lock":  # the one that opening a dataset once opened
        _read_by_all(source)
    with pytest.raises(roboreel.StorageError, match="no such folder"):
        roboreel.open(tmp_path / "out")
    assert roboreel.recover(source) is None
    for leftovers, in_place in WAYS:
        where: dict[str, Any] = {"in_place": True} if in_place else {"out": tmp_path / "out"}
        with pytest.raises(roboreel.UsageError, match=f"{name}' is .* roboreel did not make it"):
            roboreel.convert(source, to="v3.0", leftovers=leftovers, **where)
    assert _state(tmp_path) == before


def test_a_planted_folder_leads_nowhere(source: Path, tmp_path: Path, precious: Path) -> None:
    staging_location(source).symlink_to(precious.parent.parent)
    staging_location(tmp_path / "out").symlink_to(tmp_path / "nowhere")
    for name in (source.name, "out"):
        gone = staging_location(tmp_path / name).with_suffix(".roboreel-done")
        gone.symlink_to(precious.parent.parent)
    before = _state(tmp_path)
    _read_by_all(source)
    for leftovers, in_place in WAYS:
        where: dict[str, Any] = {"in_place": True} if in_place else {"out": tmp_path / "out"}
        with pytest.raises(roboreel.UsageError, match="is a link, so roboreel did not make it"):
            roboreel.convert(source, to="v3.0", leftovers=leftovers, **where)
    assert _state(tmp_path) == before


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives away")
@pytest.mark.parametrize("name", ["", "lock", "ledger.jsonl", "dataset"])
def test_what_is_another_users_is_left_alone(source: Path, tmp_path: Path, name: str) -> None:
    place = _left(source, tmp_path / "out")
    os.chown(place / name, 12345, -1)
    before = _state(tmp_path)
    for leftovers in ("refuse", "resume", "clean"):
        with pytest.raises(roboreel.UsageError, match="a file of another user"):
            roboreel.convert(source, out=tmp_path / "out", leftovers=leftovers, **OPTIONS)
    assert _state(tmp_path) == before


def _swap(place: Path, kept: str, *, folder: object = None, name: str = "set") -> None:
    (place / "dataset").mkdir(parents=True)
    (place / "lock").touch()
    swap = {"folder": folder or identity(place), "name": name, "kept": kept, "report": {}}
    (place / "swap.json").write_text(json.dumps(swap))


@pytest.mark.parametrize("kept", ["..", "../outside", "/tmp", ".", "a\0b", 7])
def test_a_note_of_a_replacement_names_a_neighbour_only(tmp_path: Path, kept: Any) -> None:
    _swap(staging_location(tmp_path / "set"), kept)
    before = _state(tmp_path)
    with pytest.raises(roboreel.StorageError, match="no such folder"):
        roboreel.open(tmp_path / "set")
    assert roboreel.recover(tmp_path / "set") is None
    assert _state(tmp_path) == before


def test_a_note_of_another_replacement_is_none_of_this_one(source: Path, tmp_path: Path) -> None:
    for name, said in (("other", "no such folder"), ("out", "its replacement was interrupted")):
        _swap(staging_location(tmp_path / "out"), source.name, name=name)
        with pytest.raises(roboreel.StorageError, match=said):
            roboreel.open(tmp_path / "out")
        shutil.rmtree(staging_location(tmp_path / "out"))


@pytest.mark.parametrize("folder", ["", "1-2", None, 3])
def test_a_planted_note_publishes_nothing(source: Path, tmp_path: Path, folder: object) -> None:
    place = staging_location(tmp_path / "out")
    _swap(place, source.name, folder=folder or "nowhere", name="out")
    (place / "dataset" / "planted").touch()
    with pytest.raises(roboreel.StorageError, match="no such folder"):
        roboreel.open(tmp_path / "out")
    report = roboreel.convert(source, to="v3.0", out=tmp_path / "out", leftovers="resume")
    assert report.frames == 9
    assert not (tmp_path / "out" / "planted").exists()


@pytest.mark.parametrize("name", ["ledger.jsonl", "swap.json"])
@pytest.mark.parametrize(
    "content", [b"[" * 60_000 + b"\n", b'{"a":' * 9000 + b"\n", b"", b"null\n"]
)
def test_notes_that_are_none_are_passed_over(
    source: Path, tmp_path: Path, name: str, content: bytes
) -> None:
    place = staging_location(tmp_path / "out")
    place.mkdir()
    (place / name).write_bytes(content)
    (place / "lock").touch()
    assert roboreel.convert(source, to="v3.0", out=tmp_path / "out", leftovers="resume").frames == 9
    assert not place.exists()


@pytest.mark.parametrize("name", ["ledger.jsonl", "swap.json", "lock"])
def test_a_file_of_a_terabyte_is_not_read(source: Path, tmp_path: Path, name: str) -> None:
    place = staging_location(tmp_path / "out")
    place.mkdir()
    with (place / name).open("wb") as file:
        try:
            file.truncate(1 << 40)
        except OSError:
            pytest.skip("no files of that size here")
    assert roboreel.convert(source, to="v3.0", out=tmp_path / "out", leftovers="resume").frames == 9


def test_work_that_was_unpacked_from_elsewhere_is_not_taken(source: Path, tmp_path: Path) -> None:
    """The same files, names, sizes and times, ledger and all: but not the folder in which it was done."""
    place, aside = _left(source, tmp_path / "out"), tmp_path / "aside"
    place.rename(aside)
    shutil.copytree(aside, place)
    table = next((place / "dataset").rglob("*.parquet"))
    stamp = table.stat().st_mtime_ns
    table.write_bytes(b"x" * table.stat().st_size)
    os.utime(table, ns=(stamp, stamp))
    for leftovers in ("refuse", "resume"):
        with pytest.raises(
            roboreel.UsageError, match=r"not of one that can go on here.*leftovers="
        ):
            roboreel.convert(source, out=tmp_path / "out", leftovers=leftovers, **OPTIONS)
    roboreel.convert(source, out=tmp_path / "out", leftovers="clean", **OPTIONS)
    assert roboreel.diff(source, tmp_path / "out").same
    assert not place.exists()


def test_work_is_found_where_the_folder_above_was_renamed(source: Path, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    _left(source, tmp_path / "a" / "out")
    (tmp_path / "a").rename(tmp_path / "b")
    out = tmp_path / "b" / "out"
    assert roboreel.convert(source, out=out, leftovers="resume", **OPTIONS).resumed > 2


def _linked_folder(staged: Path, precious: Path) -> None:
    shutil.rmtree(staged / "data")
    (staged / "data").symlink_to(precious.parent)


def _linked_file(staged: Path, precious: Path) -> None:
    (staged / "README.md").unlink()
    (staged / "README.md").symlink_to(precious)


def _link_more(staged: Path, precious: Path) -> None:
    (staged / "more").symlink_to(precious)


def _linked_meta(staged: Path, precious: Path) -> None:
    if (staged / "meta").exists():
        shutil.rmtree(staged / "meta")
    (staged / "meta").symlink_to(precious.parent)


def _linked_inside(staged: Path, _precious: Path) -> None:
    (staged / "more").symlink_to("README.md")


def _hard_linked(staged: Path, precious: Path) -> None:
    os.link(precious, staged / "more")


def _piped(staged: Path, _precious: Path) -> None:
    os.mkfifo(staged / "more")


@pytest.mark.sample(3)
@pytest.mark.parametrize(
    "plant",
    [_linked_folder, _linked_file, _link_more, _linked_meta, _linked_inside, _hard_linked, _piped],
)
def test_links_and_pipes_in_the_result_are_refused(
    source: Path, tmp_path: Path, precious: Path, plant: Callable[[Path, Path], None]
) -> None:
    place = _left(source, tmp_path / "out")
    plant(place / "dataset", precious)
    outside = tree_digest(precious.parent)
    with pytest.raises(
        roboreel.UsageError, match=r'roboreel did not make it: pass leftovers="clean"'
    ):
        roboreel.convert(source, out=tmp_path / "out", leftovers="resume", **OPTIONS)
    assert tree_digest(precious.parent) == outside
    roboreel.convert(source, out=tmp_path / "out", leftovers="clean", **OPTIONS)
    assert tree_digest(precious.parent) == outside
    assert roboreel.diff(source, tmp_path / "out").same


def test_names_that_are_no_text_do_not_get_into_the_result(source: Path, tmp_path: Path) -> None:
    place = _left(source, tmp_path / "out")
    try:
        with open(os.fsencode(place / "dataset") + b"/\xff", "wb"):
            pass
    except OSError:
        pytest.skip("this file system takes only text for names")
    roboreel.convert(source, out=tmp_path / "out", leftovers="resume", **OPTIONS)
    assert all(os.fsencode(name).isascii() for name in os.listdir(tmp_path / "out"))


def test_an_op_counts_only_with_the_files_of_the_plan(source: Path, tmp_path: Path) -> None:
    """A ledger that says that ops are done, and nothing of their files, leaves no hole in the result."""
    place = _left(source, tmp_path / "out")
    ledger, changed = place / "ledger.jsonl", 0
    lines = [json.loads(line) for line in ledger.read_text("utf-8").splitlines()]
    for line in lines:
        if "op" in line and not changed:
            for name in line["files"]:
                (place / "dataset" / name).unlink()
            line["files"] = {}
            changed += 1
    ledger.write_text("".join(f"{json.dumps(line)}\n" for line in lines), "utf-8")
    done = sum("op" in line for line in lines)
    report = roboreel.convert(source, out=tmp_path / "out", leftovers="resume", **OPTIONS)
    assert report.resumed == done - 1
    assert roboreel.diff(source, tmp_path / "out").same


def test_what_is_planted_while_a_run_is_at_work_is_not_written_to(
    tmp_path: Path, precious: Path
) -> None:
    staging = Staging(tmp_path / "out")
    staging.begin()
    staging.notes.append("ledger.jsonl", b"{}\n")
    (staging.folder / "ledger.jsonl").unlink()
    (staging.folder / "ledger.jsonl").symlink_to(precious)
    with pytest.raises(roboreel.StorageError):
        staging.notes.append("ledger.jsonl", b"{}\n")
    with pytest.raises(roboreel.StorageError):
        staging.notes.cut("ledger.jsonl", 0)
    (staging.root.path / "README.md").symlink_to(precious)
    staging.root.put("README.md", b"ours")
    assert precious.read_text() == PRECIOUS
    assert not (staging.root.path / "README.md").is_symlink()
    staging.discard()


def test_a_dry_run_writes_nothing(source: Path, tmp_path: Path) -> None:
    place = _left(source, tmp_path / "out")
    (staging_location(source)).mkdir()
    assert place.exists()
    before = _state(tmp_path)
    for where in (["-o", str(tmp_path / "out")], ["--in-place"]):
        words = ["convert", str(source), "--to", "v3.0", "--dry-run", *where]
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, done.output
    assert _state(tmp_path) == before


@pytest.mark.parametrize("planted", ["link", "hard link", "pipe"])
def test_what_takes_the_place_of_a_file_at_the_last_moment_is_not_written(
    tmp_path: Path, precious: Path, planted: str
) -> None:
    path = tmp_path / "lock"
    if planted == "link":
        path.symlink_to(precious)
    elif planted == "hard link":
        path.hardlink_to(precious)
    else:
        os.mkfifo(path)
    for change in (
        lambda: disk.append(str(path), b"x"),
        lambda: disk.truncate(str(path), 0),
        lambda: disk.open_lock(str(path)),
    ):
        with pytest.raises(OSError, match=path.name):
            change()
    assert precious.read_text() == PRECIOUS
