"""Trees that mean harm: links out, pipes, devices, odd names. Nothing outside is read, nothing hangs."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import roboreel
from roboreel.errors import DatasetError, PlanError, Problem, RoboreelError, StorageError
from roboreel.storage.fs import open_root
from roboreel.storage.local import LocalRoot
from roboreel.storage.tables.tables import read_table
from roboreel.testing import Camera, make_dataset
from tests.mutate import episode_table

CAMERA = "observation.images.top"
SECRET = b"nobody's business"
pytestmark = pytest.mark.usefixtures("no_hang")
needs_pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this system")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    cameras = {CAMERA: Camera(height=32)}
    return make_dataset(tmp_path / "in", version="v2.1", episodes=(3, 2), cameras=cameras)


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret").write_bytes(SECRET)
    return folder


def links(problems: tuple[Problem, ...]) -> list[Problem]:
    return [problem for problem in problems if problem.rule == "file.link"]


def written(folder: Path) -> bytes:
    """All bytes of all files below a folder."""
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def moved_out(path: Path, outside: Path) -> Path:
    """Move a file or folder outside, and leave a link in its place."""
    target = outside / path.name
    path.rename(target)
    path.symlink_to(target)
    return target


def converted(source: Path, out: Path, *, follow_links: bool) -> int:
    """Convert a dataset; the frames of the result."""
    dataset = roboreel.open(source, follow_links=follow_links)
    return roboreel.convert(dataset, to="v3.0", out=out).frames


# --- links


def test_extra_file_behind_a_link_out_is_not_copied(
    source: Path, outside: Path, tmp_path: Path
) -> None:
    """[`file.link`]"""
    (source / "meta/notes.txt").symlink_to(outside / "secret")
    (source / "also").symlink_to(os.path.relpath(outside / "secret", source))
    dataset = roboreel.open(source)
    assert [(p.path, p.severity) for p in links(dataset.problems)] == [
        ("also", "warning"),
        ("meta/notes.txt", "warning"),
    ]
    assert "outside/secret" in links(dataset.problems)[0].message
    assert "follow_links" in str(links(dataset.problems)[0].action)
    report = roboreel.convert(dataset, to="v3.0", out=tmp_path / "out")
    assert links(report.problems) == links(dataset.problems)
    assert SECRET not in written(tmp_path / "out")


def test_extra_file_behind_a_link_out_is_copied_where_that_is_asked_for(
    source: Path, outside: Path, tmp_path: Path
) -> None:
    (source / "meta/notes.txt").symlink_to(outside / "secret")
    dataset = roboreel.open(source, follow_links=True)
    assert not links(dataset.problems)
    roboreel.convert(dataset, to="v3.0", out=tmp_path / "out")
    assert (tmp_path / "out/meta/notes.txt").read_bytes() == SECRET
    assert not (tmp_path / "out/meta/notes.txt").is_symlink()


@pytest.mark.parametrize("name", ["data", "videos", "videos/chunk-000", "meta"])
def test_folder_behind_a_link_out_is_named_where_it_is_missed(
    source: Path, outside: Path, tmp_path: Path, name: str
) -> None:
    """[`file.link`]"""
    moved_out(source / name, outside)
    with pytest.raises((DatasetError, PlanError)) as caught:
        roboreel.convert(source, to="v3.0", out=tmp_path / "out")
    (found,) = links(caught.value.problems)
    assert found.path == name
    assert found == caught.value.problems[0]  # not hidden behind what follows from it
    assert not (tmp_path / "out").exists()
    roboreel.convert(roboreel.open(source, follow_links=True), to="v3.0", out=tmp_path / "out")


def test_single_table_behind_a_link_out_is_named(
    source: Path, outside: Path, tmp_path: Path
) -> None:
    moved_out(episode_table(source, 1), outside)
    with pytest.raises(PlanError, match=r"(?s)file\.link.*000001.*table\.missing"):
        roboreel.convert(source, to="v3.0", out=tmp_path / "out")


def test_linked_data_is_read_by_workers_too(source: Path, outside: Path, tmp_path: Path) -> None:
    moved_out(source / "data", outside)
    dataset = roboreel.open(source, follow_links=True)
    roboreel.convert(dataset, to="v3.0", out=tmp_path / "out", workers=2)
    assert roboreel.open(tmp_path / "out").total_frames == 5


def test_links_inside_are_followed(source: Path, tmp_path: Path) -> None:
    (source / "data").rename(source / ".kept")
    (source / "data").symlink_to(".kept")
    dataset = roboreel.open(source)
    assert not dataset.problems
    assert roboreel.convert(dataset, to="v3.0", out=tmp_path / "out").frames == 5


def test_dataset_that_is_itself_a_link_is_followed(source: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(source)
    dataset = roboreel.open(tmp_path / "link")
    assert not dataset.problems
    assert roboreel.convert(dataset, to="v3.0", out=tmp_path / "out").frames == 5


def hub(source: Path, cache: Path) -> Path:
    """The dataset as a Hugging Face cache holds it: blobs, and a snapshot of links to them."""
    repository = cache / "datasets--a--b"
    snapshot, blobs = repository / "snapshots" / "0123abcd", repository / "blobs"
    blobs.mkdir(parents=True)
    for number, path in enumerate(sorted(p for p in source.rglob("*") if p.is_file())):
        name = path.relative_to(source)
        shutil.copy(path, blobs / f"{number:040x}")
        link = snapshot / name
        link.parent.mkdir(parents=True, exist_ok=True)
        up = "../" * (len(name.parts) + 1)
        link.symlink_to(f"{up}blobs/{number:040x}")
    return snapshot


def test_snapshot_in_a_hub_cache_is_read(source: Path, tmp_path: Path) -> None:
    snapshot = hub(source, tmp_path / "cache")
    dataset = roboreel.open(snapshot)
    assert not dataset.problems
    assert roboreel.convert(dataset, to="v3.0", out=tmp_path / "out").frames == 5


def test_dataset_in_a_folder_of_a_snapshot_is_read(source: Path, tmp_path: Path) -> None:
    (source.parent / "repository").mkdir()
    source.rename(source.parent / "repository/in")
    snapshot = hub(source.parent / "repository", tmp_path / "cache")
    assert not roboreel.open(snapshot / "in").problems


def test_only_the_blobs_beside_a_snapshot_are_read(
    source: Path, outside: Path, tmp_path: Path
) -> None:
    snapshot = hub(source, tmp_path / "cache")
    blobs = snapshot.parent.parent / "blobs"
    (blobs / "x").symlink_to(outside / "secret")
    (snapshot.parent.parent / "refs").write_bytes(SECRET)
    for name, target in (
        ("a", "../../blobs/x"),
        ("b", "../../refs"),
        ("c", "../../../../outside/secret"),
        ("d", "../../blobs"),
    ):
        (snapshot / name).symlink_to(target)
    dataset = roboreel.open(snapshot)
    assert [problem.path for problem in links(dataset.problems)] == ["a", "b", "c", "d"]
    with pytest.raises(StorageError, match="a link leads out of the dataset"):
        dataset.root.read("c")


def test_blobs_that_are_a_link_themselves_open_nothing(outside: Path, tmp_path: Path) -> None:
    (tmp_path / "r/snapshots/1").mkdir(parents=True)
    (tmp_path / "r/blobs").symlink_to(outside)
    (tmp_path / "r/snapshots/1/x").symlink_to("../../blobs/secret")
    assert LocalRoot(tmp_path / "r/snapshots/1").listing().files == ()


def test_names_that_were_never_listed_are_held_to_the_same(source: Path, outside: Path) -> None:
    root = LocalRoot(source)
    (source / "late").symlink_to(outside)
    for call in (root.stat, root.read, root.input, lambda name: read_table(root, name)):
        with pytest.raises(StorageError, match="a link leads out of the dataset"):
            call("late/secret")
    assert not root.exists("late/secret")
    assert LocalRoot(source, follow_links=True).read("late/secret") == SECRET


def test_file_that_became_a_link_after_planning_is_not_read(
    source: Path, outside: Path, tmp_path: Path
) -> None:
    (source / "meta/notes.txt").write_bytes(SECRET)
    plan = roboreel.plan_convert(source, to="v3.0", out=tmp_path / "out")
    stamp = (source / "meta/notes.txt").stat().st_mtime_ns
    (source / "meta/notes.txt").unlink()
    os.utime(outside / "secret", ns=(stamp, stamp))
    (source / "meta/notes.txt").symlink_to(outside / "secret")
    with pytest.raises(RoboreelError, match="a link leads out"):
        roboreel.run(plan)
    assert not (tmp_path / "out").exists()


def test_link_loops_are_passed_over(source: Path) -> None:
    (source / "meta/a").symlink_to("b")
    (source / "meta/b").symlink_to("a")
    (source / "meta/self").symlink_to("self")
    (source / "meta/up").symlink_to("..")
    (source / "meta/here").symlink_to(".")
    dataset = roboreel.open(source)
    assert not dataset.model.extra_files
    assert not dataset.problems


@pytest.mark.slow
def test_folders_that_link_to_each_other_are_no_flood(tmp_path: Path) -> None:
    for number in range(30):
        (tmp_path / f"d{number}").mkdir()
        for name in ("a", "b"):
            (tmp_path / f"d{number}/{name}").symlink_to(tmp_path / f"d{number + 1}")
    (tmp_path / "d30").mkdir()
    with pytest.raises(StorageError, match="more than 2000 linked folders"):
        LocalRoot(tmp_path).list()


def test_many_links_out_are_told_in_few_lines(source: Path, outside: Path) -> None:
    for number in range(500):
        (source / f"link-{number:03d}").symlink_to(outside)
    found = links(roboreel.open(source).problems)
    assert len(found) == 21
    assert "480 more links" in found[-1].message


def test_local_urls_are_held_to_the_same(source: Path, outside: Path) -> None:
    (source / "late").symlink_to(outside)
    root = open_root(f"file://{source}")
    assert isinstance(root, LocalRoot)
    assert not root.exists("late/secret")


# --- what is no file


@needs_pipes
@pytest.mark.parametrize(
    "name",
    ["meta/info.json", "meta/episodes.jsonl", "data/chunk-000/episode_000001.parquet",
     f"videos/chunk-000/{CAMERA}/episode_000000.mp4", "meta/notes.txt"],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["pipe", "folder", "loop", "nowhere", "device", "empty"])
def test_what_is_no_file_is_missing_or_passed_over(
    source: Path, tmp_path: Path, name: str, kind: str
) -> None:
    path = source / name
    path.unlink(missing_ok=True)
    make: dict[str, Callable[[], object]] = {
        "pipe": lambda: os.mkfifo(path),
        "folder": path.mkdir,
        "loop": lambda: path.symlink_to(path.name),
        "nowhere": lambda: path.symlink_to("nowhere"),
        "device": lambda: path.symlink_to("/dev/zero"),
        "empty": path.touch,
    }
    make[kind]()
    for follow in (False, True):
        out = tmp_path / f"out-{follow}"
        if name == "meta/notes.txt":
            assert converted(source, out, follow_links=follow) == 5
            assert (out / name).exists() == (kind == "empty")
            continue
        with pytest.raises(RoboreelError) as caught:
            converted(source, out, follow_links=follow)
        assert "info.json" in str(caught.value) or "episode" in str(caught.value)
        assert not out.exists()


@needs_pipes
def test_pipe_is_not_waited_for(source: Path) -> None:
    os.mkfifo(source / "pipe")
    root = LocalRoot(source)
    for call in (root.read, root.input, root.stat):
        with pytest.raises(StorageError, match="not a file"):
            call("pipe")


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no such device here")
def test_device_is_no_file_even_where_links_are_followed(source: Path) -> None:
    (source / "zero").symlink_to("/dev/zero")
    root = LocalRoot(source, follow_links=True)
    assert "zero" not in root.list()
    with pytest.raises(StorageError, match="not a file"):
        root.read("zero")


# --- names


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
def test_names_that_are_no_text_are_left_out_and_told(source: Path, tmp_path: Path) -> None:
    """[`file.name`]"""
    for name in (b"meta/\xff\xfe.json", b"data/chunk-000/\xfe.parquet"):
        path = Path(os.fsdecode(os.fsencode(source) + b"/" + name))
        with contextlib.suppress(OSError):  # some file systems take only text
            path.write_bytes(b"x")
    if not any(b"\xff" in os.fsencode(p) for p in (source / "meta").iterdir()):
        pytest.skip("this file system takes only text for names")
    dataset = roboreel.open(source)
    (found,) = [problem for problem in dataset.problems if problem.rule == "file.name"]
    assert found.message.startswith("2 files")
    str(found).encode()  # can be printed anywhere
    assert roboreel.convert(dataset, to="v3.0", out=tmp_path / "out").frames == 5


@pytest.mark.parametrize("name", ["a\nb", "\x1b[31m", "-rf", "a b", "x.partial", "\u202egnp"])
def test_odd_names_travel_as_they_are(source: Path, tmp_path: Path, name: str) -> None:
    (source / "meta" / name).write_bytes(b"payload")
    roboreel.convert(source, to="v3.0", out=tmp_path / "out")
    assert (tmp_path / "out/meta" / name).read_bytes() == b"payload"


@pytest.mark.slow
def test_deep_folders_are_walked(tmp_path: Path) -> None:
    at = tmp_path
    for _ in range(1500):
        at = at / "d"
        with contextlib.suppress(OSError):  # longer than this system's longest path
            at.mkdir()
    try:
        names = LocalRoot(tmp_path).list()
    except StorageError as error:
        assert "too long" in str(error)  # noqa: PT017
    else:
        assert names == ()
    while at != tmp_path:  # it is deeper than what clears away after tests can go
        with contextlib.suppress(OSError):
            at.rmdir()
        at = at.parent
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_thousands_of_extra_files_travel(source: Path, tmp_path: Path) -> None:
    for number in range(3000):
        (source / f"meta/{number}").touch()
    report = roboreel.convert(source, to="v3.0", out=tmp_path / "out")
    assert report.files_copied == 3000


def test_nothing_is_written_beside_the_output(source: Path, tmp_path: Path) -> None:
    (source / "meta/x").symlink_to("../../..")
    before = {path.name for path in tmp_path.iterdir()}
    roboreel.convert(source, to="v3.0", out=tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == before | {"out"}
