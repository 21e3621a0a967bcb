"""Staging on an object store: no rename, the first table comes last, and the last whole attempt wins."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import roboreel
from roboreel.errors import StorageError, UsageError
from roboreel.sink import EpisodeSink, finalize
from roboreel.storage.remote.remote import FsspecRoot
from roboreel.storage.remote.store_root import StoreRoot
from tests.unit.sink.staged import NUMBERS, frames_of, put, shown, sink_in, states, tree

STAGING = "memory://bucket/staging"
KEY = ("rec", 1)


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An empty store in memory."""
    fsspec = pytest.importorskip("fsspec")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    found = fsspec.filesystem("memory")
    yield found
    found.rm("/", recursive=True)


def _stage_all(sink: EpisodeSink) -> None:
    put(sink, 3, 4)
    put(sink, 1, 5, frames=[0, 1, 3, 4, 5], videos={"cam": frames_of(1, 6)})
    put(sink, 2, 3)


@pytest.mark.parametrize("gaps", ["encode", "split"])
def test_the_dataset_is_that_of_a_folder(tmp_path: Path, gaps: str) -> None:
    for staging, out in ((STAGING, "remote"), (str(tmp_path / "staging"), "local")):
        _stage_all(sink_in(staging, gaps=gaps))
        report = finalize(staging, tmp_path / out)
        assert report.frames == 12
    assert tree(tmp_path / "remote") == tree(tmp_path / "local")
    assert [own[0][0] for own in shown(tmp_path / "remote")][-1] == 3


def test_from_a_store_to_a_store(store: Any, tmp_path: Path) -> None:
    sink = sink_in(STAGING)
    put(sink, 1)
    report = finalize(STAGING, "memory://bucket/out", remove_staged=True)
    assert (report.episodes, report.removed > 0) == (1, True)
    assert roboreel.check("memory://bucket/out").ok
    assert store.find("/bucket/staging") == []
    store.get("/bucket/out/", f"{tmp_path}/got/", recursive=True)
    finalize_local = sink_in(tmp_path / "staging")
    put(finalize_local, 1)
    finalize(tmp_path / "staging", tmp_path / "local")
    assert tree(tmp_path / "got") == tree(tmp_path / "local")


def test_the_first_table_is_the_last_upload(monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[str] = []
    real = StoreRoot.upload

    def upload(self: StoreRoot, path: str, name: str) -> None:
        names.append(name)
        real(self, path, name)

    monkeypatch.setattr(StoreRoot, "upload", upload)
    made = put(
        sink_in(STAGING, gaps="split"), 1, 4, frames=[0, 1, 3, 4], videos={"cam": frames_of(1, 5)}
    )
    assert len(names) == 4
    assert made[0].table == f"{STAGING}/{names[-1]}"
    assert names[-1].endswith(".000001.parquet")
    assert set(FsspecRoot(STAGING).list()) == set(names)


@pytest.mark.parametrize("fails_at", [0, 1, 2, 3])
def test_a_failed_upload_leaves_no_whole_episode(
    fails_at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = sink_in(STAGING, gaps="split")
    put(sink, 7, key=("other", 1))
    seen: list[str] = []
    real = StoreRoot.upload

    def upload(self: StoreRoot, path: str, name: str) -> None:
        seen.append(name)
        if len(seen) == fails_at + 1:
            raise StorageError(f"'{name}': cut")
        real(self, path, name)

    with monkeypatch.context() as patch:
        patch.setattr(StoreRoot, "upload", upload)
        with pytest.raises(StorageError, match="cut"):
            put(sink, 1, 4, key=KEY, frames=[0, 1, 3, 4], videos={"cam": frames_of(1, 5)})
    assert not sink.is_staged(KEY)
    left = [name for name in seen if FsspecRoot(STAGING).exists(name)]
    assert left == (seen[:3] if fails_at == 3 else [])
    report = finalize(STAGING, tmp_path / "out")
    assert report.episodes == 1
    assert [(one.key.segment, "cut" in one.reason) for one in report.skipped if one.key] == [
        (1, True)
    ]
    put(sink, 1, 2, key=KEY)
    assert finalize(STAGING, tmp_path / "again").episodes == 2


def test_the_last_claim_wins_and_one_that_wakes_later_changes_nothing(tmp_path: Path) -> None:
    sink = pickle.loads(pickle.dumps(sink_in(STAGING, features=NUMBERS)))
    asleep = sink.claim(KEY)
    put(sink, 2, key=KEY)
    put(sink, 1, key=KEY, attempt=asleep)
    assert finalize(STAGING, tmp_path / "first").superseded == 1
    assert [own[0, 0] // 1000 for own in states(tmp_path / "first")] == [2]
    put(sink, 5, key=KEY)
    finalize(STAGING, tmp_path / "second")
    assert [own[0, 0] // 1000 for own in states(tmp_path / "second")] == [5]


def test_a_number_is_taken_by_one_only(monkeypatch: pytest.MonkeyPatch) -> None:
    sink = sink_in(STAGING, features=NUMBERS)
    real = StoreRoot.put_new
    calls: list[str] = []

    def put_new(self: StoreRoot, name: str, data: bytes) -> bool:
        calls.append(name)
        if len(calls) == 1:
            real(self, name, data)  # another worker was quicker
        return real(self, name, data)

    monkeypatch.setattr(StoreRoot, "put_new", put_new)
    assert sink.claim(KEY) == 2


def test_an_empty_address_and_other_urls_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"no episode is staged in '{STAGING}'"):
        finalize(STAGING, tmp_path / "out")
    with pytest.raises(
        UsageError, match="staging folder 'http://x/y' is a URL that cannot be written"
    ):
        sink_in("http://x/y")
    with pytest.raises(UsageError, match="the staging folder 's3://bucket' is a whole bucket"):
        sink_in("s3://bucket")


def test_staging_leaves_nothing_on_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    os.makedirs(tmp_path / "scratch")
    put(sink_in(STAGING), 1)
    assert os.listdir(tmp_path / "scratch") == []
