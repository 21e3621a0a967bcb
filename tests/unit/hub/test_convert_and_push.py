"""`roboreel convert user/name --push-to-hub`: the local copy is converted, and what changed is pushed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import roboreel
from roboreel.testing import make_dataset
from tests.command import run_here
from tests.hub_server import HubServer

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


@pytest.fixture
def v20(hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The commit of a v2.0 dataset on the Hub."""
    monkeypatch.setenv("HF_LEROBOT_HOME", str(tmp_path / "home"))
    source = make_dataset(tmp_path / "source", version="v2.0", episodes=(5, 6))
    return hub.add("user/name", source, tags=["v2.0"])


def test_the_hub_gets_what_changed_and_the_tag(hub: HubServer, v20: str, tmp_path: Path) -> None:
    run = run_here("convert", "user/name", "--to", "v2.1", "--push-to-hub")
    assert run.returncode == 0, run.stderr
    assert "user/name, branch main" in run.stdout
    assert "tagged v2.1" in run.stdout
    repo = hub.repos["user/name"]
    after = repo.commits[repo.branches["main"]]
    changed = {name for name, data in after.items() if repo.commits[v20].get(name) != data}
    assert not [name for name in changed if name.endswith(".mp4")]
    assert "meta/episodes_stats.jsonl" in after
    assert "meta/stats.json" not in after
    assert repo.tags == {"v2.0": v20, "v2.1": repo.branches["main"]}
    home = tmp_path / "home" / "user"
    assert roboreel.open(home / "name").version == "v2.1"
    assert [roboreel.open(one).version for one in home.glob("name.before-*")] == ["v2.0"]


def test_old_statistics_are_kept_if_asked(hub: HubServer, v20: str) -> None:
    wanted = ("convert", "user/name", "--to", "v2.1", "--push-to-hub", "--keep-old-stats")
    assert run_here(*wanted).returncode == 0
    repo = hub.repos["user/name"]
    assert "meta/stats.json" in repo.commits[repo.branches["main"]]


def test_a_branch_gets_it_and_main_stays(hub: HubServer, v20: str) -> None:
    wanted = ("convert", "user/name", "--to", "v2.1", "--push-to-hub", "--branch", "new")
    assert run_here(*wanted).returncode == 0
    repo = hub.repos["user/name"]
    assert repo.branches["main"] == v20
    assert "meta/episodes_stats.jsonl" in repo.commits[repo.branches["new"]]


def test_another_folder_is_written_and_pushed(hub: HubServer, v20: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    wanted = ["convert", "user/name", "--to", "v3.0", "--push-to-hub", "--branch", "v3", "--json"]
    run = run_here(*wanted, "-o", out, "--remove")
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout)
    assert (told["out"], told["push"]["branch"]) == (str(out), "v3")
    assert roboreel.open(out).version == "v3.0"
    repo = hub.repos["user/name"]
    pushed = repo.commits[repo.branches["v3"]]
    assert "meta/tasks.parquet" in pushed
    assert "meta/tasks.jsonl" not in pushed
    assert repo.tags["v3.0"] == repo.branches["v3"]


def test_files_of_the_old_version_are_not_removed_unasked(
    hub: HubServer, v20: str, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run = run_here("convert", "user/name", "--to", "v3.0", "-o", out, "--push-to-hub")
    assert run.returncode != 0
    assert "data/chunk-000/episode_000000.parquet" in run.stderr
    assert f"roboreel push {out} user/name" in run.stderr
    assert roboreel.open(out).version == "v3.0"
    assert hub.repos["user/name"].branches["main"] == v20


def test_a_second_run_pushes_what_the_first_converted(
    hub: HubServer, v20: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("HF_TOKEN", "wrong")
        hub.tokens = {"right"}
        run = run_here("convert", "user/name", "--to", "v2.1", "--push-to-hub")
        assert run.returncode == 1
        assert "Traceback" not in run.stderr
    hub.tokens = set()
    run = run_here("convert", "user/name", "--to", "v2.1", "--push-to-hub")
    assert run.returncode == 0, run.stderr
    assert "tagged v2.1" in run.stdout


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--push-to-hub"], "roboreel push DST user/name"),
        (["--branch", "new", "-o", "out"], "add --push-to-hub"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, given: list[str], told: str) -> None:
    source = make_dataset(tmp_path / "source", version="v2.0", episodes=(3,))
    run = run_here("convert", source, "--to", "v2.1", *given)
    assert run.returncode != 0
    assert told in " ".join(run.stderr.split())
