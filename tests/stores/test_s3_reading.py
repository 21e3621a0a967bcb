"""Datasets on S3 are read as others, by few requests, and nothing is downloaded that is not read."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest

import roboreel
from roboreel.errors import MissingFileError, RunError, StorageError
from roboreel.storage.fs import open_root
from roboreel.storage.root import FileStat
from roboreel.testing import make_dataset
from tests.forked import FORKED
from tests.oracle import tree_digest
from tests.stores.conftest import bare_client
from tests.stores.s3_server import BUCKET, S3Server

HERE = f"s3://{BUCKET}/sets/pick"
TOP = "observation.images.top"


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(
        make_dataset(tmp_path_factory.mktemp("made") / "pick", version="v3.0", episodes=(5, 3))
    )


@pytest.fixture
def pick(s3: S3Server, local: Path) -> str:
    """The dataset in the bucket."""
    bare_client().put(f"{local}/", f"{BUCKET}/sets/pick/", recursive=True)
    s3.forget()
    return HERE


def test_a_dataset_is_opened_by_its_documents(pick: str, s3: S3Server) -> None:
    dataset = roboreel.open(pick)
    assert (dataset.num_episodes, dataset.num_frames) == (2, 8)
    documents = ("info.json", "episodes/chunk-000/file-000.parquet", "tasks.parquet")
    assert s3.asked("GET") == ["?sets/pick/", *(f"sets/pick/meta/{name}" for name in documents)]


def test_a_dataset_is_checked_and_converted_to_the_same_bytes(
    pick: str, local: Path, tmp_path: Path
) -> None:
    assert roboreel.check(pick).problems == roboreel.check(local).problems
    roboreel.convert(pick, to="v2.1", out=tmp_path / "remote")
    roboreel.convert(local, to="v2.1", out=tmp_path / "local")
    assert tree_digest(tmp_path / "remote") == tree_digest(tmp_path / "local")


def test_what_is_not_read_is_not_downloaded(s3: S3Server, tmp_path: Path) -> None:
    source = make_dataset(tmp_path / "set", version="v2.1", episodes=(4, 5, 6))
    bare_client().put(f"{source}/", f"{BUCKET}/set/", recursive=True)
    s3.forget()
    reader = roboreel.reader(roboreel.open(f"s3://{BUCKET}/set"), cameras=[TOP])
    assert reader[5]["observation.state"] is not None
    read = {key for key in s3.asked("GET") if "meta/" not in key and key[0] != "?"}
    assert read == {
        "set/data/chunk-000/episode_000001.parquet",
        f"set/videos/chunk-000/{TOP}/episode_000001.mp4",
    }


def test_of_a_large_file_only_the_ranges_that_are_read_are_downloaded(s3: S3Server) -> None:
    bare_client().pipe(f"{BUCKET}/large", bytes(range(256)) * (8 << 12))  # 8 MiB
    root = open_root(f"s3://{BUCKET}")
    with root.input("large") as file:
        file.seek(-8, os.SEEK_END)
        assert file.read() == bytes(range(248, 256))
        assert file.read(1) == b""
    assert root.ranges("large", [(0, 2), (7 << 20, 3), (5, 0)]) == [b"\0\1", b"\0\1\2", b""]
    assert s3.sent_bytes < 1000


def test_a_file_that_changed_is_noticed(pick: str, tmp_path: Path) -> None:
    plan = roboreel.plan_convert(pick, to="v2.1", out=tmp_path / "out")
    bare_client().pipe(f"{BUCKET}/sets/pick/meta/stats.json", b"{}")
    with pytest.raises(RunError, match=r"'meta/stats\.json' has changed since the plan was made"):
        roboreel.run(plan)


def test_sizes_of_many_files_come_from_a_listing(s3: S3Server) -> None:
    bare_client().pipe({f"{BUCKET}/many/{n:03}": b"x" * n for n in range(40)})
    s3.forget()
    found = list(open_root(f"s3://{BUCKET}/many").stats(f"{n:03}" for n in range(41)))
    assert [one.size_bytes for one in found if isinstance(one, FileStat)] == list(range(40))
    assert isinstance(found[40], StorageError)
    assert len(s3.requests) == 1


def test_a_forked_process_reads_on(pick: str) -> None:
    root = open_root(pick)
    expected = root.read("meta/info.json")
    with FORKED.Pool(1) as pool:
        assert pool.apply(root.read, ("meta/info.json",)) == expected


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (f"s3://{BUCKET}/none", "'s3://robots/none': there are no files at this address"),
        ("s3://nobody-has-this/set", "The specified bucket does not exist"),
    ],
)
@pytest.mark.usefixtures("s3")
def test_an_address_without_a_dataset_is_an_error(url: str, message: str) -> None:
    with pytest.raises(MissingFileError, match=message):
        roboreel.open(url)


def test_a_refused_request_says_what_to_do(pick: str, s3: S3Server) -> None:
    s3.refused = lambda request: request.key.endswith("tasks.parquet")
    with pytest.raises(
        StorageError,
        match=r"'meta/tasks\.parquet' in 's3://robots/sets/pick': access denied .*AWS_PROFILE",
    ):
        roboreel.open(pick)


def test_a_refused_listing_says_what_to_do(pick: str, s3: S3Server) -> None:
    s3.refused = lambda request: request.key.startswith("?")
    with pytest.raises(StorageError, match=r"'s3://robots/sets/pick': access denied .*AWS_PROFILE"):
        roboreel.open(pick)


def test_missing_credentials_say_what_to_do(
    pick: str, fresh_clients: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(StorageError, match=r"no credentials .*FSSPEC_S3_ANON=true"):
        roboreel.open(pick)


def test_a_connection_that_breaks_once_is_tried_again(pick: str, s3: S3Server) -> None:
    times = itertools.count()
    s3.cut = lambda request: request.key.endswith("tasks.parquet") and next(times) == 1
    assert roboreel.open(pick).num_episodes == 2
    assert next(times) > 2


def test_a_connection_that_always_breaks_is_an_error(pick: str, s3: S3Server) -> None:
    s3.cut = lambda request: request.key.endswith("tasks.parquet") and request.method == "GET"
    with pytest.raises(StorageError, match=r"'meta/tasks\.parquet' .*the connection was cut"):
        roboreel.open(pick)


def test_a_server_that_is_not_there_is_an_error(
    s3: S3Server, fresh_clients: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(StorageError, match="the store cannot be reached"):
        roboreel.open(HERE)
