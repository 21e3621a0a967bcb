"""Without torch, no test of it is dropped unsaid."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import needs_torch
from tests.needs_torch import what_is_left_out

TESTS = Path(__file__).parent


@pytest.mark.parametrize(
    ("text", "needs"),
    [
        ("import torch\n", True),
        ('"""A test."""\n\nfrom roboreel.torch import LeRobotDataset\n', True),
        ("import roboreel.torch.constants\n", True),
        ("from torch.utils.data import DataLoader\n", True),
        ("from tests.unit.torch.opened import made\n", True),
        ("import torchcodec\n", False),
        ("def test():\n    import torch\n", False),
        ('TEXT = "import torch"\n', False),
    ],
)
def test_a_file_that_imports_torch_is_known(tmp_path: Path, text: str, needs: bool) -> None:
    path = tmp_path / "test_it.py"
    path.write_text(text, encoding="utf-8")
    assert needs_torch.needs_torch(path) is needs
    helper = path.rename(tmp_path / "it.py")
    assert not needs_torch.needs_torch(helper)


def test_every_test_in_the_folder_of_torch_is_known() -> None:
    found = [*(TESTS / "unit/torch").glob("test_*.py")]
    assert found
    assert [path.name for path in found if not needs_torch.needs_torch(path)] == []


def test_what_is_left_out_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs_torch, "has_torch", lambda: True)
    assert what_is_left_out(TESTS) is None
    monkeypatch.setattr(needs_torch, "has_torch", lambda: False)
    count = len([path for path in TESTS.rglob("test_*.py") if needs_torch.needs_torch(path)])
    assert count > 20
    assert str(what_is_left_out(TESTS)).startswith(f"torch is not installed: {count} test files")


def test_without_torch_one_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import roboreel.torch

    def absent(name: str) -> None:
        raise ModuleNotFoundError(f"No module named '{name}'", name="torch")

    monkeypatch.setattr("importlib.import_module", absent)
    monkeypatch.delitem(vars(roboreel.torch), "LeRobotDataset", raising=False)
    with pytest.raises(ImportError, match=r"'torch' is needed by roboreel\.torch: pip install"):
        _ = roboreel.torch.LeRobotDataset
