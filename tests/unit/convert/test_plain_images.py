"""Images that are stored as plain bytes, without a struct: lerobot reads them, so every command does."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import roboreel
from roboreel.format.encoding import Encoding
from roboreel.testing import Version, make_dataset
from roboreel.testing.made_features import STILL
from tests.judge import faults
from tests.mutate import copied, edit_table
from tests.oracle import read
from tests.unit.convert.sources import require_written

LENGTHS = (6, 4, 8)
VERSIONS: tuple[Version, ...] = ("v2.0", "v2.1", "v3.0")
PLAIN = [pa.binary(), pa.large_binary(), pa.binary_view()]


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bases")
    for version in VERSIONS:
        made = folder / version
        make_dataset(made, version=version, episodes=LENGTHS, features="rich", cameras={})
    return folder


def plain(source: Path, target: Path, type_: pa.DataType | None = None) -> Path:
    """A copy whose images are plain bytes."""

    def change(table: pa.Table) -> pa.Table:
        images = pc.struct_field(table[STILL].combine_chunks(), "bytes").to_pylist()
        return table.set_column(
            table.column_names.index(STILL), STILL, pa.array(images, type_ or pa.binary())
        ).replace_schema_metadata(None)

    require_written(type_ or pa.binary())
    copied(source, target)
    for path in (target / "data").rglob("*.parquet"):
        edit_table(path, change)
    return target


def stored_type(root: Path) -> pa.DataType:
    path = next((root / "data").rglob("*.parquet"))
    return pq.ParquetFile(path).schema_arrow.field(STILL).type


@pytest.mark.parametrize("type_", PLAIN, ids=str)
@pytest.mark.parametrize("version", VERSIONS)
def test_check_finds_its_images(
    bases: Path, tmp_path: Path, version: Version, type_: pa.DataType
) -> None:
    source = plain(bases / version, tmp_path / "source", type_)
    report = roboreel.check(source, decode=True)
    wanted = {"table.plain-images"} | ({"table.layout"} if type_ == pa.binary_view() else set())
    assert {problem.rule for problem in report.problems} == wanted
    assert report.pictures == sum(LENGTHS)


@pytest.mark.sample(3)
@pytest.mark.parametrize("to", VERSIONS)
@pytest.mark.parametrize("version", VERSIONS)
def test_conversions_keep_their_bytes(
    bases: Path, tmp_path: Path, version: Version, to: Version
) -> None:
    source = plain(bases / version, tmp_path / "source")
    report = roboreel.convert(source, to=to, out=tmp_path / "out")
    assert not {problem.rule for problem in report.problems} & {"feature.type", "table.types"}
    assert stored_type(tmp_path / "out") == pa.binary()
    assert faults(read(tmp_path / "out")) == []
    problems = roboreel.check(tmp_path / "out", decode=True).problems
    assert {problem.rule for problem in problems} == {"table.plain-images"}
    assert roboreel.diff(source, tmp_path / "out", decode=True).same


def test_statistics_are_measured(bases: Path, tmp_path: Path) -> None:
    source = plain(bases / "v3.0", tmp_path / "source")
    roboreel.write(
        roboreel.open(source).recompute(cameras="all"), out=tmp_path / "new", executor="serial"
    )
    roboreel.write(
        roboreel.open(bases / "v3.0").recompute(cameras="all"),
        out=tmp_path / "other",
        executor="serial",
    )
    told = roboreel.check_stats(source, cameras="all").differences
    assert STILL not in {difference.feature for difference in told}
    found, wanted = (roboreel.open(tmp_path / name).stats()[STILL] for name in ("new", "other"))
    assert {k: v.tolist() for k, v in found.items()} == {k: v.tolist() for k, v in wanted.items()}


def test_images_are_encoded(bases: Path, tmp_path: Path) -> None:
    how = {STILL: Encoding(vcodec="h264", crf=10)}
    source = plain(bases / "v2.1", tmp_path / "source")
    roboreel.write(roboreel.open(source).encode(how), out=tmp_path / "new", executor="serial")
    roboreel.write(
        roboreel.open(bases / "v2.1").encode(how), out=tmp_path / "other", executor="serial"
    )
    assert roboreel.diff(tmp_path / "new", tmp_path / "other", decode=True).same


def test_they_are_the_same_as_in_structs(bases: Path, tmp_path: Path) -> None:
    source = plain(bases / "v2.1", tmp_path / "source")
    report = roboreel.diff(bases / "v2.1", source, decode=True)
    assert report.same
    assert roboreel.diff(bases / "v2.1", source).same


def test_another_image_is_found_by_a_comparison(bases: Path, tmp_path: Path) -> None:
    source = plain(bases / "v3.0", tmp_path / "source")
    other = plain(bases / "v3.0", tmp_path / "other")

    def swap(table: pa.Table) -> pa.Table:
        images = table[STILL].to_pylist()
        images[1], images[2] = images[2], images[1]
        at = table.column_names.index(STILL)
        return table.set_column(at, STILL, pa.array(images, pa.binary()))

    edit_table(next((other / "data").rglob("*.parquet")), swap)
    for decode in (False, True):
        (found,) = roboreel.diff(source, other, decode=decode).differences
        assert (found.kind, found.count, found.row) == ("images", 2, 1)


def test_joined_with_structs_they_become_structs(bases: Path, tmp_path: Path) -> None:
    source = plain(bases / "v2.1", tmp_path / "source")
    both = roboreel.concat([roboreel.open(source), roboreel.open(bases / "v2.1")])
    report = roboreel.write(both, out=tmp_path / "out")
    assert "table.types" in {problem.rule for problem in report.problems}
    assert stored_type(tmp_path / "out") == stored_type(bases / "v2.1")
    result = read(tmp_path / "out")
    assert faults(result) == []
    images = [
        [cell["bytes"] for cell in episode.rows[STILL].to_pylist()] for episode in result.episodes
    ]
    assert images[: len(LENGTHS)] == images[len(LENGTHS) :]


def test_a_missing_image_is_found(bases: Path, tmp_path: Path) -> None:
    source = plain(bases / "v3.0", tmp_path / "source")

    def empty(table: pa.Table) -> pa.Table:
        images = table[STILL].to_pylist()
        images[0] = None
        at = table.column_names.index(STILL)
        return table.set_column(at, STILL, pa.array(images, pa.binary()))

    edit_table(next((source / "data").rglob("*.parquet")), empty)
    found = [p for p in roboreel.check(source, decode=True).problems if p.rule == "video.decodes"]
    assert [(p.episode, p.column) for p in found] == [(0, STILL)]
