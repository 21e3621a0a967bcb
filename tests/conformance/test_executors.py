"""Every executor writes the same bytes, and the same bytes again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

import roboreel
from roboreel.executors.worker_options import ExecutorName
from roboreel.testing import Camera, make_dataset
from tests.judge import faults
from tests.mutate import edit_table, episode_table
from tests.oracle import read, tree_digest

VERSIONS = ("v2.0", "v2.1", "v3.0")
EXECUTORS: tuple[ExecutorName, ...] = ("serial", "process", "thread", "serial")

HERE: tuple[ExecutorName, ...] = ("serial", "thread", "process")
"""Executors of this machine; `tests/cluster` has the others."""


def _make(root: Path, name: str) -> Path:
    small = {"top": Camera(height=32, b_frames=2, gop=12), "wrist": Camera(height=32)}
    match name:
        case "v2.0 without statistics per episode":
            return make_dataset(root, version="v2.0", episodes=(9, 1, 5), cameras=small)
        case "v2.1 rich":
            return make_dataset(
                root, version="v2.1", episodes=(5, 3), cameras=small, features="rich"
            )
        case "v2.1 as datasets names the items of lists":
            make_dataset(root, version="v2.1", episodes=(5, 3), cameras={})
            for episode in range(2):
                edit_table(episode_table(root, episode), _renamed_items)
            return root
        case "v3.0 cut inside GOPs":
            cameras = {"top": Camera(height=32, gop=250, join="encoded")}
            return make_dataset(root, version="v3.0", episodes=(7, 4, 6), cameras=cameras)
        case _:
            return make_dataset(
                root,
                version="v3.0",
                episodes=(4, 3, 2, 5, 1),
                cameras=small,
                chunks_size=2,
                data_episodes_per_file=2,
                video_episodes_per_file=1,
            )


def _renamed_items(table: pa.Table) -> pa.Table:
    """The inner field of vectors is called `element` in files that `datasets` wrote."""
    for at, item in enumerate(table.schema):
        if pa.types.is_fixed_size_list(item.type):
            inner = pa.field("element", item.type.value_type)
            table = table.set_column(
                at, item.name, table[item.name].cast(pa.list_(inner, item.type.list_size))
            )
    return table


KINDS = (
    "v2.0 without statistics per episode",
    "v2.1 rich",
    "v2.1 as datasets names the items of lists",
    "v3.0 cut inside GOPs",
    "v3.0 many files",
)


@pytest.fixture(scope="module", params=KINDS)
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _make(tmp_path_factory.mktemp("source") / "a", request.param)


@pytest.mark.sample(2)
@pytest.mark.usefixtures("spawned")
def test_every_executor_and_a_second_run_write_equal_bytes(source: Path, tmp_path: Path) -> None:
    before = tree_digest(source)
    for version in VERSIONS:
        plan = roboreel.plan_convert(source, to=version, out=tmp_path / "x", allow_reencode=True)
        seen = []
        for number, executor in enumerate(EXECUTORS):
            out = tmp_path / f"{version}-{number}"
            report = roboreel.convert(
                source,
                to=version,
                out=out,
                executor=executor,
                workers=2,
                allow_reencode=True,
            )
            seen.append(tree_digest(out))
            assert report.episodes == len(plan.model.episodes)
        assert faults(read(tmp_path / f"{version}-0")) == []
        for other in seen[1:]:
            assert seen[0] == other, [n for n in seen[0] if seen[0][n] != other.get(n)]
    assert tree_digest(source) == before


def test_reports_of_executors_agree(source: Path, tmp_path: Path) -> None:
    found = []
    for executor in HERE:
        report = roboreel.convert(source, to="v3.0", out=tmp_path / executor, executor=executor)
        document = report.to_json()
        del document["seconds"], document["out"]
        found.append(document)
    assert found[0] == found[1] == found[2]
    assert (
        sum(f.stat().st_size for f in (tmp_path / "serial").rglob("*") if f.is_file())
        == (found[0]["size_bytes"])
    )


def test_workers_do_not_run_the_calling_script_again(tmp_path: Path) -> None:
    source = make_dataset(tmp_path / "a", version="v2.1", episodes=(2,), cameras={})
    script = tmp_path / "script.py"
    script.write_text(
        "import roboreel\n"
        "print('ran')\n"
        f"roboreel.convert({str(source)!r}, to='v3.0', out={str(tmp_path / 'out')!r}, workers=2)\n"
        "print(__file__, __spec__)\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["ran", f"{script} None"]
    assert not [path for path in tmp_path.iterdir() if "partial" in path.name]
