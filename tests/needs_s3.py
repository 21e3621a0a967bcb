"""Tests of object stores: collected where a client and a server of S3 are installed, told of where not."""

from __future__ import annotations

import ast
from importlib.util import find_spec
from pathlib import Path

FOLDER = "stores"


def has_s3() -> bool:
    """Whether the extra `s3` is installed, and moto's server."""
    return all(map(find_spec, ("s3fs", "moto", "flask")))


def what_is_left_out(tests: Path) -> str | None:
    """One line about the tests that are not collected; None where S3 is installed."""
    if has_s3():
        return None
    trees = [ast.parse(path.read_text("utf-8")) for path in (tests / FOLDER).glob("test_*.py")]
    named = [getattr(node, "name", "") for tree in trees for node in tree.body]
    count = sum(name.startswith("test_") for name in named)
    return (
        f"moto or s3fs is not installed: {count} tests of object stores are not collected; "
        "pip install -c constraints.txt -e '.[dev,s3-tests]' brings them"
    )
