"""Results on an object store: made at their URL, a dataset only when `info.json` is written, as the last."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import roboreel
from roboreel.errors import RunError, StorageError, UsageError
from roboreel.ops.split import write_parts
from roboreel.storage.remote.remote import FsspecRoot
from roboreel.storage.remote.store_root import StoreRoot
from roboreel.storage.staging.state_folder import state_folder
from roboreel.storage.staging.store_staging import StoreStaging
from roboreel.testing import make_dataset
from tests.oracle import tree_digest

OUT = "memory://bucket/sets/out"
MARKER = "/bucket/sets/.out.roboreel-partial"
INFO = "/bucket/sets/out/meta/info.json"
TABLE = "/bucket/sets/out/data/chunk-000/file-000.parquet"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(
        make_dataset(tmp_path_factory.mktemp("made") / "set", version="v2.1", episodes=(3, 2))
    )


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An empty store in memory, and an empty folder for the notes of runs."""
    fsspec = pytest.importorskip("fsspec")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    found = fsspec.filesystem("memory")
    yield found
    found.rm("/", recursive=True)


def _written(source: Path, **options: Any) -> roboreel.Report:
    return roboreel.convert(source, to="v3.0", out=OUT, **options)


def _as_files(store: Any, folder: Path) -> Path:
    store.get("/bucket/sets/out/", f"{folder}/", recursive=True)
    return folder


def _stopping(
    monkeypatch: pytest.MonkeyPatch, method: str, when: Callable[[str], bool], error: BaseException
) -> Callable[[], None]:
    """Raise an error where a file is written; returns what ends that."""
    real = getattr(StoreRoot, method)

    def write(self: StoreRoot, *arguments: Any) -> object:
        if when(str(arguments[-1] if method == "upload" else arguments[0])):
            raise error
        return real(self, *arguments)

    monkeypatch.setattr(StoreRoot, method, write)
    return lambda: monkeypatch.setattr(StoreRoot, method, real)


def test_a_result_has_the_files_of_a_local_one(store: Any, source: Path, tmp_path: Path) -> None:
    report = _written(source)
    assert (report.out, report.frames) == (OUT, 5)
    roboreel.convert(source, to="v3.0", out=tmp_path / "local")
    assert tree_digest(_as_files(store, tmp_path / "got")) == tree_digest(tmp_path / "local")
    assert not store.exists(MARKER)
    assert not state_folder(OUT).exists()
    assert roboreel.check(OUT).ok


