"""Parquet files that mean harm: claims, bombs, kinds and marks. Refused, or read for what they hold."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import roboreel
from roboreel.errors import DatasetError, PlanError, RoboreelError, StorageError
from roboreel.storage.local import LocalRoot
from roboreel.storage.tables.tables import TableFile, read_table
from roboreel.testing import make_dataset
from tests.mutate import edit_table, episode_table, set_column

resource = pytest.importorskip("resource")  # to bound memory; not on every system

MEMORY = 2 << 30  # bytes beyond what the process has


@pytest.fixture(autouse=True)
def _bounded_memory() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY, hard))
    yield
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_dataset(tmp_path / "in", version="v2.1", episodes=(3, 2), cameras={})


@pytest.fixture
def source_v3(tmp_path: Path) -> Path:
    return make_dataset(tmp_path / "in3", version="v3.0", episodes=(3, 2), cameras={})


class Exploding:
    """What leaves a trace where it is unpickled."""

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, ("unpickled",)


# --- bombs


def repeated(path: Path, rows: int, *, group: int) -> int:
    """A file whose index columns say one number `rows` times; its bytes."""
    names = ("timestamp", "frame_index", "episode_index", "index", "task_index")
    schema = pa.schema([(name, pa.int64()) for name in names])
    zeros = pa.array(np.zeros(group, dtype=np.int64))
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for _ in range(rows // group):
            table = pa.table([zeros] * len(names), schema=schema)
            writer.write_table(table, row_group_size=group)
    return path.stat().st_size


@pytest.mark.slow
def test_one_number_half_a_billion_times_is_refused(source: Path, tmp_path: Path) -> None:
    """[`table.readable`]"""
    rows = 1 << 27
    size = repeated(episode_table(source, 0), rows, group=1 << 23)
    assert size < rows / 30
    with pytest.raises(PlanError, match=r"would take \d+ MiB or more.*table\.readable") as caught:
        roboreel.plan_convert(source, to="v3.0", out=tmp_path / "out")
    assert len(caught.value.problems) == 1


@pytest.mark.slow
def test_row_group_that_fills_the_memory_is_refused_before_it_is_read(tmp_path: Path) -> None:
    rows = 1 << 26
    repeated(tmp_path / "a.parquet", rows, group=rows)
    with TableFile(LocalRoot(tmp_path), "a.parquet") as file:
        assert file.footer.rows == rows
        with pytest.raises(StorageError, match="write it with smaller row groups"):
            file.rows(0, 1)


@pytest.mark.slow
def test_many_rows_are_no_bomb_where_little_is_read_at_once(tmp_path: Path) -> None:
    rows = 1 << 25
    repeated(tmp_path / "a.parquet", rows, group=1 << 20)
    with TableFile(LocalRoot(tmp_path), "a.parquet") as file:
        assert file.rows(rows - 5, rows).num_rows == 5
        assert file.read(["index"]).num_rows == rows


def varint(number: int) -> bytes:
    """A whole number as thrift's compact protocol has it."""
    zigzag, parts = number << 1, bytearray()
    while zigzag > 0x7F:
        parts.append(zigzag & 0x7F | 0x80)
        zigzag >>= 7
    return bytes([*parts, zigzag])


@pytest.mark.parametrize("rows", [1 << 40, (1 << 62), 4])
def test_footer_that_claims_other_rows_than_there_are_is_refused(
    source: Path, tmp_path: Path, rows: int
) -> None:
    path = episode_table(source, 0)
    data = path.read_bytes()
    begin = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    footer = data[begin:-8]
    # `num_rows`, field 3, stands between the schema's end and the row groups, field 4, of one element
    before, after = b"\x16" + varint(3) + b"\x19\x1c", b"\x16" + varint(rows) + b"\x19\x1c"
    assert footer.count(before) == 1
    footer = footer.replace(before, after)
    path.write_bytes(data[:begin] + footer + len(footer).to_bytes(4, "little") + b"PAR1")
    with pytest.raises(PlanError, match=r"its footer gives.*table\.readable") as caught:
        roboreel.plan_convert(source, to="v3.0", out=tmp_path / "out")
    assert len(caught.value.problems) == 1


def test_every_truncation_of_a_table_is_refused(source: Path, tmp_path: Path) -> None:
    path = episode_table(source, 0)
    data = path.read_bytes()
    for length in [*range(40), *range(40, len(data) - 1, 61), *range(len(data) - 20, len(data))]:
        path.write_bytes(data[:length])
        with pytest.raises(PlanError, match=r"table\.readable"):
            roboreel.plan_convert(source, to="v3.0", out=tmp_path / "out")


