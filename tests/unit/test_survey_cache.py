"""The cache of surveys: what it says is what the files say, and it never gets in the way."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from roboreel.probes import cache
from roboreel.storage.scratch import scratch_beside
from roboreel.testing import Camera, make_dataset
from tests.unit.inventories import HOUR_NS, age, files, garble, surveyed

EPISODES = (3, 4, 2, 5) * 9
CAMERA = "observation.images.top"
VERSIONS = ("v2.0", "v2.1", "v3.0")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Gives a dataset of a version with a file per episode; not to be changed."""
    base = tmp_path_factory.mktemp("made")

    def make(version: str) -> Path:
        root = base / version
        if not root.exists():
            many = {"data_episodes_per_file": 1, "video_episodes_per_file": 1}
            make_dataset(
                root,
                version=version,  # type: ignore[arg-type]
                episodes=EPISODES,
                cameras={CAMERA: Camera(width=160, height=32)},
                **(many if version == "v3.0" else {}),  # type: ignore[arg-type]
            )
            age(root)
        return root

    return make


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder."""
    place = tmp_path / "cache"
    monkeypatch.setenv("ROBOREEL_CACHE", str(place))
    return place


@pytest.fixture(params=VERSIONS)
def dataset(made: Callable[[str], Path], tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A dataset that may be changed, of each version."""
    return Path(shutil.copytree(made(request.param), tmp_path / "dataset"))


@pytest.fixture
def one(made: Callable[[str], Path], tmp_path: Path) -> Path:
    """A v2.1 dataset that may be changed."""
    return Path(shutil.copytree(made("v2.1"), tmp_path / "dataset"))


def tables_and_videos(root: Path) -> list[Path]:
    return [
        path
        for path in files(root)
        if path.suffix in {".mp4", ".parquet"} and "meta" not in path.parts
    ]


