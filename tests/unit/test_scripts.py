"""The arguments that users of other projects' scripts know."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import roboreel
from roboreel.testing import Camera, make_dataset
from tests.oracle import tree_digest


@pytest.fixture
def source(tmp_path: Path) -> Path:
    cameras = {"top": Camera(height=32)}
    return make_dataset(tmp_path / "set", version="v2.0", episodes=(5, 3), cameras=cameras)


def _version(folder: Path) -> str:
    return str(json.loads((folder / "meta/info.json").read_text("utf-8"))["codebase_version"])


def test_a_dataset_is_converted_where_it_stands(source: Path, tmp_path: Path) -> None:
    before = tree_digest(source)
    report = roboreel.convert_dataset("me/set", root=source, num_workers=1)
    assert _version(source) == report.version == "v2.1"
    assert report.measured == 2
    assert not (source / "meta/stats.json").exists()
    assert tree_digest(tmp_path / str(report.kept)) == before


@pytest.mark.parametrize("where", ["repo_id", "root", "local_dir"])
def test_all_names_of_the_folder_are_known(source: Path, tmp_path: Path, where: str) -> None:
    folder: dict[str, Any] = {where: str(source)}
    given: dict[str, Any] = {"max_workers": 1, "backend": "pyav", "use_process_pool": False}
    roboreel.convert_dataset(**folder, **given, out=tmp_path / "out")
    plain = roboreel.convert(source, to="v2.1", out=tmp_path / "plain")
    assert plain.version == "v2.1"
    assert tree_digest(tmp_path / "out") == tree_digest(tmp_path / "plain")


def test_old_statistics_are_kept_as_they_were(source: Path, tmp_path: Path) -> None:
    roboreel.convert_dataset(root=source, delete_old_stats=False, num_workers=1, out=tmp_path / "o")
    kept, old = tmp_path / "o/meta/stats.json", source / "meta/stats.json"
    assert kept.read_bytes() == old.read_bytes()
    assert (tmp_path / "o/meta/episodes_stats.jsonl").is_file()
    found = roboreel.check(roboreel.open(tmp_path / "o")).problems
    assert [problem for problem in found if problem.severity == "error"] == []


@pytest.mark.parametrize(("version", "to"), [("v2.0", "v3.0"), ("v2.1", "v2.0"), ("v2.0", "v2.0")])
def test_there_is_no_place_for_old_statistics_elsewhere(
    tmp_path: Path, version: Any, to: str
) -> None:
    source = make_dataset(tmp_path / "set", version=version, episodes=(2,), cameras={})
    with pytest.raises(roboreel.UsageError, match="only for converting one dataset"):
        roboreel.plan_convert(source, to=to, out=tmp_path / "out", keep_old_stats=True)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"branch": "main"}, "push_to_hub=True"),
        ({"local_dir": "elsewhere"}, "mean the same"),
        ({"to": "v2.0"}, "is already v2.0"),
        ({"video_backend": "opencv"}, "video_backend is 'opencv'"),
        ({"num_workers": 0}, "workers is 0"),
    ],
)
def test_what_makes_no_sense_is_refused(source: Path, given: dict[str, Any], why: str) -> None:
    before = tree_digest(source)
    with pytest.raises(roboreel.UsageError, match=why):
        roboreel.convert_dataset("me/set", source, **given)
    assert tree_digest(source) == before


def test_only_v20_is_converted_unless_a_version_is_asked_for(tmp_path: Path) -> None:
    newer = make_dataset(tmp_path / "set", version="v3.0", episodes=(3,), cameras={})
    before = tree_digest(newer)
    with pytest.raises(roboreel.UsageError, match=r"is v3\.0, .* v2\.0 to v2\.1: .* to=\"v2\.1\""):
        roboreel.convert_dataset("me/set", newer, num_workers=1)
    assert tree_digest(newer) == before
    asked = roboreel.convert_dataset("me/set", newer, num_workers=1, to="v2.1", out=tmp_path / "o")
    assert asked.version == "v2.1"


def test_a_folder_is_needed() -> None:
    with pytest.raises(roboreel.UsageError, match="give the dataset's folder as root"):
        roboreel.convert_dataset()


def test_a_push_needs_a_name(source: Path) -> None:
    with pytest.raises(roboreel.UsageError, match="give repo_id"):
        roboreel.convert_dataset(root=source, push_to_hub=True)
