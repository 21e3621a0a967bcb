"""Results on S3: the files of a local run, whenever a run is killed, refused or cut."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

import roboreel
from roboreel.errors import DatasetError, RunError, StorageError
from roboreel.storage.remote.store_root import StoreRoot
from roboreel.testing import make_dataset
from tests.forked import FORKED
from tests.oracle import tree_digest
from tests.stores.conftest import bare_client
from tests.stores.s3_server import BUCKET, Request, S3Server

OUT = f"s3://{BUCKET}/out"
MARKER = ".out.roboreel-partial"
WRITES = 9
"""Requests of the run below that change the store."""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(
        make_dataset(tmp_path_factory.mktemp("made") / "set", version="v2.1", episodes=(3, 2))
    )


@pytest.fixture(scope="module")
def expected(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    out = tmp_path_factory.mktemp("local") / "out"
    roboreel.convert(source, to="v3.0", out=out)
    return tree_digest(out)


@pytest.fixture(autouse=True)
def _own_notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def _written(source: Path, **options: Any) -> roboreel.Report:
    return roboreel.convert(source, to="v3.0", out=OUT, **options)


def _digest(folder: Path) -> dict[str, str]:
    bare_client().get(f"{BUCKET}/out/", f"{folder}/", recursive=True)
    return tree_digest(folder)


def _changes(request: Request) -> bool:
    return request.method in {"PUT", "POST", "DELETE"}


def test_a_result_has_the_files_of_a_local_one(
    s3: S3Server, source: Path, expected: dict[str, str], tmp_path: Path
) -> None:
    _written(source)
    changed = [one for one in s3.requests if _changes(one)]
    assert len(changed) == WRITES
    assert [(one.method, one.key) for one in changed[-2:]] == [
        ("PUT", "out/meta/info.json"),
        ("DELETE", MARKER),
    ]
    assert _digest(tmp_path / "got") == expected


def test_several_processes_write_one_result(
    s3: S3Server, source: Path, expected: dict[str, str], tmp_path: Path
) -> None:
    _written(source, workers=2)
    assert _digest(tmp_path / "got") == expected


@pytest.mark.sample(3)
@pytest.mark.parametrize("number", range(WRITES))
def test_a_run_that_is_killed_is_resumed(
    number: int, s3: S3Server, source: Path, expected: dict[str, str], tmp_path: Path
) -> None:
    """Kill it when the store has made its n-th change, before it gets the answer."""
    process = FORKED.Process(target=_written, args=(source,))
    seen: list[Request] = []

    def killing(request: Request) -> None:
        if _changes(request):
            seen.append(request)
            if len(seen) == number + 1 and process.pid is not None:
                os.kill(process.pid, signal.SIGKILL)

    s3.done = killing
    process.start()
    process.join()
    s3.done = lambda _: None
    assert process.exitcode == -signal.SIGKILL
    if number < WRITES - 2:
        with pytest.raises((DatasetError, StorageError)):
            roboreel.open(OUT)
    _written(source, leftovers="resume")
    assert _digest(tmp_path / "got") == expected
    assert bare_client().find(BUCKET) == bare_client().find(f"{BUCKET}/out")
    assert not [*(tmp_path / "state").rglob("*.roboreel-partial")]


def test_a_refused_upload_names_the_file(s3: S3Server, source: Path) -> None:
    s3.refused = lambda one: one.method == "PUT" and one.key.endswith("stats.json")
    with pytest.raises(
        RunError,
        match=r"'meta/stats\.json' in 's3://robots/out': access denied (.|\n)*kept in 's3://robots/out'",
    ):
        _written(source)
    s3.refused = lambda _: False
    assert _written(source, leftovers="resume").resumed == 3


def test_a_lost_answer_to_the_last_file_is_no_failure(s3: S3Server, source: Path) -> None:
    lost: list[Request] = []

    def cut(request: Request) -> bool:
        lost.extend([request] if request.method == "PUT" and "info" in request.key else [])
        return len(lost) == 1 and lost[-1] is request

    s3.cut = cut
    _written(source)
    assert roboreel.open(OUT).num_frames == 5


def test_a_new_object_is_made_by_one_only(s3: S3Server) -> None:
    root = StoreRoot(f"s3://{BUCKET}/x")
    assert root.put_new("a", b"1")
    assert not root.put_new("a", b"2")
    assert root.read("a") == b"1"
    root.put("b", b"3")
    root.remove_all(["a", "b", "none"])
    assert root.stats_of_all() == {}
