"""What is said where a dataset is not where it was looked for."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import roboreel
from roboreel.torch import LeRobotDataset, MultiLeRobotDataset, dataset_metadata
from roboreel.torch.compat.optional_packages import optional_package
from roboreel.torch.dataset_metadata import LeRobotDatasetMetadata


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(dataset_metadata, "HF_LEROBOT_HOME", tmp_path / "home")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> str:
        raise roboreel.HubError("'me/it': cannot reach the Hub: try again")

    monkeypatch.setattr(dataset_metadata, "get_safe_version", unreachable)
    monkeypatch.setattr(dataset_metadata, "snapshot_download", unreachable)


@pytest.fixture
def no_extras() -> Iterator[None]:
    """As if roboreel were installed without its extra `hub`."""
    optional_package.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("huggingface_hub", "packaging", "packaging.version"):
            patch.setitem(sys.modules, name, None)
        yield
    optional_package.cache_clear()


def _none(root: Path) -> str:
    return re.escape(f"'{root}' has no dataset: there is no meta/info.json")


OPEN = [
    lambda root: LeRobotDataset("me/it", root=root),
    lambda root: LeRobotDatasetMetadata("me/it", root=root),
    lambda root: LeRobotDataset.resume("me/it", root=root),
]


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("call", OPEN)
def test_a_wrong_root_is_named(call: Callable[[Path], object], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for root in (tmp_path / "nowhere", tmp_path / "empty"):
        with pytest.raises(FileNotFoundError, match=_none(root)) as raised:
            call(root)
        assert str(raised.value).endswith(
            "Downloading 'me/it' failed: cannot reach the Hub: try again"
        )
        assert isinstance(raised.value, roboreel.StorageError)


@pytest.mark.usefixtures("no_extras")
@pytest.mark.parametrize("call", OPEN)
def test_a_wrong_root_is_named_without_a_client(
    call: Callable[[Path], object], tmp_path: Path
) -> None:
    with pytest.raises(roboreel.StorageError, match=_none(tmp_path / "nowhere")) as raised:
        call(tmp_path / "nowhere")
    assert str(raised.value).endswith("pip install 'roboreel[hub]'")


@pytest.mark.usefixtures("no_extras")
def test_what_is_not_below_home_is_named(home: Path) -> None:
    with pytest.raises(roboreel.StorageError, match=_none(home / "me/it")):
        LeRobotDataset("me/it")


@pytest.mark.usefixtures("no_extras")
def test_files_that_cannot_be_downloaded_are_named(made: dict[str, Path], tmp_path: Path) -> None:
    root = Path(shutil.copytree(made["v3.0"], tmp_path / "a"))
    shutil.rmtree(root / "videos")
    with pytest.raises(roboreel.StorageError, match=r"lacks .* 'huggingface_hub' is needed"):
        LeRobotDataset("me/a", root=root)
    assert len(LeRobotDataset("me/a", root=root, download_videos=False)) == 15


@pytest.mark.usefixtures("no_network")
def test_the_folder_of_several_datasets_is_no_root(made: dict[str, Path]) -> None:
    with pytest.raises(roboreel.StorageError, match=r"mean 'v2.0' or 'v2.1' or 'v3.0' inside it\?"):
        LeRobotDataset("me/it", root=made["v3.0"].parent)
    with pytest.raises(roboreel.StorageError, match=r"did you mean 'v2.1' inside it\?"):
        LeRobotDataset("me/v2.1", root=made["v3.0"].parent)


@pytest.mark.parametrize("path", ["it", "./it", "../{}/it", "{}"])
def test_a_path_opens_in_place_of_a_name(made: dict[str, Path], tmp_path: Path, path: str) -> None:
    shutil.copytree(made["v3.0"], tmp_path / "it")
    given = path.format(tmp_path / "it" if path == "{}" else tmp_path.name)
    assert len(LeRobotDataset(given)) == 15


def test_a_path_without_a_dataset_asks_nobody(no_network: None) -> None:
    with pytest.raises(roboreel.StorageError, match=r"'it' has no dataset.* nothing is downloaded"):
        LeRobotDataset("./it")


@pytest.mark.usefixtures("no_network")
def test_a_folder_named_like_the_dataset_is_pointed_at(
    made: dict[str, Path], tmp_path: Path
) -> None:
    shutil.copytree(made["v3.0"], tmp_path / "me/it")
    with pytest.raises(roboreel.StorageError, match=r"'\./me/it' has one: pass root='me/it'"):
        LeRobotDataset("me/it")


def test_one_name_is_no_list_of_names() -> None:
    with pytest.raises(TypeError, match=r"repo_ids is 'me/it', expected a list of names"):
        MultiLeRobotDataset("me/it")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"episodes is \[0, 1\], expected the episodes by name"):
        MultiLeRobotDataset(["me/it"], episodes=[0, 1])  # type: ignore[arg-type]


@pytest.mark.usefixtures("no_extras")
def test_the_package_that_compares_versions_is_named(made: dict[str, Path]) -> None:
    meta = LeRobotDatasetMetadata("me/it", root=made["v3.0"])
    with pytest.raises(roboreel.MissingDependencyError, match=r"pip install packaging$"):
        _ = meta._version
