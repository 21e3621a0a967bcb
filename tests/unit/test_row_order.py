"""Rows and pictures belong together by their order: tables in another order are refused."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import roboreel
from roboreel.testing import make_dataset

FIRST = {"v2.1": "data/chunk-000/episode_000000.parquet", "v3.0": "data/chunk-000/file-000.parquet"}


def made(folder: Path, version: str) -> Path:
    return make_dataset(folder / "source", version=version, episodes=(10, 8))  # type: ignore[arg-type]


@pytest.mark.parametrize("version", FIRST)
def test_swapped_rows_are_refused(tmp_path: Path, version: str) -> None:
    source = made(tmp_path, version)
    table = pq.read_table(source / FIRST[version])
    order = [0, 1, 3, 2, *range(4, len(table))]
    pq.write_table(table.take(order), source / FIRST[version])
    with pytest.raises(roboreel.PlanError, match=r"episode 0.*table\.row-order"):
        roboreel.convert(source, to="v2.0", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_row_missing_inside_an_episode_of_a_shared_file_is_refused(tmp_path: Path) -> None:
    source = made(tmp_path, "v3.0")
    table = pq.read_table(source / FIRST["v3.0"])
    pq.write_table(pa.concat_tables([table.slice(0, 4), table.slice(5)]), source / FIRST["v3.0"])
    with pytest.raises(roboreel.PlanError, match=r"episode 0.*video\.long"):
        roboreel.convert(source, to="v2.1", out=tmp_path / "out")


def test_pictures_that_are_only_named_are_refused(tmp_path: Path) -> None:
    source = make_dataset(tmp_path / "source", version="v2.1", episodes=(4,), features="rich")
    path = source / FIRST["v2.1"]
    table = pq.read_table(path)
    name = "observation.images.still"
    at = table.schema.get_field_index(name)
    named = [{"bytes": None, "path": f"images/{n}.png"} for n in range(len(table))]
    column = pa.array(named, table.schema.field(name).type)
    pq.write_table(table.set_column(at, table.schema.field(name), column), path)
    with pytest.raises(roboreel.RunError, match="paths to files"):
        roboreel.convert(source, to="v3.0", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_undeclared_column_of_nanoseconds_travels(tmp_path: Path) -> None:
    source = made(tmp_path, "v2.1")
    for path in sorted((source / "data").rglob("*.parquet")):
        table = pq.read_table(path)
        stamps = pa.array([1_700_000_000_000_000_001 + n for n in range(len(table))])
        table = table.append_column("clock", stamps.cast(pa.timestamp("ns")))
        pq.write_table(table, path)
    roboreel.convert(source, to="v3.0", out=tmp_path / "out")
    written = pq.read_table(tmp_path / "out" / FIRST["v3.0"])["clock"]
    assert written.cast(pa.int64())[0].as_py() == 1_700_000_000_000_000_001


def test_ragged_undeclared_lists_stay_lists(tmp_path: Path) -> None:
    source = made(tmp_path, "v2.1")
    for path in sorted((source / "data").rglob("*.parquet")):
        table = pq.read_table(path)
        lists: list[list[float]] = [[]] + [[1.0] * (1 + n % 3) for n in range(len(table) - 1)]
        pq.write_table(table.append_column("found", pa.array(lists, pa.list_(pa.float64()))), path)
    roboreel.convert(source, to="v3.0", out=tmp_path / "out")
    assert roboreel.open(tmp_path / "out").features["found"].shape == (3,)
    assert pq.read_table(tmp_path / "out" / FIRST["v3.0"])["found"][0].as_py() == []
