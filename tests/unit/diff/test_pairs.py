"""Chosen episodes of one dataset are compared with those of another, whatever their numbers."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
from typer.testing import CliRunner

import roboreel
from roboreel.cli.main import app
from roboreel.testing import Camera, Version, make_dataset
from tests.mutate import copied, edit_table

CAMERAS = {"observation.images.top": Camera(height=32)}
LENGTHS = (12, 11, 15, 10, 13)
VERSIONS: tuple[Version, ...] = ("v2.0", "v2.1", "v3.0")


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bases")
    for version in VERSIONS:
        make_dataset(folder / version, version=version, episodes=LENGTHS, cameras=CAMERAS)
    return folder


def _broken_source(bases: Path, folder: Path, version: Version) -> Path:
    """A dataset whose episode 1 cannot be written."""
    root = copied(bases / version, folder / "a")
    path = next((root / "data").rglob("*000001.parquet"), root / "data/chunk-000/file-000.parquet")
    if version != "v3.0":
        path.write_bytes(b"rubbish")
        return root

    def unsorted(table: pa.Table) -> pa.Table:
        order = [*range(12), *reversed(range(12, 23)), *range(23, len(table))]
        return table.take(order)

    edit_table(path, unsorted)
    return root


@pytest.mark.parametrize("to", ["v2.1", "v3.0"])
@pytest.mark.parametrize("version", VERSIONS)
def test_a_result_without_its_broken_episodes_is_compared_with_its_source(
    bases: Path, tmp_path: Path, version: Version, to: str
) -> None:
    root = _broken_source(bases, tmp_path, version)
    report = roboreel.convert(root, to=to, out=tmp_path / "b", on_broken="skip")
    assert report.episodes == 4
    assert not roboreel.diff(root, tmp_path / "b").same
    pairs = [(0, 0), (2, 1), (3, 2), (4, 3)]
    found = roboreel.diff(root, tmp_path / "b", episodes=pairs)
    assert found.differences == ()
    assert (found.compared.episodes, found.compared.rows) == (4, 50)
    assert found.compared.packets == 50
    assert roboreel.diff(root, tmp_path / "b", episodes=pairs, decode=True).same


def test_the_wrong_pairs_differ_and_name_both_episodes(bases: Path, tmp_path: Path) -> None:
    roboreel.write(roboreel.open(bases / "v2.1").delete([1]), out=tmp_path / "b")
    found = roboreel.diff(bases / "v2.1", tmp_path / "b", episodes=[(0, 0), (2, 2)])
    values = next(each for each in found.differences if each.kind == "values")
    assert (values.episode, values.other_episode) == (2, None)
    found = roboreel.diff(bases / "v2.1", tmp_path / "b", episodes=[(1, 0)])
    values = next(each for each in found.differences if each.kind == "values")
    assert (values.episode, values.other_episode) == (1, 0)
    assert "episode 1 (0 in the second)" in str(values)
    assert values.to_json()["other_episode"] == 0


def test_any_order_of_pairs_will_do(bases: Path, tmp_path: Path) -> None:
    roboreel.write(roboreel.open(bases / "v3.0").keep([4, 0, 2]), out=tmp_path / "b")
    pairs = [(4, 2), (0, 0), (2, 1)]
    assert roboreel.diff(bases / "v3.0", tmp_path / "b", episodes=pairs).same
    assert roboreel.diff(bases / "v3.0", tmp_path / "b", episodes=pairs, decode=True).same


@pytest.mark.parametrize(
    ("pairs", "why"),
    [
        ([], "at least one pair"),
        ([(9, 0)], "the first dataset has no episode 9"),
        ([(0, 9)], "the second dataset has no episode 9"),
        ([(0, 0), (0, 1)], "an episode of the first dataset is chosen twice"),
    ],
)
def test_pairs_that_mean_nothing_are_refused(
    bases: Path, pairs: list[tuple[int, int]], why: str
) -> None:
    with pytest.raises(roboreel.UsageError, match=why):
        roboreel.diff(bases / "v2.1", bases / "v3.0", episodes=pairs)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("0=0,2=1", 0),
        ("0=0,2:5=1:4", 0),
        ("0,2:=1:", 0),
        ("0=0,2=2", 1),
        ("0:2=0", 2),
        ("x=0", 2),
        ("0=99", 2),
    ],
)
def test_pairs_and_ranges_of_pairs_on_the_command_line(
    bases: Path, tmp_path: Path, words: str, code: int
) -> None:
    roboreel.write(roboreel.open(bases / "v2.1").delete([1]), out=tmp_path / "b")
    command = ["diff", str(bases / "v2.1"), str(tmp_path / "b"), "--episodes", words, "--json"]
    result = CliRunner().invoke(app, command)
    if code == 2:
        assert isinstance(result.exception, roboreel.UsageError), result.output
        return
    assert result.exit_code == code, result.output
    if code == 0:
        assert json.loads(result.stdout)["same"]


def test_a_skip_says_how_to_compare(bases: Path, tmp_path: Path) -> None:
    root = _broken_source(bases, tmp_path, "v2.1")
    out = tmp_path / "b"
    command = ["convert", str(root), "--to", "v3.0", "--on-broken", "skip", "-o", str(out)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    told = f"roboreel diff {root} {out} --episodes 0=0,2:5=1:4"
    assert told in result.output
    assert CliRunner().invoke(app, told.split()[1:]).exit_code == 0