def test_info_is_the_last_file(store: Any, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there: list[list[str]] = []
    real = StoreRoot.put_new

    def put_new(self: StoreRoot, name: str, data: bytes) -> bool:
        there.append(store.find("/bucket/sets/out"))
        return real(self, name, data)

    monkeypatch.setattr(StoreRoot, "put_new", put_new)
    _written(source)
    before, after = there[-1], store.find("/bucket/sets/out")
    assert set(after) - set(before) == {INFO}


def test_an_interrupted_result_is_no_dataset_and_is_resumed(
    store: Any, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        _stopping(patch, "upload", lambda name: name.endswith("stats.json"), KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            _written(source)
    assert store.exists(MARKER)
    assert not store.exists(INFO)
    with pytest.raises(roboreel.DatasetError, match=r"there is no info\.json"):
        roboreel.open(OUT)
    with pytest.raises(
        UsageError, match=r"an interrupted run left its finished part in '.*sets/out'"
    ):
        _written(source)
    report = _written(source, leftovers="resume")
    assert report.resumed == 3
    roboreel.convert(source, to="v3.0", out=tmp_path / "local")
    assert tree_digest(_as_files(store, tmp_path / "got")) == tree_digest(tmp_path / "local")
    assert not store.exists(MARKER)


def test_an_interrupted_result_is_removed_by_clean(
    store: Any, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        _stopping(patch, "upload", lambda name: name.endswith("stats.json"), KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            _written(source)
    report = roboreel.convert(source, to="v2.1", out=OUT, leftovers="clean")
    assert report.resumed == 0
    assert roboreel.open(OUT).version.value == "v2.1"
    assert not [name for name in store.find("/bucket/sets/out") if "file-000" in name]


def test_a_run_that_finished_nothing_leaves_nothing(
    store: Any, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _stopping(monkeypatch, "upload", lambda _: True, StorageError("full"))
    with pytest.raises(RunError, match="full"):
        _written(source)
    assert store.find("/") == []
    assert not state_folder(OUT).exists()


def test_a_run_that_died_after_publishing_is_finished(
    store: Any, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        _stopping(patch, "remove", lambda name: "partial" in name, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            _written(source)
    assert store.exists(MARKER)
    assert roboreel.open(OUT).num_frames == 5
    recovered = roboreel.recover(OUT)
    assert recovered is not None
    assert recovered.frames == 5
    assert not store.exists(MARKER)
    assert roboreel.recover(OUT) is None


def test_a_url_with_something_at_it_is_refused(store: Any, source: Path) -> None:
    store.pipe("/bucket/sets/out/notes.txt", b"mine")
    with pytest.raises(UsageError, match=r"holds 1 file, such as 'notes\.txt'"):
        _written(source)
    with pytest.raises(UsageError, match=r"holds 1 file, such as 'notes\.txt'"):
        _written(source, leftovers="clean")
    assert store.cat("/bucket/sets/out/notes.txt") == b"mine"
    store.rm("/bucket/sets/out/notes.txt")
    _written(source)
    with pytest.raises(UsageError, match="is a dataset already: choose another URL"):
        _written(source, leftovers="clean")


def test_files_that_no_ledger_knows_are_removed_only_when_asked(
    store: Any, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:  # killed before the first operation was noted
        patch.setattr(StoreStaging, "discard", StoreStaging.release)
        _stopping(patch, "upload", lambda _: True, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            _written(source)
    assert store.exists(MARKER)
    store.pipe(TABLE, b"half of the run's work")
    with pytest.raises(UsageError, match=r"holds 1 file, such as 'data/.*', which an interr"):
        _written(source)
    assert store.cat(TABLE) == b"half of the run's work"
    assert _written(source, leftovers="clean").frames == 5
    assert roboreel.check(OUT).ok


OTHERS = ("notes.txt", "data/chunk-000/file-007.parquet", "meta/episodes/notes.txt")


@pytest.mark.parametrize("leftovers", ["refuse", "resume", "clean"])
@pytest.mark.parametrize("machine", ["this", "another"])
def test_files_that_others_put_beside_those_of_a_run_are_left_and_named(
    machine: str,
    leftovers: str,
    store: Any,
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        _stopping(patch, "upload", lambda name: name.endswith("stats.json"), KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            _written(source)
    if machine == "another":
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "other"))
    for name in OTHERS:
        store.pipe(f"/bucket/sets/out/{name}", b"mine")
    there = store.find("/bucket/sets")
    with pytest.raises(UsageError, match=r"holds 3 files, such as 'data/.*', 'meta/.*', 'notes"):
        _written(source, leftovers=leftovers)
    assert store.find("/bucket/sets") == there
    for name in OTHERS:
        store.rm(f"/bucket/sets/out/{name}")
    written = roboreel.convert(source, to="v2.1", out=OUT, leftovers="clean")
    assert (written.frames, written.resumed) == (5, 0)
    assert not [name for name in store.find("/bucket/sets/out") if "file-000" in name]


def test_a_file_that_appears_during_a_run_that_fails_is_left(
    store: Any, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = StoreRoot.upload

    def upload(self: StoreRoot, *arguments: Any) -> None:
        store.pipe("/bucket/sets/out/notes.txt", b"mine")
        real(self, *arguments)
        raise StorageError("full")

    monkeypatch.setattr(StoreRoot, "upload", upload)
    with pytest.raises(RunError, match="full"):
        _written(source)
    assert store.find("/bucket") == ["/bucket/sets/out/notes.txt"]


def test_a_run_that_is_started_over_and_killed_again_can_be_cleaned(
    store: Any, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second run has other files, and is killed before it removed those of the first."""
    with monkeypatch.context() as patch:
        _stopping(patch, "upload", lambda name: name.endswith("stats.json"), KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            _written(source)
        patch.setattr(StoreStaging, "discard", StoreStaging.release)
        patch.setattr(StoreStaging, "remove_all_but", _killed)
        with pytest.raises(KeyboardInterrupt):
            roboreel.convert(source, to="v2.1", out=OUT, leftovers="clean")
    assert roboreel.convert(source, to="v2.1", out=OUT, leftovers="clean").frames == 5
    assert not [name for name in store.find("/bucket/sets/out") if "file-000" in name]


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_neighbour_of_a_like_name_does_not_count(store: Any, source: Path) -> None:
    store.pipe("/bucket/sets/out2/notes.txt", b"mine")
    _written(source)
    assert store.cat("/bucket/sets/out2/notes.txt") == b"mine"


def test_a_run_of_another_machine_is_not_disturbed(store: Any, source: Path) -> None:
    store.pipe(MARKER, b'{"run": "another"}')
    with pytest.raises(
        UsageError, match=r"a run of another machine or user is writing 'memory://.*out'"
    ):
        _written(source)
    with pytest.raises(UsageError, match="a run of another machine or user"):
        _written(source, leftovers="resume")
    assert store.find("/") == [MARKER]
    assert _written(source, leftovers="clean").frames == 5


def test_of_two_runs_that_begin_at_once_one_is_refused(
    store: Any, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = StoreRoot.put_new

    def put_new(self: StoreRoot, name: str, data: bytes) -> bool:
        store.pipe(MARKER, b'{"run": "another"}')  # it was quicker
        return real(self, name, data)

    monkeypatch.setattr(StoreRoot, "put_new", put_new)
    with pytest.raises(UsageError, match="a run of another machine or user"):
        _written(source)
    assert store.find("/") == [MARKER]


def test_a_run_that_was_taken_over_publishes_nothing(
    store: Any, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = StoreRoot.upload

    def upload(self: StoreRoot, *arguments: Any) -> None:
        store.pipe(MARKER, b'{"run": "another"}')
        real(self, *arguments)

    monkeypatch.setattr(StoreRoot, "upload", upload)
    with pytest.raises(UsageError, match=r"another run has taken over .*: nothing is published"):
        _written(source)
    assert not store.exists(INFO)


def test_an_answer_that_is_lost_does_not_lose_the_result(
    store: Any, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = StoreRoot.put_new

    def put_new(self: StoreRoot, name: str, data: bytes) -> bool:
        made = real(self, name, data)
        return made and "info" not in name

    monkeypatch.setattr(StoreRoot, "put_new", put_new)
    assert _written(source).frames == 5
    assert store.exists(INFO)


def test_a_dataset_that_appears_meanwhile_is_not_replaced(
    store: Any, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = StoreRoot.put_new

    def put_new(self: StoreRoot, name: str, data: bytes) -> bool:
        if "info" in name:
            store.pipe(INFO, b"theirs")
        return real(self, name, data)

    monkeypatch.setattr(StoreRoot, "put_new", put_new)
    with pytest.raises(RunError, match=r"'meta/info\.json' .* has been written by another program"):
        _written(source)
    assert store.cat(INFO) == b"theirs"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://example.org/out", "is a URL that cannot be written to: give a folder, s3://"),
        ("hf://datasets/me/set", "is on the Hub: write to a folder, and push it"),
        ("s3://bucket", "is a whole bucket: add a prefix, such as 's3://bucket/set'"),
    ],
)
def test_a_url_that_cannot_be_written_is_refused(source: Path, url: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        roboreel.convert(source, to="v3.0", out=url)


def test_what_is_on_a_store_is_edited_to_another_url_only(store: Any, source: Path) -> None:
    _written(source)
    with pytest.raises(
        UsageError, match="is a URL, and only a local dataset can be changed in place: write"
    ):
        roboreel.write(roboreel.open(OUT).delete([0]), in_place=True)
    with pytest.raises(UsageError, match="is inside the dataset"):
        roboreel.write(roboreel.open(OUT).delete([0]), out=f"{OUT}/edited")
    report = roboreel.write(roboreel.open(OUT).delete([0]), out="memory://bucket/sets/edited")
    assert report.frames == 2
    assert roboreel.check("memory://bucket/sets/edited").ok


def test_parts_and_repairs_are_written_to_folders(store: Any, source: Path) -> None:
    views = {"a": roboreel.open(source).delete([0])}
    with pytest.raises(UsageError, match="is a URL: split into a folder"):
        write_parts(views, out=OUT)
    with pytest.raises(UsageError, match="is a URL: repair into a folder, then upload it"):
        roboreel.repair(source, out=OUT)


def test_a_planned_run_writes_nothing(store: Any, source: Path) -> None:
    plan = roboreel.plan_convert(source, to="v3.0", out=OUT)
    assert plan.out == OUT
    assert store.find("/") == []
    assert not state_folder(OUT).exists()


def test_a_new_file_is_made_by_one_only(store: Any) -> None:
    root = StoreRoot("memory://bucket")
    assert root.put_new("a/b", b"first")
    assert not root.put_new("a/b", b"second")
    assert root.read("a/b") == b"first"
    root.remove("a/b")
    root.remove("a/b")
    assert root.below("a") == ()


def test_a_file_whose_writing_fails_does_not_appear(store: Any) -> None:
    root = StoreRoot("memory://bucket")

    def fail() -> None:
        with root.create("a") as output:
            output.write(b"half")
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        fail()
    assert not FsspecRoot("memory://bucket").exists("a")
    with root.create("a") as output:
        output.write(b"xbc")
        output.overwrite(0, b"a")
    assert root.read("a") == b"abc"
