"""Pushing: what moves, what the Hub has afterwards, and what becomes of an interrupted push."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import roboreel
from roboreel.errors import ChangedInputError, HubError, UsageError
from roboreel.hub import pull, push
from roboreel.hub.push_plan import Upload
from roboreel.hub.push_work import PushWork
from roboreel.testing import make_dataset
from tests.command import run_here
from tests.hub_server import HubServer, folder_files

# how the client itself uploads parts: httpx2 deprecates it
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

_COMMIT = r"/api/datasets/user/name/commit/"


def remote(hub: HubServer, branch: str = "main") -> dict[str, bytes]:
    repo = hub.repos["user/name"]
    files = repo.commits[repo.branches[branch]]
    return {name: data for name, data in files.items() if name != ".gitattributes"}


def of_format(files: dict[str, bytes]) -> dict[str, bytes]:
    folders = ("data/", "meta/", "videos/")
    return {name: data for name, data in files.items() if name.startswith(folders)}


def commits(hub: HubServer) -> int:
    return sum(one.method == "POST" and _COMMIT in one.path for one in hub.asked)


@pytest.mark.parametrize("version", ["v2.0", "v2.1", "v3.0"])
def test_a_push_and_a_pull_give_the_dataset_back(
    hub: HubServer, tmp_path: Path, version: Any
) -> None:
    source = make_dataset(tmp_path / "d", version=version, episodes=(5, 6))
    before = folder_files(source)
    report = push(source, "user/name")
    assert folder_files(source) == before, "the source was changed"
    assert of_format(remote(hub)) == of_format(before)
    repo = hub.repos["user/name"]
    assert repo.tags == {version: repo.branches["main"]} == {version: report.commit}
    assert (report.commits, commits(hub)) == (1, 1)
    assert set(report.uploaded) == set(remote(hub))
    pull("user/name", tmp_path / "back")
    assert of_format(folder_files(tmp_path / "back")) == of_format(before)
    assert roboreel.check(tmp_path / "back").ok


def test_an_unchanged_dataset_moves_no_data(hub: HubServer, v30: Path) -> None:
    push(v30, "user/name")
    commit = hub.repos["user/name"].branches["main"]
    hub.forget()
    report = push(v30, "user/name")
    assert (report.uploaded, report.uploaded_bytes, report.commits) == ((), 0, 0)
    assert (hub.received(), commits(hub)) == (0, 0)
    assert report.commit == commit == hub.repos["user/name"].tags["v3.0"]


def test_only_what_changed_is_uploaded_and_what_is_gone_removed(
    hub: HubServer, tmp_path: Path
) -> None:
    source = make_dataset(tmp_path / "d", version="v2.1", episodes=(5, 6, 7))
    push(source, "user/name")
    roboreel.write(roboreel.open(source).delete([2]), out=tmp_path / "less")
    hub.forget()
    with pytest.raises(UsageError, match="files that this dataset does not have") as refused:
        push(tmp_path / "less", "user/name")
    assert "episode_000002.parquet" in str(refused.value)
    assert commits(hub) == 0
    report = push(tmp_path / "less", "user/name", remove=True)
    assert {name.rpartition("/")[2] for name in report.removed} == {
        "episode_000002.parquet",
        "episode_000002.mp4",
    }
    assert not any(name.endswith(".mp4") for name in report.uploaded)
    assert of_format(remote(hub)) == of_format(folder_files(tmp_path / "less"))
    assert commits(hub) == 1


def test_a_dry_run_changes_nothing_and_says_what_a_push_does(
    hub: HubServer, tmp_path: Path
) -> None:
    source = make_dataset(tmp_path / "d", version="v2.1", episodes=(5, 6))
    planned = push(source, "user/name", dry_run=True)
    assert "user/name" not in hub.repos
    assert set(planned.uploaded) == set(push(source, "user/name").uploaded)
    roboreel.write(roboreel.open(source).delete([1]), out=tmp_path / "less")
    planned = push(tmp_path / "less", "user/name", dry_run=True)
    assert planned.removed == push(tmp_path / "less", "user/name", remove=True).removed
    assert planned.commit is None


def test_a_branch_begins_with_main_and_has_the_tag(hub: HubServer, v21: Path, v30: Path) -> None:
    push(v21, "user/name")
    on_main = hub.repos["user/name"].branches["main"]
    push(v30, "user/name", branch="v3", remove=True)
    repo = hub.repos["user/name"]
    assert repo.branches["main"] == on_main == repo.tags["v2.1"]
    assert of_format(remote(hub, "v3")) == of_format(folder_files(v30))
    assert repo.tags["v3.0"] == repo.branches["v3"]


def test_the_tag_moves_with_the_dataset(hub: HubServer, tmp_path: Path) -> None:
    push(make_dataset(tmp_path / "a", version="v3.0", episodes=(5,)), "user/name")
    push(make_dataset(tmp_path / "b", version="v3.0", episodes=(5, 6)), "user/name")
    repo = hub.repos["user/name"]
    assert repo.tags["v3.0"] == repo.branches["main"]
    push(make_dataset(tmp_path / "c", version="v3.0", episodes=(4,)), "user/name", tag=False)
    assert repo.tags["v3.0"] != repo.branches["main"]


def test_what_is_left_out(hub: HubServer, tmp_path: Path) -> None:
    source = make_dataset(tmp_path / "d", version="v2.1", episodes=(5,))
    (source / "images/cam").mkdir(parents=True)
    (source / "images/cam/frame.png").write_bytes(b"x")
    (source / ".cache/huggingface").mkdir(parents=True)
    (source / ".cache/huggingface/note").write_bytes(b"x")
    (source / "notes.txt").write_text("mine")
    push(source, "user/name", videos=False)
    names = set(remote(hub))
    assert "notes.txt" in names
    assert not [name for name in names if name.startswith(("images/", ".cache", "videos/"))]
    push(source, "user/name", allow="videos/*", tag=False)
    assert [name for name in remote(hub) if name.endswith(".mp4")]
    push(source, "user/other", ignore=["data/*", "videos/*"], tag=False)
    other = hub.repos["user/other"]
    assert not [n for n in other.commits[other.branches["main"]] if n.startswith("data/")]


def test_without_videos_those_on_the_hub_stay(hub: HubServer, v21: Path) -> None:
    push(v21, "user/name")
    push(v21, "user/name", videos=False, remove=True)
    assert of_format(remote(hub)) == of_format(folder_files(v21))


def test_the_card_tells_of_the_dataset(hub: HubServer, v30: Path) -> None:
    push(v30, "user/name", license="mit", tags=["so101"])
    card = remote(hub)["README.md"].decode()
    dataset = roboreel.open(v30)
    assert card.startswith("---\nlicense: mit\n")
    for word in ("- LeRobot", "- so101", "- robotics", "data_files: data/*/*.parquet"):
        assert word in card
    for name in dataset.features:
        assert f"`{name}`" in card
    assert json.dumps(json.loads((v30 / "meta/info.json").read_bytes()), indent=2) in card
    pictures = [name for name in remote(hub) if name.startswith("assets/")]
    assert len(pictures) == len(dataset.cameras)
    for name in pictures:
        assert f"]({name})" in card
        assert remote(hub)[name].startswith(b"\x89PNG")


def test_text_of_a_card_by_hand_is_kept(hub: HubServer, v21: Path, v30: Path) -> None:
    by_hand = (
        "---\nlicense: cc-by-4.0\ntags:\n- mine\npretty_name: Cups\n---\n\n# Cups\n\nWith love.\n"
    )
    hub.add("user/name", {"README.md": by_hand.encode()})
    push(v21, "user/name")
    first = remote(hub)["README.md"].decode()
    assert "With love." in first
    assert "license: cc-by-4.0" in first
    assert "pretty_name: Cups" in first
    assert "LeRobot v2.1" in first
    hub.repos["user/name"].commit(
        "main", {**remote(hub), "README.md": first.replace("With love.", "With joy.").encode()}
    )
    push(v30, "user/name", remove=True)
    second = remote(hub)["README.md"].decode()
    assert "With joy." in second
    assert "LeRobot v3.0" in second
    assert "LeRobot v2.1" not in second


def test_a_card_of_the_dataset_wins_over_the_one_on_the_hub(hub: HubServer, tmp_path: Path) -> None:
    source = make_dataset(tmp_path / "d", version="v2.1", episodes=(5,))
    (source / "README.md").write_text("# Mine\n\nnew text\n")
    hub.add("user/name", {"README.md": b"# Old\n"})
    push(source, "user/name")
    assert "new text" in remote(hub)["README.md"].decode()
    assert (source / "README.md").read_text() == "# Mine\n\nnew text\n"


def test_the_copy_of_the_schema_in_a_card_by_lerobot_is_renewed(hub: HubServer, v30: Path) -> None:
    old = b'# d\n\n[meta/info.json](meta/info.json):\n```json\n{"codebase_version": "v2.1"}\n```\n'
    hub.add("user/name", {"README.md": old})
    push(v30, "user/name")
    assert '"codebase_version": "v2.1"' not in remote(hub)["README.md"].decode()


def test_large_files_go_in_parts(hub: HubServer, v30: Path) -> None:
    hub.part_bytes = 700
    push(v30, "user/name")
    assert len(hub.parts) > 2
    assert of_format(remote(hub)) == of_format(folder_files(v30))


def test_many_files_are_committed_in_parts_documents_last(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roboreel.hub.push_work._COMMIT_FILES", 4)
    source = make_dataset(tmp_path / "d", version="v2.1", episodes=(5, 6, 7))
    report = push(source, "user/name")
    assert report.commits == commits(hub) > 2
    history = list(hub.repos["user/name"].commits.values())
    first_with_info = next(n for n, files in enumerate(history) if "meta/info.json" in files)
    videos = {name for name in folder_files(source) if name.endswith(".mp4")}
    assert videos <= set(history[first_with_info])


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_hub_is_asked_again(hub: HubServer, v21: Path, status: int) -> None:
    hub.fail(_COMMIT, status=status, times=2, headers={"Retry-After": "1"})
    report = push(v21, "user/name")
    assert report.commits == 1
    assert of_format(remote(hub)) == of_format(folder_files(v21))


def test_a_hub_that_stays_busy_is_one_error(hub: HubServer, v21: Path) -> None:
    hub.fail(_COMMIT, status=429)
    with pytest.raises(HubError, match="429"):
        push(v21, "user/name")


def test_a_commit_whose_answer_is_lost_is_not_made_twice(hub: HubServer, v21: Path) -> None:
    hub.cut(_COMMIT, after=5, times=1)
    report = push(v21, "user/name")
    assert commits(hub) == 1
    assert set(report.uploaded) == set(remote(hub))
    assert hub.repos["user/name"].tags["v2.1"] == report.commit


def test_an_interrupted_upload_goes_on(hub: HubServer, v30: Path) -> None:
    hub.fail("/commit/", status=400)
    with pytest.raises(HubError, match="400"):
        push(v30, "user/name")
    hub.works()
    hub.forget()
    push(v30, "user/name")
    assert hub.received() == 0, "contents that had arrived were sent again"
    assert of_format(remote(hub)) == of_format(folder_files(v30))


@pytest.mark.parametrize("status", [409, 412])
def test_a_concurrent_commit_is_refused(hub: HubServer, v21: Path, status: int) -> None:
    hub.fail(_COMMIT, status=status, times=1)
    with pytest.raises(HubError, match="was changed by someone else"):
        push(v21, "user/name")


def test_a_commit_of_somebody_else_in_a_retry_is_noticed(
    hub: HubServer, v21: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interfere(seconds: float) -> None:
        hub.repos["user/name"].commit("main", {"theirs.txt": b"x"})

    monkeypatch.setattr("roboreel.hub.client.time.sleep", interfere)
    hub.fail(_COMMIT, status=503, times=1)
    with pytest.raises(HubError, match="changed by someone else during this"):
        push(v21, "user/name")
    assert "theirs.txt" in remote(hub)


def test_a_commit_of_somebody_else_during_the_upload_is_not_overwritten(
    hub: HubServer, v21: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interfere(self: PushWork, group: Sequence[Upload]) -> list[Any]:
        hub.repos["user/name"].commit("main", {"theirs.txt": b"x"})
        return uploaded(self, group)

    uploaded = PushWork._uploaded
    monkeypatch.setattr(PushWork, "_uploaded", interfere)
    with pytest.raises(HubError, match="changed by someone else during this"):
        push(v21, "user/name")
    assert set(remote(hub)) == {"theirs.txt"}


def test_a_dataset_that_changes_during_the_push_is_not_committed(
    hub: HubServer, v21: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = shutil.copytree(v21, tmp_path / "d")

    def record_more(self: PushWork, group: Sequence[Upload]) -> list[Any]:
        info = source / "meta/info.json"
        info.write_text(info.read_text() + "\n")
        return uploaded(self, group)

    uploaded = PushWork._uploaded
    monkeypatch.setattr(PushWork, "_uploaded", record_more)
    with pytest.raises(ChangedInputError, match="changed during the push"):
        push(source, "user/name")
    assert of_format(remote(hub)) == {}


def test_a_wrong_token_is_one_error_that_hides_it(
    hub: HubServer, v21: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.tokens = {"hf_right"}
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(HubError, match="token") as refused:
        push(v21, "user/name")
    assert "hf_wrong" not in str(refused.value)
    push(v21, "user/name", token="hf_right")
    assert of_format(remote(hub)) == of_format(folder_files(v21))


def test_a_private_repository(hub: HubServer, v21: Path) -> None:
    hub.tokens = {"hf_right"}
    push(v21, "user/name", private=True, token="hf_right")
    assert hub.repos["user/name"].private


def test_a_partial_copy_is_refused(hub: HubServer, v21: Path, tmp_path: Path) -> None:
    hub.add("user/name", v21, tags=["v2.1"])
    pull("user/name", tmp_path / "part", episodes=[0])
    with pytest.raises(UsageError, match="is incomplete: it lacks"):
        push(tmp_path / "part", "user/name", remove=True)
    assert of_format(remote(hub)) == of_format(folder_files(v21))


def test_bad_names_are_refused_before_the_hub_is_asked(hub: HubServer, v21: Path) -> None:
    for name in ("name", "a/b/c", "user/na--me", ""):
        with pytest.raises(UsageError, match="user/name"):
            push(v21, name)
    assert not hub.asked


def test_a_tag_is_no_branch(hub: HubServer, v21: Path) -> None:
    push(v21, "user/name")
    with pytest.raises(UsageError, match="tag"):
        push(v21, "user/name", branch="v2.1", dry_run=True)


def test_the_command(
    hub: HubServer, v21: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.tokens = {"hf_right"}
    monkeypatch.setenv("HF_TOKEN", "hf_right")
    source = shutil.copytree(v21, tmp_path / "d")
    dry = run_here("push", source, "user/name", "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert "would upload" in dry.stdout
    done = run_here("push", source, "user/name", "--license", "mit", "--tags", "a,b", "--private")
    assert done.returncode == 0, done.stderr
    assert "user/name" in done.stdout
    again = run_here("push", source, "user/name", "--json")
    assert json.loads(again.stdout)["uploaded"] == []
    (source / "data/chunk-000/episode_000003.parquet").unlink()
    refused = run_here("push", source, "user/name")
    assert refused.returncode == 2
    assert "is incomplete: it lacks" in refused.stderr
