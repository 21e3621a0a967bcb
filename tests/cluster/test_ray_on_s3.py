"""A run on a real Ray cluster from a bucket to a bucket: no folder is shared.

Run by `pytest -m slow tests/cluster`, where the extras `ray` and `s3-tests` are installed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import roboreel
from roboreel.testing import make_dataset
from tests.needs_s3 import has_s3
from tests.oracle import tree_digest

ray: Any = pytest.importorskip("ray", reason="the extra ray is not installed")
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.slow,
    pytest.mark.skipif(not has_s3(), reason="moto or s3fs is not installed"),
]


def test_a_run_from_bucket_to_bucket_has_the_bytes_of_a_local_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.stores.conftest import SETTINGS, bare_client
    from tests.stores.s3_server import BUCKET, s3_server

    source = make_dataset(tmp_path / "set", version="v3.0", episodes=(5, 3, 4))
    for name, value in {**SETTINGS, "XDG_STATE_HOME": str(tmp_path / "state")}.items():
        monkeypatch.setenv(name, value)
    with s3_server() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        client = bare_client()
        client.mkdir(BUCKET)
        client.put(f"{source}/", f"{BUCKET}/set/", recursive=True)
        ray.init(num_cpus=2, log_to_driver=False, logging_level="ERROR")
        try:
            roboreel.convert(
                f"s3://{BUCKET}/set", to="v2.1", out=f"s3://{BUCKET}/out", executor="ray"
            )
        finally:
            ray.shutdown()
        client.get(f"{BUCKET}/out/", f"{tmp_path}/got/", recursive=True)
    roboreel.convert(source, to="v2.1", out=tmp_path / "local")
    assert tree_digest(tmp_path / "got") == tree_digest(tmp_path / "local")
