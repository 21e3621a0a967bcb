"""What names a dataset on the Hub, and what a command does with the name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import huggingface_hub
import pytest

import roboreel
from roboreel.errors import HubError, MissingDependencyError, StorageError, UsageError
from roboreel.hub import HubReference, parse_reference, snapshot_download
from tests.command import run_here
from tests.hub_server import HubServer, folder_files


@pytest.mark.parametrize(
    ("text", "repo_id", "revision"),
    [
        ("user/name", "user/name", None),
        ("user/name@v2.1", "user/name", "v2.1"),
        ("user/name@refs/pr/3", "user/name", "refs/pr/3"),
        ("us.er-1/na_me.x", "us.er-1/na_me.x", None),
        ("hf://datasets/user/name", "user/name", None),
        ("hf://datasets/user/name@main", "user/name", "main"),
        ("hf://datasets/user/name@refs/pr/3", "user/name", "refs/pr/3"),
        ("hf://datasets/user/name@a%2Fb", "user/name", "a/b"),
    ],
)
def test_a_reference_is_parsed(text: str, repo_id: str, revision: str | None) -> None:
    assert parse_reference(text) == HubReference(repo_id, revision)


@pytest.mark.parametrize(
    "text",
    [
        "name",
        "",
        "./user/name",
        "../user",
        "/user/name",
        "a/b/c",
        "~/name",
        "user/na me",
        "user/name@",
        "user/name@a b",
        "user/name@../x",
        "user/na--me",
        "user/name.git",
        "hf://models/user/name",
        "hf://datasets/user/name@main/data",
        "hf://datasets/user/name/data",
        "s3://user/name",
        "user\\name/x",
    ],
)
def test_what_is_no_reference_is_none(text: str) -> None:
    assert parse_reference(text) is None


@pytest.mark.parametrize(
    "reference", ["user/name", "user/name@v2.1", "hf://datasets/user/name@v2.1"]
)
def test_a_reference_opens_the_pulled_dataset_and_later_without_the_hub(
    hub: HubServer, v21: Path, tmp_path: Path, reference: str
) -> None:
    hub.add("user/name", v21, tags=["v2.1"])
    dataset = roboreel.open(reference)
    assert dataset.url == str(tmp_path / "hf" / "lerobot" / "user" / "name")
    assert roboreel.diff(v21, dataset).same
    hub.forget()
    assert roboreel.open(reference).total_episodes == 4
    assert not hub.asked


def test_an_existing_folder_wins_over_a_repository(
    hub: HubServer, v21: Path, v30: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add("user/name", v21, tags=["v2.1"])
    (tmp_path / "user").mkdir()
    (tmp_path / "user" / "name").symlink_to(v30)
    monkeypatch.chdir(tmp_path)
    assert roboreel.open("user/name").total_episodes == 6
    assert not hub.asked


def test_a_recorded_dataset_in_the_home_opens_as_it_is(
    hub: HubServer, v21: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_LEROBOT_HOME", str(tmp_path / "home"))
    (tmp_path / "home" / "user").mkdir(parents=True)
    (tmp_path / "home" / "user" / "name").symlink_to(v21)
    assert roboreel.open("user/name").total_episodes == 4
    assert not hub.asked


def test_a_string_that_is_neither_a_folder_nor_a_reference_gives_the_error_of_folders(
    hub: HubServer,
) -> None:
    for text in ("name", "./user/name", "/user/name"):
        with pytest.raises(StorageError, match="no such folder"):
            roboreel.open(text)
    assert not hub.asked


def test_another_revision_of_a_local_copy_is_refused(hub: HubServer, v21: Path) -> None:
    hub.add("user/name", v21, tags=["v2.1"])
    roboreel.open("user/name")
    with pytest.raises(UsageError, match=r"not 'main': pull this revision into another folder"):
        roboreel.open("user/name@main")


def test_commands_that_show_documents_fetch_only_these_and_the_next_command_the_rest(
    hub: HubServer, v21: Path, tmp_path: Path
) -> None:
    hub.add("user/name", v21, tags=["v2.1"])
    for command in ("info", "stats", "features"):
        assert run_here(command, "user/name").returncode == 0
    assert all(name.startswith("meta/") for name in hub.fetched())
    done = run_here("check", "user/name")
    assert done.returncode == 0, done.stdout + done.stderr
    assert hub.fetched() == set(folder_files(v21))


def test_every_command_takes_a_reference(hub: HubServer, v21: Path, tmp_path: Path) -> None:
    hub.add("user/name", v21, tags=["v2.1"])
    out = tmp_path / "out"
    commands: list[list[object]] = [
        ["stats", "user/name"],
        ["convert", "user/name", "--to", "v3.0", "-o", out / "a"],
        ["delete", "user/name", "--episodes", "1", "-o", out / "b"],
        ["merge", "user/name", "hf://datasets/user/name", "-o", out / "c"],
        ["split", "user/name", "--into", "a=0.5,b=0.5", "-o", out / "d"],
        ["diff", "user/name", out / "a"],
    ]
    for command in commands:
        done = run_here(*command)
        assert done.returncode == 0, (command, done.stderr)


def test_the_names_of_operations_take_a_reference(
    hub: HubServer, v21: Path, tmp_path: Path
) -> None:
    hub.add("user/name", v21, tags=["v2.1"])
    assert roboreel.check("user/name").ok
    assert roboreel.convert("user/name", to="v3.0", out=tmp_path / "out").version == "v3.0"
    assert roboreel.diff("user/name", tmp_path / "out").same


def test_without_the_extra_a_reference_says_what_to_install(
    hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'roboreel\[hub\]'") as raised:
        roboreel.open("user/name")
    assert "is needed for 'user/name' on the Hub" in str(raised.value)


def test_a_repository_that_is_no_dataset_is_told(hub: HubServer) -> None:
    hub.add("user/name", {"README.md": b"hello"})
    with pytest.raises(HubError, match="not a LeRobot dataset"):
        roboreel.open("user/name")


def test_a_snapshot_is_downloaded_from_the_hub_of_the_environment(
    hub: HubServer, v21: Path, tmp_path: Path
) -> None:
    hub.add("user/name", v21, tags=["v2.1"])
    folder = snapshot_download(
        "user/name", revision="v2.1", local_dir=tmp_path / "out", allow_patterns="meta/*"
    )
    assert folder == str(tmp_path / "out")
    assert all(name.startswith("meta/") for name in hub.fetched())
    with pytest.raises(HubError, match="has no revision 'v9'"):
        snapshot_download("user/name", revision="v9", local_dir=tmp_path / "out")


def test_opening_a_folder_loads_no_client(v21: Path) -> None:
    program = (
        f"import sys, roboreel; roboreel.open({str(v21)!r});"
        " sys.exit('huggingface_hub' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_offline_a_snapshot_of_another_client_is_opened(
    hub: HubServer, v21: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add("user/name", v21, tags=["v2.1"])
    huggingface_hub.snapshot_download(
        "user/name",
        repo_type="dataset",
        revision="v2.1",
        cache_dir=tmp_path / "hf" / "lerobot" / "hub",
        endpoint=hub.url,
    )
    hub.forget()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert roboreel.diff(v21, roboreel.open("user/name")).same
    with pytest.raises(HubError, match="HF_HUB_OFFLINE"):
        roboreel.open("user/name@main")
    assert not hub.asked
