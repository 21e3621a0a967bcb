"""Pulling: which bytes move, what is there afterwards, and what a second pull does."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import huggingface_hub
import numpy as np
import pytest

import roboreel
from roboreel.errors import HubError, StorageError, UsageError
from roboreel.hub import fetch_missing, pull
from roboreel.hub.remote_files import RemoteFile
from roboreel.testing import make_dataset
from tests.command import run_here
from tests.hub_server import HubServer, folder_files


def contents(folder: Path) -> dict[str, bytes]:
    return {n: d for n, d in folder_files(folder).items() if not n.startswith(".cache/")}


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
def test_a_pull_of_two_episodes_moves_only_their_files(
    hub: HubServer, v21: Path, v30: Path, tmp_path: Path, version: str
) -> None:
    source = v21 if version == "v2.1" else v30
    hub.add("user/name", source, tags=[version])
    report = pull("user/name", tmp_path / "out", episodes=[0, 3])
    files = folder_files(source)
    whole = roboreel.open(source)
    columns = ["data/path", *(f"videos/{camera}/path" for camera in whole.cameras)]
    touched = {str(whole.episodes[column][row]) for row in (0, 3) for column in columns}
    wanted = {n for n in files if n.startswith("meta/") or "/" not in n} | touched
    assert hub.fetched() == wanted
    assert hub.sent() == sum(len(files[name]) for name in wanted)
    assert contents(tmp_path / "out") == {name: files[name] for name in wanted}
    assert report.fetched_bytes == hub.sent()
    assert set(report.files) == wanted
    trees = [one.path for one in hub.asked if "/tree/" in one.path]
    assert len(trees) == 2, "more than the top and meta/ was listed"


def test_a_whole_pull_equals_the_source(hub: HubServer, v30: Path, tmp_path: Path) -> None:
    files = {**folder_files(v30), "README.md": b"# hello", "notes/a b.txt": b"x", "empty": b""}
    hub.add("user/name", files, tags=["v3.0"])
    pull("user/name", tmp_path / "out")
    assert contents(tmp_path / "out") == files


def test_a_v20_pull_moves_only_its_files(hub: HubServer, tmp_path: Path) -> None:
    source = make_dataset(tmp_path / "source", version="v2.0", episodes=(5, 6, 7))
    hub.add("user/name", source, tags=["v2.0"])
    pull("user/name", tmp_path / "out", episodes=[2])
    assert {name.rpartition("/")[2] for name in hub.fetched() if not name.startswith("meta")} == {
        "episode_000002.parquet",
        "episode_000002.mp4",
    }


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
def test_a_partial_pull_works_offline_and_equals_its_part_of_the_source(
    hub: HubServer,
    v21: Path,
    v30: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    version: str,
) -> None:
    source = v21 if version == "v2.1" else v30
    hub.add("user/name", source, tags=[version])
    pull("user/name", tmp_path / "out", episodes=[0, 3])
    hub.forget()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    roboreel.write(roboreel.open(tmp_path / "out").keep([0, 3]), out=tmp_path / "kept")
    roboreel.write(roboreel.open(source).keep([0, 3]), out=tmp_path / "expected")
    assert roboreel.diff(tmp_path / "kept", tmp_path / "expected").same
    assert run_here("info", tmp_path / "out").returncode == 0
    assert not hub.asked


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
def test_an_episode_that_was_not_pulled_is_named_with_its_file_and_the_command(
    hub: HubServer, v21: Path, v30: Path, tmp_path: Path, version: str
) -> None:
    commit = hub.add("user/name", v21 if version == "v2.1" else v30, tags=[version])
    pull("user/name", tmp_path / "out", episodes=[0])
    part = roboreel.open(tmp_path / "out")
    absent = 3
    name = "episode_000003" if version == "v2.1" else "file-001"
    command = f"roboreel pull user/name@{commit} -o {tmp_path / 'out'} --episodes 3"
    with pytest.raises(StorageError) as raised:
        list(part.rows([(absent, 0, -1)]))
    assert f"episode {absent}" in str(raised.value)
    assert f"{name}.parquet" in str(raised.value)
    assert str(raised.value).endswith(command)
    problems = roboreel.check(tmp_path / "out").problems
    assert f"it was not pulled: {command}" in {problem.action for problem in problems}
    assert run_here(*shlex.split(command)[1:]).returncode == 0
    assert next(iter(roboreel.open(tmp_path / "out").rows([(absent, 0, -1)]))).num_rows == 7


def test_a_later_pull_adds_episodes_and_neither_fetches_nor_reads_a_file_twice(
    hub: HubServer, v21: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add("user/name", v21, tags=["v2.1"])
    pull("user/name", tmp_path / "out", episodes=[0])
    first = hub.fetched()
    hub.forget()
    report = pull("user/name", tmp_path / "out", episodes=[1])
    assert not hub.fetched() & first
    assert set(report.fetched) == hub.fetched()
    hub.forget()
    monkeypatch.setattr(RemoteFile, "is_content", lambda *_: pytest.fail("a file is read again"))
    assert pull("user/name", tmp_path / "out", episodes=[1]).fetched == ()
    assert hub.sent() == 0


def test_an_interrupted_pull_goes_on(
    hub: HubServer, v21: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add("user/name", v21, tags=["v2.1"])
    hub.fail("^/lfs/", status=500)
    with pytest.raises(HubError):
        pull("user/name", tmp_path / "out", episodes=[0, 1])
    hub.works()
    hub.forget()
    pull("user/name", tmp_path / "out", episodes=[0, 1])
    assert not any(name.startswith("meta/") for name in hub.fetched())
    kept = [name for name in folder_files(v21) if re.search("^meta/|00000[01]", name)]
    assert sorted(contents(tmp_path / "out")) == kept
    assert not list((tmp_path / "out").rglob("roboreel-pull"))


def test_opening_goes_on_with_an_interrupted_pull(
    hub: HubServer, v21: Path, tmp_path: Path
) -> None:
    hub.add("user/name", v21, tags=["v2.1"])
    hub.fail("^/lfs/", status=500)
    with pytest.raises(HubError):
        roboreel.open("user/name")
    hub.works()
    assert roboreel.diff(v21, roboreel.open("user/name")).same


def test_opening_a_partial_copy_fetches_nothing(hub: HubServer, v21: Path) -> None:
    hub.add("user/name", v21, tags=["v2.1"])
    pull("user/name", episodes=[0])
    hub.forget()
    roboreel.open("user/name")
    assert not hub.asked


def test_cameras_and_videos_can_be_left_out(hub: HubServer, v21: Path, tmp_path: Path) -> None:
    commit = hub.add("user/name", v21, tags=["v2.1"])
    pull("user/name", tmp_path / "one", cameras=["observation.images.top"])
    files = set(contents(tmp_path / "one"))
    assert files == {name for name in folder_files(v21) if "images.wrist" not in name}
    found = roboreel.open(tmp_path / "one").problems
    (problem,) = (one for one in found if one.rule == "video.missing")
    assert f"fetch the videos with 'roboreel pull user/name@{commit}" in str(problem)
    pull("user/name", tmp_path / "none", content="tables")
    assert not list((tmp_path / "none").rglob("*.mp4"))
    assert len(list((tmp_path / "none").rglob("*.parquet"))) == 4
    pull("user/name", tmp_path / "meta", content="documents")
    assert {path.name for path in (tmp_path / "meta").iterdir()} == {"meta", ".cache"}


def test_what_is_not_in_the_dataset_is_refused_and_forgotten(
    hub: HubServer, v21: Path, tmp_path: Path
) -> None:
    commit = hub.add("user/name", v21, tags=["v2.1"])
    with pytest.raises(UsageError, match="unknown cameras 'x'"):
        pull("user/name", tmp_path / "out", cameras=["x"])
    with pytest.raises(UsageError, match="does not have episode 9: its last episode is 3"):
        pull("user/name", tmp_path / "out", episodes=[9])
    pull("user/name", tmp_path / "out", episodes=[1])
    assert run_here("pull", "user/name", "-o", tmp_path / "out", "--cameras", "x").returncode == 2
    shown = run_here("info", tmp_path / "out").stdout
    assert f"user/name@v2.1 (commit {commit[:8]}), 1 episode chosen\n" in shown
    assert json.loads(run_here("info", tmp_path / "out", "--json").stdout)["pulled"]["complete"]


def test_commits_are_not_mixed_in_one_folder(hub: HubServer, v21: Path, tmp_path: Path) -> None:
    hub.add("user/name", v21)
    pull("user/name", tmp_path / "out", episodes=[0])
    hub.add("user/name", {**folder_files(v21), "README.md": b"new"})
    with pytest.raises(UsageError, match=r"pull into another folder \(out=DIR\)"):
        pull("user/name", tmp_path / "out", episodes=[1])


def test_a_file_that_is_not_the_repositorys_is_never_overwritten(
    hub: HubServer, v21: Path, tmp_path: Path
) -> None:
    hub.add("user/name", v21, tags=["v2.1"])
    own = tmp_path / "out" / "data" / "chunk-000" / "episode_000001.parquet"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"mine")
    with pytest.raises(UsageError, match="exists and differs"):
        pull("user/name", tmp_path / "out")
    assert own.read_bytes() == b"mine"


def test_a_copy_made_by_another_client_is_completed(
    hub: HubServer, v21: Path, tmp_path: Path
) -> None:
    hub.add("user/name", v21, tags=["v2.1"])
    shutil.copytree(v21, tmp_path / "out")
    (tmp_path / "out" / "data" / "chunk-000" / "episode_000002.parquet").unlink()
    report = pull("user/name", tmp_path / "out")
    assert report.fetched == ("data/chunk-000/episode_000002.parquet",)


def test_what_the_repository_lacks_is_reported(hub: HubServer, v21: Path, tmp_path: Path) -> None:
    lost = "videos/chunk-000/observation.images.top/episode_000001.mp4"
    hub.add("user/name", {n: d for n, d in folder_files(v21).items() if n != lost}, tags=["v2.1"])
    assert pull("user/name", tmp_path / "whole").missing == (lost,)
    assert pull("user/name", tmp_path / "other", episodes=[0]).missing == ()
    done = run_here("pull", "user/name", "-o", tmp_path / "out", "--episodes", "1")
    assert done.returncode == 1
    assert f"missing: '{lost}'" in done.stderr


def test_files_away_from_the_template_are_found(hub: HubServer, v21: Path, tmp_path: Path) -> None:
    moved = {name.replace("chunk-000/", "chunk-000/x/"): d for name, d in folder_files(v21).items()}
    hub.add("user/name", moved, tags=["v2.1"])
    report = pull("user/name", tmp_path / "out", episodes=[1])
    assert report.missing == ()
    assert "data/chunk-000/x/episode_000001.parquet" in report.fetched


def test_a_tree_of_several_pages_is_read_to_its_end(
    hub: HubServer, v30: Path, tmp_path: Path
) -> None:
    hub.page = 3
    hub.add("user/name", v30, tags=["v3.0"])
    pull("user/name", tmp_path / "out")
    assert contents(tmp_path / "out") == folder_files(v30)


def test_two_pulls_into_one_folder_wait_for_each_other(
    hub: HubServer, v21: Path, tmp_path: Path
) -> None:
    hub.add("user/name", v21, tags=["v2.1"])
    with ThreadPoolExecutor(3) as pool:
        reports = list(pool.map(lambda _: pull("user/name", tmp_path / "out"), range(3)))
    assert sorted(len(report.fetched) > 0 for report in reports) == [False, False, True]
    assert contents(tmp_path / "out") == folder_files(v21)


def test_the_progress_ends_with_all_bytes(hub: HubServer, v21: Path, tmp_path: Path) -> None:
    hub.add("user/name", v21, tags=["v2.1"])
    told: list[roboreel.ProgressEvent] = []
    report = pull("user/name", tmp_path / "out", progress=told.append)
    total = sum(report.files.values())
    assert (told[-1].done, told[-1].total, told[-1].unit) == (total, total, "bytes")
    assert [event.done for event in told] == sorted(event.done for event in told)
    assert {event.phase for event in told} == {"downloading user/name"}


def test_the_command_prints_what_it_fetched(hub: HubServer, v21: Path, tmp_path: Path) -> None:
    commit = hub.add("user/name", v21, tags=["v2.1"])
    done = run_here("pull", "user/name", "--episodes", "0,3", "--json", "-o", tmp_path / "out")
    report = json.loads(done.stdout)
    assert report["commit"] == commit
    assert report["fetched_bytes"] == sum(report["files"].values()) == hub.sent()
    plain = run_here("pull", "user/name", "--episodes", "0:2", "-o", tmp_path / "out")
    assert "user/name@v2.1" in plain.stdout
    assert "files already here" in plain.stdout
    assert run_here("pull", "user/name", "--meta-only", "--episodes", "1").returncode == 2
    assert run_here("pull", "nonsense").returncode == 2


def test_a_missing_file_of_a_local_dataset_is_fetched(
    hub: HubServer, v21: Path, tmp_path: Path
) -> None:
    hub.add("user/name", v21, tags=["v2.1"])
    shutil.copytree(v21, tmp_path / "out")
    lost = "data/chunk-000/episode_000002.parquet"
    kept = "data/chunk-000/episode_000001.parquet"
    (tmp_path / "out" / lost).unlink()
    (tmp_path / "out" / kept).write_bytes(b"mine")
    assert fetch_missing("user/name", tmp_path / "out", [kept, lost]) == [lost]
    assert (tmp_path / "out" / lost).read_bytes() == (v21 / lost).read_bytes()
    assert (tmp_path / "out" / kept).read_bytes() == b"mine"
    hub.forget()
    assert fetch_missing("user/name", tmp_path / "out", [kept, lost]) == []
    assert not hub.asked
    with pytest.raises(HubError, match="does not have these files: 'data/x'"):
        fetch_missing("user/name", tmp_path / "out", ["data/x"])


def test_what_the_clients_cache_has_is_copied(hub: HubServer, v21: Path, tmp_path: Path) -> None:
    commit = hub.add("user/name", v21, tags=["v2.1"])
    cache = tmp_path / "hf" / "lerobot" / "hub"
    huggingface_hub.snapshot_download(
        "user/name", repo_type="dataset", revision=commit, cache_dir=cache, endpoint=hub.url
    )
    hub.forget()
    pull("user/name")
    assert hub.sent() == 0


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """Six episodes of v3.0 whose tables and videos begin at different episodes."""
    return make_dataset(
        tmp_path / "shared",
        version="v3.0",
        episodes=(12, 9, 10, 7, 8, 6),
        data_episodes_per_file=2,
        video_episodes_per_file=3,
    )


def test_a_partial_copy_reads_the_frames_of_the_whole_offline(
    hub: HubServer, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add("user/name", shared, tags=["v3.0"])
    pull("user/name", tmp_path / "out", episodes=[0, 4])
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    part, whole = roboreel.open(tmp_path / "out"), roboreel.open(shared)
    few, all_ = roboreel.reader(part.keep([0, 4])), roboreel.reader(whole.keep([0, 4]))
    assert len(few) == len(all_) == 20
    for row in (0, 11, 12, 19):
        ours, theirs = few[row], all_[row]
        assert ours.keys() == theirs.keys()
        for key, value in theirs.items():
            np.testing.assert_array_equal(ours[key], value)


def test_a_frame_that_was_not_pulled_is_named_with_its_file_and_the_command(
    hub: HubServer, shared: Path, v21: Path, tmp_path: Path
) -> None:
    for name, source, file in [
        ("user/a", v21, "episode_000003"),
        ("user/b", shared, "file-001"),
    ]:
        commit = hub.add(name, source)
        out = tmp_path / name
        pull(name, out, episodes=[0], cameras=["observation.images.top"])
        pull(name, out, episodes=[3], content="tables")
        part = roboreel.open(out)
        reader = roboreel.reader(part.keep([3]), cameras=["observation.images.top"])
        with pytest.raises(StorageError) as raised:
            reader[0]
        assert f"observation.images.top/{file}.mp4" in str(raised.value).replace("chunk-000/", "")
        assert f"roboreel pull {name}@{commit} -o {out} --episodes 3" in str(raised.value)


def test_a_folder_that_cannot_be_made_is_one_clear_error(
    hub: HubServer, v21: Path, tmp_path: Path
) -> None:
    hub.add("user/name", v21, tags=["v2.1"])
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match=r"file/out.*(File exists|Not a directory)"):
        pull("user/name", tmp_path / "file" / "out")


def test_episodes_can_be_chosen_by_the_documents(hub: HubServer, v21: Path, tmp_path: Path) -> None:
    hub.add("user/name", v21, tags=["v2.1"])
    pull("user/name", tmp_path / "out", episodes=lambda dataset: [dataset.total_episodes - 1])
    tables = [path.name for path in (tmp_path / "out").rglob("*.parquet")]
    assert tables == ["episode_000003.parquet"]


def test_a_result_written_from_a_local_copy_is_no_local_copy(
    hub: HubServer, v21: Path, tmp_path: Path
) -> None:
    hub.add("user/name", v21, tags=["v2.1"])
    done = run_here("keep", "user/name", "--episodes", "1", "-o", tmp_path / "out", "--json")
    assert done.returncode == 0
    assert not (tmp_path / "out" / ".cache").exists()
    assert not json.loads(done.stdout).get("lost")


def test_a_pull_to_a_url_is_refused() -> None:
    with pytest.raises(UsageError, match="'s3://bucket/set' is a URL: pull into a folder"):
        pull("someone/pick", "s3://bucket/set")
