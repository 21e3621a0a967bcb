"""`check` and `info` say what is, and what each command would do: nothing is told as done."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

import roboreel
from roboreel.cli.main import app
from roboreel.testing import Camera, Version, make_dataset
from tests.mutate import drop_columns, edit_info, edit_json, episode_table

SOURCE = Path(roboreel.__file__).parent
TOP, WRIST = "observation.images.top", "observation.images.wrist"
_DONE = re.compile(
    r"(?!.*when the dataset is written)(the column is |recorded ones are )?"
    r"(left out|supplied|counted|numbered|written|kept|taken|added|declared|computed|listed)\b|.* wins?$"
)


def _actions(tree: ast.AST) -> Iterator[str]:
    """Texts of what problems have as `action`, given by name or as a remark's fourth argument."""
    for node in ast.walk(tree):
        values: list[ast.expr] = []
        if isinstance(node, ast.Call):
            values += [word.value for word in node.keywords if word.arg == "action"]
            if isinstance(node.func, ast.Name) and node.func.id == "Remark":
                values += node.args[3:4]
        elif isinstance(node, ast.Assign):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
            values += [node.value] if "action" in names else []
        for value in values:
            for part in ast.walk(value):
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    yield part.value


@pytest.mark.parametrize(
    "path",
    [
        path
        for layer in ("format", "dataset", "probes", "survey")
        for path in sorted((SOURCE / layer).rglob("*.py"))
        if path.name != "table_schema.py"  # only writing asks it
    ],
    ids=lambda path: path.relative_to(SOURCE).as_posix(),
)
def test_what_reading_finds_tells_nothing_as_done(path: Path) -> None:
    told = [text for text in _actions(ast.parse(path.read_text("utf-8"))) if _DONE.match(text)]
    assert told == []


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
def test_check_and_info_say_what_commands_would_do(tmp_path: Path, version: Version) -> None:
    cameras = {TOP: Camera(height=32), WRIST: Camera(height=32)}
    root = make_dataset(tmp_path / "a", version=version, episodes=(5,), cameras=cameras)
    table = root / "data/chunk-000/file-000.parquet"
    drop_columns(table if version == "v3.0" else episode_table(root, 0), "frame_index")
    for video in [path for path in root.rglob("*.mp4") if WRIST in path.parts]:
        video.unlink()
    edit_info(root, total_frames=99)
    edit_json(
        root / "meta/info.json",
        lambda info: info["features"].update(gone={"dtype": "float32", "shape": [2]}),
    )
    text = CliRunner().invoke(app, ["check", str(root)]).output
    assert "→ added when the dataset is written" in text
    assert "→ left out when the dataset is written" in text
    assert f"→ pass --allow-missing {WRIST} to write without it" in text
    assert f"roboreel repair {root} --drop-missing-cameras -o {root}_repaired" in text
    assert "→ 5 is used" in text
    shown = CliRunner().invoke(app, ["info", str(root)]).output
    assert f"roboreel repair {root} --drop-missing-cameras -o {root}_repaired" in shown
