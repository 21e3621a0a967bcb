"""What goes wrong on the way to the Hub: one clear error each, exit code 1, and no token in it."""

from __future__ import annotations

import logging
import shutil
import sys
from pathlib import Path

import pytest

import roboreel
from roboreel.dataset.pull_record import RECORD, PullRecord
from roboreel.errors import HubError, StorageError, UsageError
from roboreel.hub import pull
from tests.command import run_here
from tests.hub_server import HubServer, folder_files

TOKEN = "hf_secretsecretsecretsecretsecret"

ROUTES = ["/refs$", "/tree/", "/paths-info/", "^/lfs/"]
STATUSES = [
    (401, "does not accept the token"),
    (403, "refuses access"),
    (404, "not found"),
    (429, "too many requests"),
    (500, "has a server error (status 500)"),
    (503, "has a server error (status 503)"),
]


@pytest.mark.parametrize(
    ("status", "said", "route"),
    [(*one, "/resolve/") for one in STATUSES] + [(*STATUSES[-1], route) for route in ROUTES],
)
def test_a_status_is_one_clear_error(
    hub: HubServer,
    v21: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    said: str,
    route: str,
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    hub.add("user/name", v21, tags=["v2.1"])
    hub.fail(route, status=status)
    with pytest.raises(HubError) as raised:
        pull("user/name", tmp_path / "out", episodes=[1])
    assert said in str(raised.value)
    assert "'user/name'" in str(raised.value)
    assert TOKEN not in str(raised.value)


@pytest.mark.parametrize("route", ROUTES)
def test_a_connection_that_breaks_every_time_is_one_clear_error(
    hub: HubServer, v21: Path, tmp_path: Path, route: str
) -> None:
    hub.add("user/name", v21, tags=["v2.1"])
    hub.cut(route, after=-1)
    with pytest.raises(HubError, match=r"cannot reach 127\.0\.0\.1"):
        pull("user/name", tmp_path / "out", episodes=[1])


def test_a_download_that_breaks_goes_on_where_it_broke(
    hub: HubServer, v21: Path, tmp_path: Path
) -> None:
    hub.add("user/name", v21, tags=["v2.1"])
    hub.cut("^/lfs/", after=100, times=2)
    pull("user/name", tmp_path / "out")
    kept = {
        name: data
        for name, data in folder_files(tmp_path / "out").items()
        if not name.startswith(".cache/")
    }
    assert kept == folder_files(v21)


def test_a_file_of_another_size_than_promised_is_refused(
    hub: HubServer, v21: Path, tmp_path: Path
) -> None:
    hub.add("user/name", v21, tags=["v2.1"])
    hub.fail("/resolve/.*info.json", status=200, methods=("GET",), body=b"{}")
    with pytest.raises(HubError):
        pull("user/name", tmp_path / "out")
    assert not (tmp_path / "out" / "meta" / "info.json").exists()


def test_the_clients_attempts_are_not_printed(
    hub: HubServer, v21: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    hub.add("user/name", v21, tags=["v2.1"])
    hub.cut("^/lfs/", after=10)
    hub.fail("/resolve/", status=503, times=3)
    done = run_here("pull", "user/name", "-o", tmp_path / "out")
    assert done.returncode == 1
    assert done.stderr.startswith("error: 'user/name': ")
    assert done.stderr.count("\n") == 1
    assert capfd.readouterr() == ("", "")


def test_content_that_differs_from_its_digest_never_appears(
    hub: HubServer, v21: Path, tmp_path: Path
) -> None:
    hub.add("user/name", v21, tags=["v2.1"])
    for sha, data in list(hub.objects.items()):
        hub.objects[sha] = data[:-1] + bytes([data[-1] ^ 1])
    with pytest.raises(HubError, match="arrived damaged: expected"):
        pull("user/name", tmp_path / "out", episodes=[1])
    assert not list((tmp_path / "out").glob("data/**/*.parquet"))


def test_a_missing_repository_a_missing_revision_and_a_gate_are_told_apart(
    hub: HubServer, v21: Path, tmp_path: Path
) -> None:
    hub.add("user/name", v21, tags=["v2.1"])
    hub.add("user/gated", v21, gated=True)
    with pytest.raises(HubError, match="there is no dataset 'user/other'"):
        pull("user/other", tmp_path / "out")
    with pytest.raises(HubError, match="has no revision 'v9'"):
        pull("user/name@v9", tmp_path / "out")
    with pytest.raises(HubError, match="accept its conditions at http"):
        pull("user/gated", tmp_path / "out")


def test_a_private_dataset_needs_its_token(
    hub: HubServer, v21: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.tokens.add(TOKEN)
    hub.add("user/name", v21, tags=["v2.1"], private=True)
    with pytest.raises(HubError, match="or it is private"):
        pull("user/name", tmp_path / "out")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    pull("user/name", tmp_path / "out", episodes=[0])
    asked = [one for one in hub.asked if one.at_cdn]
    assert asked
    assert {one.token for one in asked} == {None}, "the token went to another origin"


def test_a_wrong_token_is_named_by_its_effect_and_never_shown(
    hub: HubServer,
    v21: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    hub.tokens.add("hf_another")
    hub.add("user/name", v21, tags=["v2.1"])
    with caplog.at_level(logging.DEBUG):
        done = run_here("pull", "user/name", "-o", tmp_path / "out")
    assert done.returncode == 1
    assert "does not accept the token" in done.stderr
    assert TOKEN not in done.stderr + done.stdout + caplog.text
    assert "Traceback" not in done.stderr


def test_nothing_is_asked_offline(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    done = run_here("pull", "user/name", "-o", tmp_path / "out")
    assert done.returncode == 1
    assert "HF_HUB_OFFLINE is set" in done.stderr
    assert not hub.asked


def test_a_hub_that_is_not_there_is_one_clear_error(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://someone:password@127.0.0.1:9")
    done = run_here("pull", "user/name", "-o", tmp_path / "out")
    assert done.returncode == 1
    assert "cannot reach 127.0.0.1:9" in done.stderr
    assert "password" not in done.stderr


@pytest.mark.parametrize(
    "name", ["../outside", "data/../../outside", "/outside", "C:/outside", "data\\..\\outside"]
)
def test_a_name_that_leads_out_of_the_folder_is_refused(
    hub: HubServer, v21: Path, tmp_path: Path, name: str
) -> None:
    hub.add("user/name", {**folder_files(v21), name: b"planted"}, tags=["v2.1"])
    with pytest.raises(HubError, match="not a valid path in a dataset"):
        pull("user/name", tmp_path / "a" / "out")
    assert not list(tmp_path.rglob("*outside*"))


def test_a_link_in_the_folder_is_not_followed(hub: HubServer, v21: Path, tmp_path: Path) -> None:
    hub.add("user/name", v21, tags=["v2.1"])
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "data").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="is a symbolic link"):
        pull("user/name", tmp_path / "out")
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_planted_folder_of_notes_is_not_followed(
    hub: HubServer, v21: Path, tmp_path: Path
) -> None:
    hub.add("user/name", v21, tags=["v2.1"])
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".cache").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="is a symbolic link"):
        pull("user/name", tmp_path / "out")
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize(
    "planted",
    [
        b"",
        b"[]",
        b"{",
        b'{"form": 1}',
        b'{"form": 1, "repo_id": 7, "revision": "a", "commit": "b", "selections": []}',
        b'{"form": 1, "repo_id": "a", "revision": "a", "commit": "b", "selections": [1]}',
        b"[" * 100_000,
    ],
)
def test_a_planted_record_is_passed_over(v21: Path, tmp_path: Path, planted: bytes) -> None:
    shutil.copytree(v21, tmp_path / "out")
    (tmp_path / "out" / RECORD).parent.mkdir(parents=True)
    (tmp_path / "out" / RECORD).write_bytes(planted)
    assert roboreel.open(tmp_path / "out").total_episodes == 4


def test_a_command_from_a_planted_record_is_quoted(v21: Path, tmp_path: Path) -> None:
    shutil.copytree(v21, tmp_path / "out")
    record = PullRecord(repo_id="a/b; rm -rf ~", revision="main", commit="x\n$(y)")
    (tmp_path / "out" / RECORD).parent.mkdir(parents=True)
    (tmp_path / "out" / RECORD).write_bytes(record.to_bytes())
    (tmp_path / "out" / "data" / "chunk-000" / "episode_000001.parquet").unlink()
    with pytest.raises(StorageError) as raised:
        list(roboreel.open(tmp_path / "out").rows([(1, 0, -1)]))
    assert r"roboreel pull 'a/b; rm -rf ~@x" in str(raised.value)


def test_what_a_repository_names_like_a_clients_notes_is_not_fetched(
    hub: HubServer, v21: Path, tmp_path: Path
) -> None:
    planted = {".cache/huggingface/roboreel.json": b"{}", ".git/config": b"", ".gitattributes": b""}
    hub.add("user/name", {**folder_files(v21), **planted}, tags=["v2.1"])
    report = pull("user/name", tmp_path / "out")
    assert set(report.files) == set(folder_files(v21))


def test_a_folder_that_does_not_exist_is_told_first_where_its_parent_does(
    hub: HubServer, v21: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sessions").mkdir()
    with pytest.raises(
        FileNotFoundError, match=r"^'sessions/s99': no such folder; nor is it a dataset"
    ):
        roboreel.open("sessions/s99")
    for name in ("user/s99", "user/s99@v2.1"):
        with pytest.raises(HubError, match="there is no dataset 'user/s99") as absent:
            roboreel.open(name)
        told_first = str(absent.value).startswith("'user/s99': no such folder; nor is it a dataset")
        assert told_first == ("@" not in name)
    hub.add("sessions/name", v21, tags=["v2.1"])
    assert roboreel.open("sessions/name").total_episodes == 4


def test_without_the_package_a_folder_that_does_not_exist_is_told_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    monkeypatch.setenv("HF_LEROBOT_HOME", str(tmp_path / "home"))
    done = run_here("check", "user/name")
    assert done.stderr.splitlines() == [
        "error: 'user/name': no such folder, and the package 'huggingface_hub' is needed for"
        " 'user/name' on the Hub",
        "  try: pip install 'roboreel[hub]'",
    ]
    (tmp_path / "user").mkdir()
    assert run_here("check", "user/name").stderr.startswith(
        "error: 'user/name': no such folder; nor"
    )
    with pytest.raises(FileNotFoundError):
        roboreel.open("user/name")
