"""The Hub of the tests does what the real client expects of a Hub."""

from __future__ import annotations

from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import constants, file_download
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

from roboreel.hub import pull
from tests.hub_server import HubServer, folder_files

pytestmark = pytest.mark.filterwarnings(
    "ignore:Use 'content=<...>':DeprecationWarning"  # the client's own way to upload
)


@pytest.fixture
def api(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> huggingface_hub.HfApi:
    hub.tokens.add("hf_test")
    template = f"{hub.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)  # by which clients before 1.0 know URLs
    for module in (constants, file_download):
        monkeypatch.setattr(module, "HUGGINGFACE_CO_URL_TEMPLATE", template, raising=False)
    return huggingface_hub.HfApi(endpoint=hub.url, token="hf_test")


def test_an_uploaded_folder_comes_back_with_the_same_bytes(
    hub: HubServer, api: huggingface_hub.HfApi, v21: Path, tmp_path: Path
) -> None:
    api.create_repo("user/new", repo_type="dataset", private=True)
    api.create_repo("user/new", repo_type="dataset", exist_ok=True)
    made = api.upload_folder(folder_path=v21, repo_id="user/new", repo_type="dataset")
    api.create_tag("user/new", tag="v2.1", repo_type="dataset")
    refs = api.list_repo_refs("user/new", repo_type="dataset")
    assert [(tag.name, tag.target_commit) for tag in refs.tags] == [("v2.1", made.oid)]
    pull("user/new@v2.1", tmp_path / "a", token="hf_test")
    back = folder_files(tmp_path / "a")
    assert {n: d for n, d in back.items() if not n.startswith(".cache/")} == folder_files(v21)
    stored = [one for one in hub.asked if one.method == "PUT"]
    assert len(stored) == sum(name.endswith((".parquet", ".mp4")) for name in folder_files(v21))


def test_a_second_upload_sends_only_what_changed(
    hub: HubServer, api: huggingface_hub.HfApi, v21: Path, tmp_path: Path
) -> None:
    hub.add("user/name", v21)
    hub.forget()
    api.upload_folder(folder_path=v21, repo_id="user/name", repo_type="dataset")
    assert not [one for one in hub.asked if one.method == "PUT" or "/commit/" in one.path]
    (tmp_path / "README.md").write_text("# hello\n")
    api.upload_folder(folder_path=tmp_path, repo_id="user/name", repo_type="dataset")
    files = hub.repos["user/name"].commits[hub.repos["user/name"].branches["main"]]
    assert set(files) == {*folder_files(v21), "README.md"}


def test_files_are_deleted_and_old_parents_refused(
    hub: HubServer, api: huggingface_hub.HfApi, v21: Path
) -> None:
    first = hub.add("user/name", v21)
    api.delete_folder("videos", repo_id="user/name", repo_type="dataset")
    names = api.list_repo_files("user/name", repo_type="dataset")
    assert names == sorted(n for n in folder_files(v21) if not n.startswith("videos/"))
    with pytest.raises(HfHubHTTPError, match="412"):
        api.upload_file(
            path_or_fileobj=b"x",
            path_in_repo="x.txt",
            repo_id="user/name",
            repo_type="dataset",
            parent_commit=first,
        )


def test_branches_and_tags_are_made_and_removed(
    hub: HubServer, api: huggingface_hub.HfApi, v21: Path
) -> None:
    hub.add("user/name", v21)
    api.create_branch("user/name", branch="work", repo_type="dataset")
    api.create_tag("user/name", tag="v2.1", repo_type="dataset")
    api.delete_tag("user/name", tag="v2.1", repo_type="dataset")
    refs = api.list_repo_refs("user/name", repo_type="dataset")
    assert sorted(ref.name for ref in refs.branches) == ["main", "work"]
    assert refs.tags == []
    assert api.whoami()["name"] == "user"


def test_what_a_private_repository_holds_needs_the_token(
    hub: HubServer, api: huggingface_hub.HfApi, v21: Path
) -> None:
    hub.add("user/name", v21, private=True)
    assert api.dataset_info("user/name").private
    with pytest.raises((RepositoryNotFoundError, HfHubHTTPError)):
        huggingface_hub.HfApi(endpoint=hub.url, token=False).dataset_info("user/name")


def test_a_range_is_answered_with_its_bytes(hub: HubServer, v21: Path) -> None:
    hub.add("user/name", v21)
    name = "data/chunk-000/episode_000001.parquet"
    url = f"{hub.url}/datasets/user/name/resolve/main/{name}"
    session = huggingface_hub.get_session()
    found = session.get(url, headers={"Range": "bytes=4-9"})
    assert (found.status_code, found.content) == (206, (v21 / name).read_bytes()[4:10])
    assert hub.sent(name) == 6
