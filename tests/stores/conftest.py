"""A bucket for each test, on an S3 server of this machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.stores.s3_server import BUCKET, S3Server, s3_server

SETTINGS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/nonexistent",
    "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
    "AWS_MAX_ATTEMPTS": "1",
    "MOTO_ALLOW_NONEXISTENT_REGION": "true",
}


@pytest.fixture(scope="session")
def _server() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture
def s3(_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    """The server, with an empty bucket."""
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", _server.url)
    s3fs: Any = pytest.importorskip("s3fs")
    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 2)
    client = bare_client()
    client.mkdir(BUCKET)
    _server.forget()
    yield _server
    _server.refused = _server.cut = lambda _: False
    _server.done = lambda _: None
    client.rm(BUCKET, recursive=True)


@pytest.fixture
def fresh_clients() -> Iterator[None]:
    """Make clients of other settings, which no later test uses."""
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    yield
    s3fs.S3FileSystem.clear_instance_cache()


def bare_client() -> Any:
    """A client of the store without caches."""
    import s3fs

    return s3fs.S3FileSystem(use_listings_cache=False)