def uncached(root: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    with monkeypatch.context() as patch:
        patch.setenv("ROBOREEL_CACHE", "off")
        return surveyed(root)


def test_a_second_survey_says_the_same_and_reads_no_table_and_no_video(
    dataset: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plainly = uncached(dataset, monkeypatch)
    assert not folder.exists()
    assert surveyed(dataset) == plainly
    garble(tables_and_videos(dataset))
    assert surveyed(dataset) == plainly
    assert uncached(dataset, monkeypatch) != plainly


def test_a_second_survey_does_not_read_statistics_by_line(one: Path, folder: Path) -> None:
    first = surveyed(one)
    assert "'observation.state'" in str(first)
    garble([one / "meta/episodes_stats.jsonl"])
    assert surveyed(one) == first


@pytest.mark.parametrize("change", ["size", "stamp", "both"])
@pytest.mark.parametrize("suffix", [".mp4", ".parquet"])
def test_a_changed_file_is_read_again_and_no_other(
    one: Path, folder: Path, change: str, suffix: str
) -> None:
    first = surveyed(one)
    chosen, *others = [path for path in tables_and_videos(one) if path.suffix == suffix]
    facts = chosen.stat()
    garble([chosen, *others])
    if change != "stamp":
        chosen.write_bytes(bytes(facts.st_size + 1))
        os.utime(chosen, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    if change != "size":
        os.utime(chosen, ns=(facts.st_atime_ns, facts.st_mtime_ns + 1))
    broken = dict(dict(surveyed(one))["broken"])
    assert dict(first)["broken"] == []
    assert list(broken) == [0]
    assert chosen.name in str(broken)


def test_other_documents_are_another_question(
    one: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = surveyed(one)
    info = one / "meta/info.json"
    info.write_text(json.dumps(json.loads(info.read_text()) | {"fps": 31}))
    assert surveyed(one) == uncached(one, monkeypatch)
    assert dict(surveyed(one))["timestamp_error_s"] != dict(first)["timestamp_error_s"]


def test_an_episode_more_is_asked_about_and_the_others_are_not(one: Path, folder: Path) -> None:
    listed = (one / "meta/episodes.jsonl").read_text().splitlines()
    (one / "meta/episodes.jsonl").write_text("\n".join(listed[:-1]) + "\n")
    surveyed(one)
    last = len(EPISODES) - 1
    garble(p for p in tables_and_videos(one) if f"{last:06d}" not in p.name)
    (one / "meta/episodes.jsonl").write_text("\n".join(listed) + "\n")
    found = dict(surveyed(one))
    assert found["broken"] == []
    assert found["rows"][1] == list(EPISODES)


def test_files_written_just_now_are_not_kept(one: Path, folder: Path) -> None:
    chosen = tables_and_videos(one)[0]
    os.utime(chosen)
    surveyed(one)
    garble([chosen])
    assert [row for row, _ in dict(surveyed(one))["broken"]] == [0]


def test_what_could_not_be_read_is_tried_again(one: Path, folder: Path) -> None:
    chosen = tables_and_videos(one)[0]
    facts, content = chosen.stat(), chosen.read_bytes()
    garble([chosen])
    assert [row for row, _ in dict(surveyed(one))["broken"]] == [0]
    chosen.write_bytes(content)
    os.utime(chosen, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert dict(surveyed(one))["broken"] == []


def damages(content: bytes) -> list[bytes]:
    cuts = [content[: len(content) * n // 7] for n in range(7)]
    flips = []
    for at in range(0, len(content), max(1, len(content) // 40)):
        flipped = bytearray(content)
        flipped[at] ^= 1 << at % 8
        flips.append(bytes(flipped))
    return [*cuts, *flips, content + b"\0", b"\0" * len(content)]


@pytest.mark.slow
def test_a_damaged_cache_is_passed_over(one: Path, folder: Path) -> None:
    first = surveyed(one)
    (kept,) = files(folder)
    content = kept.read_bytes()
    for damaged in damages(content):
        kept.write_bytes(damaged)
        assert surveyed(one) == first
        assert kept.read_bytes() == content  # written anew


def test_a_cache_that_other_code_wrote_is_passed_over(
    one: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    surveyed(one)
    garble(tables_and_videos(one))
    monkeypatch.setattr(cache, "_code", lambda: b"roboreel survey of another day\n")
    assert len(dict(surveyed(one))["broken"]) == len(EPISODES)


def test_switched_off_nothing_is_written(
    one: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "shared"))
    monkeypatch.setenv("ROBOREEL_CACHE", "off")
    surveyed(one)
    assert not home.exists()


def test_the_folder_is_that_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("ROBOREEL_CACHE")
    assert cache.cache_folder() == str(tmp_path / ".cache/roboreel")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert cache.cache_folder() == str(tmp_path / "x/roboreel")
    monkeypatch.setenv("ROBOREEL_CACHE", str(tmp_path / "y"))
    assert cache.cache_folder() == str(tmp_path / "y")
    monkeypatch.setenv("ROBOREEL_CACHE", "OFF")
    assert cache.cache_folder() is None


def test_a_folder_that_cannot_be_written_is_no_error(
    one: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ROBOREEL_CACHE", str(tmp_path / "file"))
    assert surveyed(one) == uncached(one, monkeypatch)


def test_small_datasets_do_without(folder: Path, tmp_path: Path) -> None:
    root = make_dataset(tmp_path / "small", episodes=(3, 2), cameras={})
    age(root)
    surveyed(root)
    assert not folder.exists()


def test_no_cache_is_put_into_the_dataset(one: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = files(one)
    monkeypatch.setenv("ROBOREEL_CACHE", str(one / "meta"))
    surveyed(one)
    assert files(one) == before


def test_room_is_made_for_what_was_written_last(
    one: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "MOST_DATASETS", 3)
    place = folder / "surveys"
    place.mkdir(parents=True)
    now = time.time_ns()
    old = [place / f"{number:032x}.answers" for number in range(4)]
    left = place / scratch_beside("x")
    foreign = place / "notes.answers"
    for number, path in enumerate([*old, left, foreign]):
        path.write_bytes(b"x")
        os.utime(path, ns=(now, now - (40 - number) * HOUR_NS))
    surveyed(one)
    assert {path.name for path in files(folder)} > {old[2].name, old[3].name, foreign.name}
    assert len(files(folder)) == 4


def test_runs_at_the_same_time_do_not_break_each_other(
    one: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plainly = uncached(one, monkeypatch)
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(surveyed, [one] * 8))
    assert found == [plainly] * 8
    assert len(files(folder)) == 1
    garble(tables_and_videos(one))
    assert surveyed(one) == plainly
