"""The exporter where Data-Juicer is installed, and where it cannot be imported.

A few lines stand in for Data-Juicer; `scripts/compat/data_juicer_operator.py` tries the real one.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

import pytest

import roboreel.sink.data_juicer as exporter
from roboreel.sink.data_juicer_operator import PlainOperator, operator_base
from tests.data_juicer_samples import META, hand, video_sample

INSTALLED = """
class Registry:
    def __init__(self):
        self.modules = {}
    def register_module(self, name, cls, force=False):
        assert force or name not in self.modules
        self.modules[name] = cls
class Mapper:
    def __init__(self, *args, **kwargs):
        self.text_key = kwargs.get("text_key", "text")
        self.video_key = kwargs.get("video_key", "videos")
OPERATORS = Registry()
OPERATORS.modules["export_to_lerobot_mapper"] = object
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package `data_juicer` whose module of operators a test writes."""
    folder = tmp_path / "site" / "data_juicer" / "ops"
    folder.mkdir(parents=True)
    for package in (folder.parent, folder):
        (package / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    for name in [name for name in sys.modules if name.split(".")[0] == "data_juicer"]:
        monkeypatch.delitem(sys.modules, name)
    return folder / "base_op.py"


@pytest.fixture(autouse=True)
def _forgotten() -> Any:
    yield
    for name in [name for name in sys.modules if name.split(".")[0] == "data_juicer"]:
        del sys.modules[name]


def test_without_data_juicer_the_exporter_is_a_plain_callable(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "data_juicer", None)
    assert operator_base() == (PlainOperator, None)
    assert not caplog.messages


def test_where_it_is_installed_the_exporter_is_a_registered_operator(
    installed: Path, tmp_path: Path
) -> None:
    installed.write_text(INSTALLED)
    made = runpy.run_path(exporter.__file__)
    base, operators = operator_base()
    mapper: Any = made["ExportToLeRobotMapper"]
    assert base in mapper.__mro__
    assert operators.modules["roboreel_export_to_lerobot_mapper"] is mapper
    assert operators.modules["export_to_lerobot_mapper"] is object
    made["replace_data_juicer_operator"]()
    assert operators.modules["export_to_lerobot_mapper"] is mapper
    done = made["ExportToLeRobotMapper"](output_dir=str(tmp_path / "out")).process_single(
        video_sample(None, hand([0, 1]))
    )
    assert len(done[META]["lerobot_export"]) == 1


def test_one_that_lacks_packages_of_its_own_is_warned_of(
    installed: Path, caplog: pytest.LogCaptureFixture
) -> None:
    installed.write_text("import a_package_that_is_not_here")
    assert operator_base() == (PlainOperator, None)
    assert "No module named 'a_package_that_is_not_here'" in caplog.text
