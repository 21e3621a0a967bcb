"""Putting datasets together by lerobot's function."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import roboreel
from roboreel.testing import Camera
from roboreel.torch import constants
from roboreel.torch.aggregate import aggregate_datasets
from tests.unit.torch.opened import Opened, made

TOP = "observation.images.top"


def _made(path: Path, **options: Any) -> Opened:
    return made(path, **{"episodes": (3, 2), "cameras": {TOP: Camera(height=32)}, **options})


def _files(root: Path, folder: str) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in (root / folder).rglob("*.*"))


def _change_info(dataset: Opened, **facts: Any) -> None:
    path = dataset.root / "meta" / "info.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    info = document["features"][TOP]["info"]
    for name, value in facts.items():
        key = name.replace("__", ".")
        if value is ...:
            info.pop(key, None)
        else:
            info[key] = value
    path.write_text(json.dumps(document), encoding="utf-8")


def test_datasets_are_joined_in_files(tmp_path: Path) -> None:
    parts = [_made(tmp_path / "a"), _made(tmp_path / "b", seed=1)]
    out = tmp_path / "out"

    aggregate_datasets(
        [one.repo_id for one in parts], "me/out", roots=[one.root for one in parts], aggr_root=out
    )

    assert roboreel.open(out).episodes["length"].to_pylist() == [3, 2, 3, 2]
    assert len(_files(out, "data")) == len(_files(out, f"videos/{TOP}")) == 1


def test_files_stay_apart_where_asked(tmp_path: Path) -> None:
    parts = [_made(tmp_path / "a"), _made(tmp_path / "b")]
    out = tmp_path / "out"

    aggregate_datasets(
        [one.repo_id for one in parts],
        "me/out",
        roots=[one.root for one in parts],
        aggr_root=out,
        chunk_size=1,
        concatenate_videos=False,
        concatenate_data=False,
    )

    assert _files(out, "data") == [
        "data/chunk-000/file-000.parquet",
        "data/chunk-001/file-000.parquet",
    ]
    assert len(_files(out, f"videos/{TOP}")) == 2
    assert roboreel.open(out).model.info.chunks_size == 1


def test_limits_divide_files(tmp_path: Path) -> None:
    part = _made(tmp_path / "a", episodes=(8, 8, 8))
    out = tmp_path / "out"

    aggregate_datasets(
        [part.repo_id],
        "me/out",
        roots=[part.root],
        aggr_root=out,
        data_files_size_in_mb=1e-6,
        video_files_size_in_mb=1e-6,
    )

    assert len(_files(out, "data")) == len(_files(out, f"videos/{TOP}")) == 3


def test_datasets_without_roots_are_found_below_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    monkeypatch.setattr(constants, "HF_LEROBOT_HOME", home)
    monkeypatch.setattr("roboreel.torch.dataset_metadata.HF_LEROBOT_HOME", home)
    made(home / "me" / "a")

    aggregate_datasets(["me/a", "me/a"], "me/out")

    assert roboreel.open(home / "me" / "out").total_episodes == 10


@pytest.mark.parametrize("crf", [99, ...])
def test_encoder_settings_that_differ_are_unknown_in_the_result(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, crf: Any
) -> None:
    parts = [_made(tmp_path / "a"), _made(tmp_path / "b")]
    for part in parts:
        _change_info(part, video__crf=30, video__g=2, video__extra_options={})
    _change_info(parts[1], video__crf=crf, video__extra_options={"tune": "film"})
    out = tmp_path / "out"

    aggregate_datasets(
        [one.repo_id for one in parts], "me/out", roots=[one.root for one in parts], aggr_root=out
    )

    info = roboreel.open(out).features[TOP].video_facts
    stated = [info[f"video.{name}"] for name in ("g", "crf", "extra_options")]
    assert stated == [2, None, {}]
    assert "the encoder settings differ or are incomplete" in caplog.text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fps": 10}, "must have the same fps"),
        ({"robot_type": "other"}, "must have the same robot_type"),
        (
            {"features": "rich"},
            "all datasets must have the same features, but 'me/a' and 'me/b' differ in observation",
        ),
    ],
)
def test_datasets_that_do_not_go_together_are_refused(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    parts = [_made(tmp_path / "a"), _made(tmp_path / "b", **options)]
    with pytest.raises(ValueError, match=message):
        aggregate_datasets(
            ["me/a", "me/b"], "out", roots=[one.root for one in parts], aggr_root=tmp_path / "out"
        )
    assert not (tmp_path / "out").exists()


def test_arguments_that_name_nothing_are_refused(tmp_path: Path) -> None:
    one = made(tmp_path / "a")
    with pytest.raises(ValueError, match="No datasets to merge"):
        aggregate_datasets([], "out")
    with pytest.raises(ValueError, match="1 root for 2 datasets"):
        aggregate_datasets(["a", "b"], "out", roots=[one.root])
    with pytest.raises(ValueError, match="chunk_size is 0"):
        aggregate_datasets(["a"], "out", [one.root], tmp_path / "out", chunk_size=0)
    with pytest.raises(FileExistsError):
        aggregate_datasets(["a"], "out", roots=[one.root], aggr_root=one.root)