@pytest.mark.parametrize("claimed", [0, 1, 9, 1 << 16, 0x7FFFFFFF, 0xFFFFFFFF])
def test_footer_length_is_not_believed(source: Path, tmp_path: Path, claimed: int) -> None:
    path = episode_table(source, 0)
    data = path.read_bytes()
    path.write_bytes(data[:-8] + claimed.to_bytes(4, "little") + data[-4:])
    with pytest.raises(PlanError, match=r"table\.readable"):
        roboreel.plan_convert(source, to="v3.0", out=tmp_path / "out")


# --- what is not to be run, nor believed


@pytest.mark.sample(6)
@pytest.mark.parametrize("key", [b"huggingface", b"pandas", b"ARROW:schema", b"python"])
@pytest.mark.parametrize(
    "payload",
    [pickle.dumps(Exploding()), b"[" * 100_000, b"\xff", b'{"index_columns": ["../x"]}', b"", b"{}"],
)  # fmt: skip
def test_marks_of_a_schema_are_neither_run_nor_kept(
    source: Path, source_v3: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    key: bytes, payload: bytes,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    for path in (episode_table(source, 0), *source_v3.rglob("*.parquet")):
        marked = pq.ParquetFile(path).read().replace_schema_metadata({key: payload})
        pq.write_table(marked, path, store_schema=False)
    for root, target in ((source, "v3.0"), (source_v3, "v2.1")):
        out = tmp_path / f"out-{root.name}"
        assert roboreel.convert(root, to=target, out=out).frames == 5
        (written, *_) = out.glob("data/*/*.parquet")
        described = json.loads(pq.read_schema(written).metadata[b"huggingface"])
        assert "observation.state" in described["info"]["features"]
    assert not (tmp_path / "unpickled").exists()


def test_pickled_values_are_copied_and_not_run(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    payload = pickle.dumps(Exploding())
    for episode, rows in ((0, 3), (1, 2)):
        set_column(episode_table(source, episode), "object", pa.array([payload] * rows))
    roboreel.convert(source, to="v3.0", out=tmp_path / "out")
    written = pq.ParquetFile(tmp_path / "out/data/chunk-000/file-000.parquet").read()
    assert written["object"].to_pylist() == [payload] * 5
    assert not (tmp_path / "unpickled").exists()


@pytest.mark.parametrize("name", [b"arrow.py_extension_type", b"evil", b"arrow.fixed_shape_tensor"])
def test_extension_types_of_files_run_nothing(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: bytes
) -> None:
    monkeypatch.chdir(tmp_path)
    marks = {b"ARROW:extension:name": name, b"ARROW:extension:metadata": pickle.dumps(Exploding())}

    def change(table: pa.Table) -> pa.Table:
        place = table.column_names.index("next.reward")
        return table.cast(table.schema.set(place, table.schema.field(place).with_metadata(marks)))

    for episode in (0, 1):
        edit_table(episode_table(source, episode), change)
    try:
        roboreel.convert(source, to="v3.0", out=tmp_path / "out")
    except RoboreelError as error:
        assert "episode" in str(error)  # noqa: PT017
    assert not (tmp_path / "unpickled").exists()


def test_paths_in_picture_columns_are_not_opened(source: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"nobody's business")
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    for episode, rows in ((0, 3), (1, 2)):
        named = pa.array([{"bytes": None, "path": str(tmp_path / "secret")}] * rows, kind)
        set_column(episode_table(source, episode), "observation.images.x", named)
    with pytest.raises(RoboreelError, match="paths to files: store them in the table"):
        roboreel.convert(source, to="v3.0", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


# --- kinds


def deep(depth: int) -> pa.DataType:
    kind = pa.int64()
    for _ in range(depth):
        kind = pa.struct([("a", kind)])
    return kind


ODD: dict[str, Callable[[int], pa.Array]] = {
    "structs": lambda n: pa.nulls(n, deep(60)),
    "deep structs": lambda n: pa.nulls(n, deep(300)),
    "durations": lambda n: pa.array(range(1, n + 1), pa.duration("ns")),
    "far years": lambda n: pa.array([1 << 60] * n, pa.timestamp("us")),
    "no such zone": lambda n: pa.array([1] * n, pa.timestamp("s", tz="Nowhere/Land")),
    "bytes": lambda n: pa.array([b"\xff\0"] * n),
    "maps": lambda n: pa.array([[("a", 1)]] * n, pa.map_(pa.string(), pa.int64())),
    "decimals": lambda n: pa.array(range(n), pa.decimal128(20, 3)),
    "dictionaries": lambda n: pa.array([str(k) for k in range(n)]).dictionary_encode(),
    "nothing": pa.nulls,
    "no lists": lambda n: pa.array([[]] * n, pa.list_(pa.int64())),
    "lists of none": lambda n: pa.array([[]] * n, pa.list_(pa.int64(), 0)),
    "nan": lambda n: pa.array([float("nan")] * n),
    "infinity": lambda n: pa.array([float("inf")] * n),
    "largest": lambda n: pa.array([(1 << 64) - 1] * n, pa.uint64()),
    "least": lambda n: pa.array([-(1 << 63)] * n, pa.int64()),
    "texts": lambda n: pa.array(["../../x"] * n),
}


@pytest.mark.sample(9)
@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize(
    "column", ["timestamp", "frame_index", "episode_index", "task_index", "action", "new\n\x1b[31m"]
)
def test_any_kind_in_any_column_is_taken_or_refused(
    source: Path, source_v3: Path, tmp_path: Path, column: str, kind: str
) -> None:
    for path, rows in ((episode_table(source, 0), 3), (episode_table(source, 1), 2)):
        set_column(path, column, ODD[kind](rows))
    set_column(source_v3 / "data/chunk-000/file-000.parquet", column, ODD[kind](5))
    for root, target in ((source, "v3.0"), (source_v3, "v2.1")):
        out = tmp_path / f"out-{root.name}"
        try:
            report = roboreel.convert(root, to=target, out=out)
        except RoboreelError as error:
            assert 20 < len(str(error)) < 5000  # noqa: PT017
            assert not out.exists()
        else:
            assert report.frames == roboreel.open(out).total_frames == 5


@pytest.mark.sample(9)
@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize(
    "column",
    ["episode_index", "length", "tasks", "data/chunk_index", "data/file_index", "dataset_from_index",
     "stats/action/mean", "stats/action/count", "mine"],
)  # fmt: skip
def test_any_kind_in_the_table_of_episodes_is_taken_or_refused(
    source_v3: Path, tmp_path: Path, column: str, kind: str
) -> None:
    set_column(source_v3 / "meta/episodes/chunk-000/file-000.parquet", column, ODD[kind](2))
    for target in ("v2.0", "v2.1"):
        out = tmp_path / f"out-{target}"
        try:
            report = roboreel.convert(source_v3, to=target, out=out)
        except RoboreelError as error:
            assert 20 < len(str(error)) < 5000  # noqa: PT017
        else:
            assert report.frames == roboreel.open(out).total_frames


@pytest.mark.sample(10)
@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("column", ["task_index", "task", "__index_level_0__"])
def test_any_kind_in_the_task_table_is_taken_or_refused(
    source_v3: Path, column: str, kind: str
) -> None:
    path = source_v3 / "meta/tasks.parquet"
    set_column(path, column, ODD[kind](len(read_table(LocalRoot(source_v3), "meta/tasks.parquet"))))
    try:
        roboreel.open(source_v3)
    except DatasetError as error:
        assert 20 < len(str(error)) < 5000  # noqa: PT017
    except StorageError as error:
        assert "tasks.parquet" in str(error)  # noqa: PT017


def test_text_that_is_no_utf8_is_refused(source_v3: Path) -> None:
    path = source_v3 / "meta/tasks.parquet"
    table = pq.ParquetFile(path).read()
    name = next(f.name for f in table.schema if pa.types.is_string(f.type))
    strings = pa.array([b"\xff\xfe"] * len(table)).view(pa.string())
    set_column(path, name, strings)
    with pytest.raises(StorageError, match=r"tasks\.parquet.*UTF8"):
        roboreel.open(source_v3)


# --- amplification


def test_rows_are_not_multiplied_by_documents(source_v3: Path, tmp_path: Path) -> None:
    """[`table.episode-rows`]"""
    table = source_v3 / "data/chunk-000/file-000.parquet"
    edit_table(table, lambda rows: rows.drop_columns(["episode_index"]))

    def change(episodes: pa.Table) -> pa.Table:
        zeros = pa.array([0] * len(episodes), pa.int64())
        place = episodes.column_names.index("dataset_from_index")
        return episodes.set_column(place, "dataset_from_index", zeros)

    edit_table(source_v3 / "meta/episodes/chunk-000/file-000.parquet", change)
    with pytest.raises(PlanError, match=r"same rows to another episode.*table\.episode-rows"):
        roboreel.plan_convert(source_v3, to="v2.1", out=tmp_path / "out")


@pytest.mark.slow
def test_many_columns_are_read_in_time(tmp_path: Path) -> None:
    wide: dict[str, Any] = {f"c{number}": [0] for number in range(20_000)}
    pq.write_table(pa.table(wide), tmp_path / "a.parquet")
    with TableFile(LocalRoot(tmp_path), "a.parquet") as file:
        assert len(file.footer.schema.names) == 20_000
