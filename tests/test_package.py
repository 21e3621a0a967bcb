"""What is published: the wheel's files and metadata, as `scripts/check_wheel.py` judges them."""

from __future__ import annotations

import re
from pathlib import Path

from scripts.check_wheel import faults_of_metadata, faults_of_names

ROOT = Path(__file__).parent.parent
NAMES = [
    *("roboreel/__init__.py", "roboreel/py.typed", "roboreel/cli/main.py"),
    *("roboreel-0.1.0.dist-info/METADATA", "roboreel-0.1.0.dist-info/licenses/LICENSE"),
]
HEAD = """Name: roboreel
Version: 0.1.0
Summary: x
License-Expression: Apache-2.0
Requires-Python: >=3.10
Project-URL: Source, x
Project-URL: Changelog, x
Project-URL: Issues, x
Description-Content-Type: text/markdown"""


def test_a_whole_wheel_passes() -> None:
    assert list(faults_of_names(NAMES)) == []
    assert list(faults_of_metadata(HEAD, "[a](https://example.org/a) [b](#b)")) == []


def test_what_is_wrong_with_a_wheel_is_found() -> None:
    faults = list(faults_of_names([*NAMES[:1], "tests/test_docs.py", "roboreel/x/test_y.py"]))
    assert [fault for fault in faults if "py.typed" in fault or "license" in fault]
    assert sum("is no part of the package" in fault for fault in faults) == 2


def test_what_an_index_shows_wrong_is_found() -> None:
    faults = list(faults_of_metadata(HEAD.replace("Summary", "Sum"), "[a](docs/a.md)"))
    assert faults == ["no Summary", "a link that leads nowhere on an index: ](docs/a.md)"]


def test_the_repository_is_named_alike_everywhere() -> None:
    (source,) = re.findall(r'^Source = "(.+)"$', _text("pyproject.toml"), re.MULTILINE)
    assert f"repo_url: {source}\n" in _text("mkdocs.yml")
    assert f"git clone {source} && cd {source.rpartition('/')[2]}" in _text("README.md")


def _text(name: str) -> str:
    return (ROOT / name).read_text("utf-8")
