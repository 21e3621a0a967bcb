from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

import roboreel
from roboreel.torch import dataset_metadata
from roboreel.torch.dataset_metadata import LeRobotDatasetMetadata


class Hub:
    """Stands in for the Hub: notes what is asked for, and copies a dataset."""

    def __init__(self, source: Path, snapshots: Path) -> None:
        self.source, self.snapshots = source, snapshots
        self.asked: list[dict[str, Any]] = []

    def snapshot_download(self, repo_id: str, **arguments: Any) -> str:
        self.asked.append({"repo_id": repo_id, **arguments})
        target = Path(arguments.get("local_dir") or self.snapshots)
        shutil.copytree(self.source / "meta", target / "meta", dirs_exist_ok=True)
        return str(target)


@pytest.fixture
def hub(made: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    found = Hub(made["v2.1"], tmp_path / "snapshots/1")
    monkeypatch.setattr(dataset_metadata, "snapshot_download", found.snapshot_download)
    monkeypatch.setattr(dataset_metadata, "get_safe_version", lambda _, version: version)
    monkeypatch.setattr(dataset_metadata, "HF_LEROBOT_HOME", tmp_path / "home")
    monkeypatch.setattr(dataset_metadata, "HF_LEROBOT_HUB_CACHE", tmp_path / "home/hub")
    return found


def _put(source: Path, target: Path) -> Path:
    return Path(shutil.copytree(source, target))


def test_a_dataset_below_home_is_taken_without_asking(
    hub: Hub, made: dict[str, Path], tmp_path: Path
) -> None:
    _put(made["v2.1"], tmp_path / "home/me/it")
    meta = LeRobotDatasetMetadata("me/it")
    assert meta.revision == "v2.1"
    assert meta.root == tmp_path / "home/me/it"
    assert not hub.asked


def test_what_is_not_here_comes_as_a_snapshot(hub: Hub, tmp_path: Path) -> None:
    meta = LeRobotDatasetMetadata("me/it")
    assert meta.root == hub.snapshots
    assert meta.total_episodes == 3
    (asked,) = hub.asked
    assert asked["cache_dir"] == tmp_path / "home/hub"
    assert (asked["allow_patterns"], asked["revision"]) == ("meta/", "v3.0")


def test_an_explicit_root_is_filled(hub: Hub, tmp_path: Path) -> None:
    meta = LeRobotDatasetMetadata("me/it", root=tmp_path / "mine", revision="main")
    assert meta.root == tmp_path / "mine"
    assert hub.asked[0]["local_dir"] == tmp_path / "mine"
    assert hub.asked[0]["revision"] == "main"


def test_a_mirror_below_home_is_not_trusted(
    hub: Hub, made: dict[str, Path], tmp_path: Path
) -> None:
    mirror = _put(made["v3.0"], tmp_path / "home/me/it")
    (mirror / ".cache/huggingface/download").mkdir(parents=True)
    assert LeRobotDatasetMetadata("me/it").root == hub.snapshots


def test_a_wish_for_the_newest_asks_although_files_are_here(
    hub: Hub, made: dict[str, Path], tmp_path: Path
) -> None:
    root = _put(made["v2.1"], tmp_path / "mine")
    LeRobotDatasetMetadata("me/it", root=root, force_cache_sync=True)
    assert len(hub.asked) == 1


def test_the_token_is_passed_on(hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: list[object] = []

    def version(repo_id: str, wanted: str, token: object = None) -> str:
        seen.append(token)
        return wanted

    monkeypatch.setattr(dataset_metadata, "get_safe_version", version)
    LeRobotDatasetMetadata("me/it", root=tmp_path / "mine", token="hf_x")
    assert seen == [hub.asked[0]["token"]] == ["hf_x"]


def test_a_bucket_is_read_only_where_it_is_here(
    hub: Hub, made: dict[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(roboreel.UsageError, match="storage bucket"):
        LeRobotDatasetMetadata("me/it", repo_type="bucket")
    _put(made["v3.0"], tmp_path / "home/hub/buckets--me--it")
    meta = LeRobotDatasetMetadata("me/it", repo_type="bucket")
    assert meta.url_root == "hf://buckets/me/it"


def test_a_file_in_the_folders_place_is_named(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")
    with pytest.raises(roboreel.StorageError, match="a file, not a dataset's folder"):
        LeRobotDatasetMetadata("me/it", root=tmp_path / "mine")
    assert not hub.asked


def test_a_dataset_on_another_store_is_read(made: dict[str, Path]) -> None:
    fsspec = pytest.importorskip("fsspec")
    store = fsspec.filesystem("memory")
    for file in (made["v3.0"] / "meta").rglob("*.*"):
        store.pipe(f"/sets/it/{file.relative_to(made['v3.0'])}", file.read_bytes())
    meta = LeRobotDatasetMetadata("me/it", root="memory://sets/it")
    assert meta.episodes["length"] == [5, 7, 3]
    assert str(meta.root) == "memory://sets/it"
    with pytest.raises(roboreel.UsageError, match="only be written on a local disk"):
        meta.update_chunk_settings(chunks_size=5)
    assert meta.chunks_size == 1000


def test_an_unknown_kind_of_repository_is_refused() -> None:
    with pytest.raises(ValueError, match="'dataset' or 'bucket', got 'model'"):
        LeRobotDatasetMetadata("me/it", repo_type="model")  # type: ignore[arg-type]
