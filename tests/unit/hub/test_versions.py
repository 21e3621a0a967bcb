"""Which version is taken: by lerobot's rule for its readers, and by ours."""

from __future__ import annotations

import logging
from pathlib import Path

import huggingface_hub
import pytest
from packaging.version import Version

import roboreel
from roboreel.errors import HubError
from roboreel.hub import (
    BackwardCompatibilityError,
    CompatibilityError,
    ForwardCompatibilityError,
    check_version_compatibility,
    get_repo_versions,
    get_safe_version,
    is_valid_version,
    parse_reference,
    resolve_revision,
)
from tests.hub_server import HubServer

FILES = {"meta/info.json": b"{}"}


def resolved(text: str) -> str:
    reference = parse_reference(text)
    assert reference is not None
    return resolve_revision(reference).revision


def test_versions_are_the_names_of_branches_and_tags(hub: HubServer) -> None:
    hub.add("user/name", FILES, tags=["v2.0", "v2.1", "nightly", "1.6"])
    hub.add("user/name", FILES, branch="v3.0")
    found = get_repo_versions("user/name")
    assert sorted(found) == [Version(text) for text in ("1.6", "2.0", "2.1", "3.0")]


@pytest.mark.parametrize(
    ("tags", "wanted", "found"),
    [
        (["v2.1", "v3.0"], "v3.0", "v3.0"),
        (["v2.0", "v2.1", "v3.0"], "v2.1", "v2.1"),
        (["v3.0", "v3.1"], "v3.2", "v3.1"),
        (["v3.0", "v3.4"], "v3.2", "v3.0"),
        (["v3.0"], Version("3.0"), "v3.0"),
    ],
)
def test_the_safe_version_is_the_wanted_or_the_newest_older_one_of_its_major(
    hub: HubServer, tags: list[str], wanted: str | Version, found: str
) -> None:
    hub.add("user/name", FILES, tags=tags)
    assert get_safe_version("user/name", wanted) == found


@pytest.mark.parametrize(
    ("tags", "wanted", "error"),
    [
        (["v2.0", "v2.1"], "v3.0", BackwardCompatibilityError),
        (["v3.1"], "v3.0", ForwardCompatibilityError),
        (["v4.0"], "v3.0", ForwardCompatibilityError),
        ([], "v3.0", RuntimeError),
    ],
)
def test_no_safe_version_is_an_error_that_says_why(
    hub: HubServer, tags: list[str], wanted: str, error: type[Exception]
) -> None:
    hub.add("user/name", FILES, tags=tags)
    with pytest.raises(error, match="user/name"):
        get_safe_version("user/name", wanted)


def test_the_compatibility_errors_have_one_base_and_take_a_version() -> None:
    for kind in (BackwardCompatibilityError, ForwardCompatibilityError):
        error = kind("user/name", Version("2.1"))
        assert isinstance(error, CompatibilityError)
        assert "v2.1" in str(error)


def test_versions_are_compared_by_major_and_minor(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(BackwardCompatibilityError):
        check_version_compatibility("user/name", "v2.1", "v3.0")
    check_version_compatibility("user/name", "v2.1", "v3.0", enforce_breaking_major=False)
    check_version_compatibility("user/name", "v3.1", Version("3.0"))
    with caplog.at_level(logging.WARNING):
        check_version_compatibility("user/name", "v2.0", "v2.1")
    assert "v2.0" in caplog.text


def test_a_version_is_a_number_with_or_without_v() -> None:
    assert all(map(is_valid_version, ["v3.0", "2.1", "v10"]))
    assert not any(map(is_valid_version, ["main", "", "v", "3.x"]))


@pytest.mark.parametrize(
    ("tags", "chosen"),
    [
        (["v2.0", "v2.1"], "v2.1"),
        (["v2.1", "v3.0", "v4.0"], "v3.0"),
        (["v1.6"], "main"),
        ([], "main"),
    ],
)
def test_our_own_choice_is_the_newest_version_that_we_read_else_the_main_branch(
    hub: HubServer, tags: list[str], chosen: str
) -> None:
    hub.add("user/name", FILES, tags=tags)
    assert resolved("user/name") == chosen


def test_without_a_tag_and_a_main_branch_a_revision_is_asked_for(hub: HubServer) -> None:
    hub.add("user/name", FILES, branch="other")
    with pytest.raises(HubError, match="give a revision"):
        resolved("user/name")
    assert resolved("user/name@other") == "other"


def test_a_tag_counts_and_not_what_was_committed_after_it(
    hub: HubServer, v21: Path, v30: Path
) -> None:
    hub.add("user/name", v21, tags=["v2.1"])
    hub.add("user/name", v30)
    assert roboreel.open("user/name").version == "v2.1"


def test_functions_of_the_client_are_looked_up_when_they_are_called(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Api:
        def __init__(self, **_given: object) -> None: ...

        def list_repo_refs(self, *_given: object, **_named: object) -> object:
            ref = huggingface_hub.GitRefInfo(name="v3.0", ref="", target_commit="0" * 40)
            return huggingface_hub.GitRefs(branches=[], converts=[], tags=[ref])

    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    assert get_safe_version("user/name", "v3.0") == "v3.0"
