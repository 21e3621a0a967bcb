"""What the pages show for torch, run: training in the tutorial, and the public names."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from roboreel.testing import Camera, make_dataset
from roboreel.torch import constants, dataset_metadata
from scripts import public_api
from tests.doc_blocks import ROOT, Block, blocks_of


def _torch_block(page: str) -> Block:
    (block,) = (
        block
        for block in blocks_of((ROOT / page).read_text("utf-8"))
        if block.language == "python" and "from roboreel.torch import" in block.text
    )
    return block


@pytest.mark.slow
def test_the_tutorial_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_dataset(tmp_path / "parts/train", version="v3.0", episodes=(40, 30))
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(_torch_block("docs/tutorial.md").text, names)
    loss = names["loss"]
    assert isinstance(loss, torch.Tensor)
    assert bool(torch.isfinite(loss))


@pytest.mark.slow
def test_every_name_of_torch_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_dataset(
        tmp_path / "pick_v30", version="v3.0", episodes=(40, 30), cameras={"top": Camera()}
    )
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(_torch_block("docs/every-name.md").text, names)
    assert names["state"]
    assert isinstance(names["first"], dict)


@pytest.mark.slow
@pytest.mark.parametrize("page", ["docs/torch.md", "docs/dataset-tools.md"])
def test_blocks_run_as_they_are(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_dataset(tmp_path / "home/user/name", version="v3.0", episodes=(8, 6, 7, 5))
    for module in (constants, dataset_metadata):
        monkeypatch.setattr(module, "HF_LEROBOT_HOME", tmp_path / "home")
    make_dataset(tmp_path / "path/to/dataset", version="v2.1", episodes=(8, 6, 7))
    monkeypatch.chdir(tmp_path)
    blocks = [
        one for one in blocks_of((ROOT / page).read_text("utf-8")) if one.language == "python"
    ]
    assert blocks
    for block in blocks:
        exec(block.text, {})


def test_the_names_are_those_pinned() -> None:
    module = "roboreel.torch"
    assert public_api.section(module) == public_api.pinned_section(module), "scripts/public_api.py"
