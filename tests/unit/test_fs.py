"""The door to bytes: names stay inside, files appear whole or not at all, copies are exact."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roboreel.errors import StorageError
from roboreel.storage.disk import explained
from roboreel.storage.fs import inside, open_root
from roboreel.storage.local import LocalRoot
from roboreel.storage.output_file import Output
from roboreel.storage.remote.remote import FsspecRoot
from roboreel.storage.root import FileStat, Root, checked

NAME = "meta/info.json"
OUTSIDE = ["/etc/passwd", "..", "../x", "a/../../x", "a/..", "", ".", "./", "a\0b", "//a", "../"]
needs_permissions = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere"
)


@pytest.fixture
def memory() -> Iterator[FsspecRoot]:
    """A folder of an in-memory store with three files, beside one of a like name."""
    fsspec = pytest.importorskip("fsspec")
    store: Any = fsspec.filesystem("memory")
    store.pipe({"/set/a.txt": b"abc", "/set/d/b.txt": b"defg", "/set/d/e/c": b"", "/set2/x": b"x"})
    yield FsspecRoot("memory://set")
    for folder in ("/set", "/set2"):
        store.rm(folder, recursive=True)


@pytest.fixture
def local(tmp_path: Path) -> LocalRoot:
    root = LocalRoot(tmp_path / "set")
    for name, data in (("a.txt", b"abc"), ("d/b.txt", b"defg"), ("d/e/c", b"")):
        root.put(name, data)
    return root


@pytest.fixture(params=["local", "memory"])
def root(request: pytest.FixtureRequest) -> Root:
    found: Root = request.getfixturevalue(request.param)
    return found


def test_list_has_every_file_sorted(root: Root) -> None:
    assert root.list() == ("a.txt", "d/b.txt", "d/e/c")


def test_files_are_read(root: Root) -> None:
    assert [root.read(name) for name in root.list()] == [b"abc", b"defg", b""]
    with root.input("d/b.txt") as file:
        file.seek(2)
        assert file.read(1) == b"f"
        file.seek(0)
        assert file.read() == b"defg"


def test_size_and_stamp_are_those_of_the_file(root: Root) -> None:
    assert [root.stat(name).size_bytes for name in root.list()] == [3, 4, 0]
    assert root.stat("a.txt") == root.stat("a.txt")
    assert root.stat("a.txt").stamp


def test_stamp_changes_with_the_file(local: LocalRoot) -> None:
    before = local.stat("a.txt")
    local.put("a.txt", b"xyz")
    os.utime(local.path / "a.txt", ns=(1, 1))
    assert local.stat("a.txt") != before


def _told(found: FileStat | StorageError) -> object:
    return found if isinstance(found, FileStat) else str(found)


def _one_by_one(root: Root, names: list[str]) -> list[object]:
    told: list[object] = []
    for name in names:
        try:
            told.append(root.stat(name))
        except StorageError as error:
            told.append(str(error))
    return told


@pytest.mark.parametrize("follow_links", [False, True])
def test_many_files_are_told_as_each_of_them(tmp_path: Path, follow_links: bool) -> None:
    folder, beside = tmp_path / "set", tmp_path / "beside"
    for place in (folder / "d/a", folder / "d/b", folder / "e/f/c", beside / "x", beside / "y"):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(place.name.encode() * 3)
    (folder / "d/inner").symlink_to("a")
    (folder / "d/out").symlink_to(beside / "x")
    (folder / "d/lost").symlink_to("nowhere")
    (folder / "linked").symlink_to("e/f")
    (folder / "led out").symlink_to(beside)
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "d/pipe")
    inner = ["d/a", "d/b", "d/inner", "d/out", "d/lost", "d/pipe", "d/none", "d", "d/a/x"]
    names = [*inner, "linked/c", "led out/x", "led out/y", "e/f/c", "no/folder", "d/a", *OUTSIDE]
    root = LocalRoot(folder, follow_links=follow_links)
    expected = _one_by_one(root, names)
    assert sum(isinstance(one, FileStat) for one in expected) == (9 if follow_links else 6)
    assert list(map(_told, root.stats(names))) == expected


def test_many_files_of_a_store_are_told_too(root: Root) -> None:
    names = ["a.txt", "none", "d/b.txt", "../x"]
    assert list(map(_told, root.stats(names))) == _one_by_one(root, names)


def test_only_files_exist(root: Root) -> None:
    assert root.exists("a.txt")
    for name in ("none", "d/none", "a.txt/x"):
        assert not root.exists(name)
    assert not root.exists("d")


@pytest.mark.parametrize("name", ["none", "d/none", "no/folder"])
def test_missing_files_are_named(root: Root, name: str) -> None:
    for call in (root.stat, root.read, root.input):
        with pytest.raises(StorageError, match=f"'{name}' in '.*set'"):
            call(name)


@pytest.mark.parametrize("name", OUTSIDE)
def test_names_that_leave_the_root_are_refused(root: Root, name: str) -> None:
    for call in (root.stat, root.read, root.input):
        with pytest.raises(StorageError, match="not a path inside the dataset"):
            call(name)
    assert not root.exists(name)


@pytest.mark.parametrize("name", OUTSIDE)
def test_nothing_is_written_outside_the_root(tmp_path: Path, name: str) -> None:
    root = LocalRoot(tmp_path / "deep" / "set")
    with pytest.raises(StorageError, match="not a path inside the dataset"):
        root.put(name, b"x")
    with pytest.raises(StorageError, match="not a path inside the dataset"):
        root.remove(name)
    assert list(tmp_path.iterdir()) == []


@given(st.text(max_size=12))
def test_checked_names_stay_below(name: str) -> None:
    try:
        assert checked(name) == name
    except StorageError:
        return
    joined = os.path.normpath(os.path.join("/srv/set", name))
    assert joined.startswith("/srv/set/")


def test_put_replaces_the_whole_file(tmp_path: Path) -> None:
    root = LocalRoot(tmp_path)
    root.put(NAME, b"a long first content")
    root.put(NAME, b"short")
    assert root.read(NAME) == b"short"
    assert root.list() == (NAME,)


@pytest.mark.parametrize("error", [RuntimeError("x"), KeyboardInterrupt(), SystemExit(1)])
def test_failure_leaves_no_file(tmp_path: Path, error: BaseException) -> None:
    root = LocalRoot(tmp_path)

    def write() -> None:
        with root.create(NAME) as output:
            output.write(b"half")
            assert not root.exists(NAME)
            raise error

    with pytest.raises(type(error)):
        write()
    assert root.list() == ()


def test_failure_keeps_the_file_that_was_there(tmp_path: Path) -> None:
    root = LocalRoot(tmp_path)
    root.put(NAME, b"old")

    def write() -> None:
        with root.create(NAME) as output:
            output.write(b"new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write()
    assert root.read(NAME) == b"old"
    assert root.list() == (NAME,)


def test_file_where_a_folder_must_be_is_an_error(local: LocalRoot) -> None:
    with pytest.raises(StorageError, match=r"'a\.txt/x'"):
        local.put("a.txt/x", b"")
    with pytest.raises(StorageError, match="'d'"):
        local.put("d", b"")
    assert local.list() == ("a.txt", "d/b.txt", "d/e/c")


@needs_permissions
def test_folder_that_may_not_be_read_is_an_error(local: LocalRoot) -> None:
    (local.path / "d").chmod(0)
    try:
        with pytest.raises(StorageError, match="d"):
            local.list()
    finally:
        (local.path / "d").chmod(0o755)


def test_folder_that_went_away_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="gone"):
        LocalRoot(tmp_path / "gone").list()


def test_linked_folders_are_followed_but_not_in_circles(local: LocalRoot, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "v.mp4").write_bytes(b"v")
    (local.path / "videos").symlink_to(tmp_path / "disk")
    (local.path / "d" / "up").symlink_to(local.path)
    (tmp_path / "disk" / "self").symlink_to(tmp_path / "disk")
    (local.path / "file").symlink_to(local.path / "a.txt")
    inside = ("a.txt", "d/b.txt", "d/e/c", "file")
    assert local.list() == inside
    assert LocalRoot(local.path, follow_links=True).list() == (*inside, "videos/v.mp4")


def test_error_of_another_file_is_not_blamed_on_the_new_one(tmp_path: Path) -> None:
    root = LocalRoot(tmp_path)
    with pytest.raises((OSError, StorageError)) as caught, root.create("new") as output:
        output.write((tmp_path / "source").read_bytes())
    assert "'new'" not in str(caught.value) or "source" in str(caught.value)


def test_new_files_are_as_open_as_any(tmp_path: Path) -> None:
    LocalRoot(tmp_path).put("a", b"")
    (tmp_path / "b").write_bytes(b"")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


@given(st.binary(max_size=300), st.lists(st.tuples(st.integers(0, 320), st.integers(0, 320))))
def test_copies_are_byte_ranges(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, parts: list[tuple[int, int]]
) -> None:
    root = LocalRoot(tmp_path_factory.mktemp("copies", numbered=True))
    root.put("source", data)
    sources: list[Any] = [root.input("source"), io.BytesIO(data)]
    for source in sources:
        expected = b"head"
        fits = all(start + size <= len(data) or size == 0 for start, size in parts)
        try:
            with source, root.create("copy") as output:
                output.write(b"head")
                for start, size in parts:
                    output.copy(source, start=start, size=size)
                    expected += data[start : start + size] + b"|"
                    output.write(b"|")
        except StorageError as error:
            assert not fits
            assert "early" in str(error)  # noqa: PT017
            assert not root.exists("copy")
        else:
            assert fits
            assert root.read("copy") == expected
            root.remove("copy")


def test_copy_of_many_blocks_without_a_descriptor() -> None:
    data = bytes(range(256)) * (9 << 12)  # 9 MiB: more than two blocks
    target = io.BytesIO()
    Output(target).copy(io.BytesIO(data), start=3, size=len(data) - 5)
    assert target.getvalue() == data[3:-2]


def test_copy_from_a_remote_store(memory: FsspecRoot, tmp_path: Path) -> None:
    root = LocalRoot(tmp_path)
    with memory.input("d/b.txt") as source, root.create("x") as output:
        output.copy(source, start=1, size=2)
    assert root.read("x") == b"ef"


def test_roots_are_opened_by_path_or_url(tmp_path: Path) -> None:
    assert isinstance(open_root(tmp_path), LocalRoot)
    assert isinstance(open_root("memory://x"), FsspecRoot)
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="a file, not a dataset's folder"):
        open_root(tmp_path / "file")
    with pytest.raises(StorageError, match="no such folder"):
        open_root(tmp_path / "none")
    with pytest.raises(StorageError, match="nosuch"):
        open_root("nosuch://x")


def test_whole_store_can_be_a_root(memory: FsspecRoot) -> None:
    assert {"set/a.txt", "set2/x"} <= set(FsspecRoot("memory://").list())
    assert FsspecRoot("memory://set/").list() == memory.list()
    assert FsspecRoot("memory://").read("set2/x") == b"x"


def test_inside_resolves_links(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert inside(tmp_path / "link" / "x", tmp_path / "a")
    assert inside(tmp_path / "a", tmp_path / "a")
    assert not inside(tmp_path / "a" / ".." / "b", tmp_path / "a")
    assert not inside(tmp_path / "ab", tmp_path / "a")


def test_a_file_beyond_the_limit_is_named_with_the_limit(local: LocalRoot) -> None:
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(StorageError) as raised, local.create("d/large") as output:
            output.write(bytes(1 << 20))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert str(raised.value) == (
        f"'d/large' in '{local.url}': File too large: files of this process are limited to 4,096 bytes"
        " (ulimit -f)"
    )
    assert not (Path(local.url) / "d" / "large").exists()


def test_a_file_too_large_without_a_limit_is_laid_to_the_file_system() -> None:
    said = explained(OSError(errno.EFBIG, "File too large"))
    assert said == "File too large: the file system does not allow files of this size"
    assert explained(OSError(errno.EACCES, "Permission denied")) == "Permission denied"
