"""Pulling: which bytes move, what is there afterwards, and what a second pull does."""

from __future__ import annotations

from pathlib import Path

import pytest

import roboreel
from roboreel.hub import pull
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


def test_a_whole_pull_equals_the_source(hub: HubServer, v30: Path, tmp_path: Path) -> None:
    hub.add("user/name", v30, tags=["v3.0"])
    pull("user/name", tmp_path / "out")
    assert contents(tmp_path / "out") == folder_files(v30)
    assert roboreel.diff(v30, tmp_path / "out").same
