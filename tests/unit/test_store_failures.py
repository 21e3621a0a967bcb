"""Failures of object stores say what was wrong, where, and what to do."""

from __future__ import annotations

import pytest

from roboreel.errors import MissingDependencyError, MissingFileError, StorageError
from roboreel.storage.fs import open_root
from roboreel.storage.remote.store_failures import said_of


class NoCredentialsError(Exception):
    """Named as that of the client."""


class EndpointConnectionError(Exception):
    """Named as that of the client."""


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FileNotFoundError("x"), "'a': no such file"),
        (FileNotFoundError("no such bucket"), "'a': no such file (no such bucket)"),
        (
            PermissionError("Access Denied"),
            "'a': access denied (Access Denied): the credentials in use",
        ),
        (
            NoCredentialsError("none"),
            "'a': no credentials (none): set AWS_PROFILE, or AWS_ACCESS_KEY_ID",
        ),
        (
            EndpointConnectionError("x"),
            "'a': the store cannot be reached, or the connection was cut (x)",
        ),
        (
            ConnectionResetError("x"),
            "'a': the store cannot be reached, or the connection was cut (x)",
        ),
        (OSError("slow down"), "'a': slow down"),
        (KeyError(), "'a': KeyError"),
    ],
)
def test_a_failure_is_told_in_words(error: Exception, said: str) -> None:
    assert said_of(error, "'a'", "s3://b").startswith(said)


def test_google_has_its_own_credentials() -> None:
    assert "gcloud auth" in said_of(PermissionError("x"), "'a'", "gs://b")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError("no such host"), "'x://b/x': no such host"),
        (ImportError("Install c"), r"Install c \(roboreel is tested with s3:// and gs:// only"),
    ],
)
def test_another_store_is_named(
    error: Exception, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("fsspec.core.url_to_fs", fails)
    with pytest.raises(StorageError, match=said):
        open_root("x://b/x")


@pytest.mark.parametrize(
    ("url", "package", "extra"), [("s3://b/x", "s3fs", "s3"), ("gs://b/x", "gcsfs", "gcs")]
)
def test_a_missing_client_names_its_extra(
    url: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(*_: object, **__: object) -> None:
        raise ImportError("no client")

    pytest.importorskip("fsspec")
    monkeypatch.setattr("fsspec.core.url_to_fs", absent)
    with pytest.raises(
        MissingDependencyError, match=rf"'{package}' is needed for '{url}': .*roboreel\[{extra}\]"
    ):
        open_root(url)


def test_an_empty_address_is_missing() -> None:
    pytest.importorskip("fsspec")
    with pytest.raises(MissingFileError, match="'memory://nothing': there are no files"):
        open_root("memory://nothing").listing()


def test_many_files_are_asked_for_by_a_listing(monkeypatch: pytest.MonkeyPatch) -> None:
    fsspec = pytest.importorskip("fsspec")
    store = fsspec.filesystem("memory")
    store.pipe({f"/many/{n:03}": b"x" * n for n in range(40)})
    root = open_root("memory://many")
    monkeypatch.setattr(root, "stat", None)
    found = list(root.stats([f"{n:03}" for n in range(41)]))
    store.rm("/many", recursive=True)
    assert [getattr(one, "size_bytes", None) for one in found] == [*range(40), None]
    assert isinstance(found[40], StorageError)
