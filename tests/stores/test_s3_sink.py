"""Episodes staged on S3 by processes that run at once, are killed, and try again."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from roboreel.sink import EpisodeSink, finalize
from tests.forked import FORKED
from tests.stores.conftest import bare_client
from tests.stores.s3_server import BUCKET, Request, S3Server
from tests.unit.sink.staged import NUMBERS, put, sink_in, states, tree

STAGING = f"s3://{BUCKET}/staging"
WRITES = 4
"""Changes of the store for an episode with a camera: claim, video, table, and the claim goes."""


@pytest.fixture(autouse=True)
def _own_notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def _put(sink: EpisodeSink, episode: int, key: int) -> None:
    put(sink, episode, key=("rec", key))


def _claim(sink: EpisodeSink) -> int:
    return sink.claim(("rec", 1))


def _local(folder: Path, *episodes: int) -> dict[str, str]:
    for episode in episodes:
        put(sink_in(folder / "staging"), episode)
    finalize(folder / "staging", folder / "local")
    return tree(folder / "local")


def test_the_dataset_is_that_of_a_folder(s3: S3Server, tmp_path: Path) -> None:
    sink = sink_in(STAGING)
    put(sink, 1)
    put(sink, 2)
    assert sink.is_staged(("rec", 2))
    finalize(STAGING, tmp_path / "out")
    assert tree(tmp_path / "out") == _local(tmp_path, 1, 2)


def test_an_episode_is_a_few_requests(s3: S3Server) -> None:
    sink = sink_in(STAGING)
    s3.forget()
    put(sink, 1)
    changes = [(one.method, one.key.rpartition(".")[2]) for one in s3.requests if _changes(one)]
    assert changes == [("PUT", "begun"), ("PUT", "mp4"), ("PUT", "parquet"), ("DELETE", "begun")]
    assert len(s3.requests) <= 16
    assert not [one for one in s3.requests if one.method == "GET" and one.range]


def test_workers_that_claim_at_once_get_different_numbers(s3: S3Server) -> None:
    with FORKED.Pool(4) as pool:
        numbers = pool.map(_claim, [sink_in(STAGING, features=NUMBERS)] * 8)
    assert sorted(numbers) == list(range(1, 9))


def test_workers_that_write_one_key_leave_one_episode(s3: S3Server, tmp_path: Path) -> None:
    sink = sink_in(STAGING, features=NUMBERS)
    with FORKED.Pool(2) as pool:
        pool.starmap(_put, [(sink, episode, 1) for episode in range(4)] + [(sink, 9, 2)])
    assert finalize(STAGING, tmp_path / "out").superseded == 3
    assert len(states(tmp_path / "out")) == 2


@pytest.mark.sample(2)
@pytest.mark.parametrize("number", range(WRITES))
def test_a_worker_that_is_killed_leaves_a_whole_episode_or_none(
    number: int, s3: S3Server, tmp_path: Path
) -> None:
    sink = sink_in(STAGING)
    put(sink, 1, key=("rec", 1))
    process = FORKED.Process(target=_put, args=(sink, 2, 2))
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
    whole = number >= 2  # the table has arrived
    assert sink.is_staged(("rec", 2)) is whole
    report = finalize(STAGING, tmp_path / "first")
    assert (report.episodes, len(report.skipped)) == ((2, 0) if whole else (1, 1))
    _put(sink, 2, 2)
    finalize(STAGING, tmp_path / "out", remove_staged=True)
    assert tree(tmp_path / "out") == _local(tmp_path, 1, 2)
    assert bare_client().find(f"{BUCKET}/staging") == []


def _changes(request: Request) -> bool:
    return request.method in {"PUT", "POST", "DELETE"}
