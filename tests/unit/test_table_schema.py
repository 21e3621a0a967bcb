"""The schema of tables is the one that the reference writes, and that a plan writes again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import roboreel
from roboreel.errors import UsageError
from roboreel.format.feature import INDEX_DTYPES, Feature
from roboreel.format.parse import Problems
from roboreel.format.table_schema import (
    INDEX_TYPES,
    column_type,
    fields_for_version,
    schema_of,
    table_schema,
)
from roboreel.format.version import VERSIONS, FormatVersion
from roboreel.testing import Camera, Version, make_dataset

CAMERAS = {"front": Camera(height=32), "still": Camera(height=32, storage="image")}


def feature(name: str, dtype: str, *shape: int) -> Feature:
    return Feature(name=name, dtype=dtype, shape=shape, spec={"dtype": dtype, "shape": [*shape]})


def described(schema: pa.Schema) -> object:
    """What `datasets` is told, in the older of its two words for vectors, which all releases know."""
    text = schema.metadata[b"huggingface"].replace(b'"List"', b'"Sequence"')
    return json.loads(text)["info"]["features"]


@pytest.mark.parametrize("version", get_args(Version))
def test_a_new_table_has_the_columns_of_a_recorded_one(tmp_path: Path, version: Version) -> None:
    path = make_dataset(tmp_path / "set", version=version, episodes=(3,), cameras=CAMERAS)
    stored = pq.read_schema(next(path.glob("data/*/*.parquet")))
    made = schema_of(roboreel.open(path).features)
    assert made.names == stored.names
    assert made.types == stored.types
    assert described(made) == described(stored)
    assert set(INDEX_TYPES) == set(INDEX_DTYPES)
    assert all(made.field(name).type == type_ for name, type_ in INDEX_TYPES.items())


@pytest.mark.parametrize("version", VERSIONS)
def test_a_plan_writes_the_schema_of_a_new_table(tmp_path: Path, version: FormatVersion) -> None:
    path = make_dataset(tmp_path / "set", version="v2.1", episodes=(3,), cameras=CAMERAS)
    plan = roboreel.plan_convert(path, to=version, out=tmp_path / "out")
    made = schema_of(plan.model.info.features)
    written = pa.ipc.read_schema(pa.py_buffer(plan.table.schema_ipc))
    assert written.types == made.types
    assert described(written) == described(made)


@pytest.mark.parametrize(
    ("declared", "type_"),
    [
        (feature("x", "float32", 1), pa.float32()),
        (feature("x", "bool", 1), pa.bool_()),
        (feature("x", "string", 1), pa.string()),
        (feature("x", "float16", 6), pa.list_(pa.float16(), 6)),
        (feature("x", "int64", 2, 3), pa.list_(pa.list_(pa.int64()))),
        (feature("x", "image", 4, 4, 3), pa.struct({"bytes": pa.binary(), "path": pa.string()})),
    ],
)
def test_types_of_columns(declared: Feature, type_: pa.DataType) -> None:
    assert column_type(declared) == type_


def test_videos_have_no_column_and_unknown_types_are_refused() -> None:
    video = feature("front", "video", 4, 4, 3)
    assert schema_of({"front": video}).names == []
    with pytest.raises(UsageError, match="feature 'words': dtype is 'language'"):
        schema_of({"words": feature("words", "language", 1)})


def test_other_metadata_is_kept() -> None:
    schema = table_schema([pa.field("x", pa.int8())], {}, {b"mine": b"1", b"huggingface": b"old"})
    assert schema.metadata[b"mine"] == b"1"
    assert described(schema) == {"x": {"dtype": "int8", "_type": "Value"}}


@pytest.mark.parametrize("list_", [pa.list_(pa.float32()), pa.list_(pa.float32(), 1)], ids=str)
@pytest.mark.parametrize("back_to", [FormatVersion.V20, FormatVersion.V21])
def test_lists_of_one_come_back(list_: pa.DataType, back_to: FormatVersion) -> None:
    features, problems = {"x": feature("x", "float32", 1)}, Problems()
    fields, noted = fields_for_version(
        [pa.field("x", list_)], features, {b"mine": b"1"}, FormatVersion.V30, problems=problems
    )
    assert fields == [pa.field("x", pa.float32())]
    assert [problem.rule for problem in problems.found] == ["table.list-of-one"]
    again, kept = fields_for_version(fields, features, noted, FormatVersion.V30, problems=problems)
    assert (again, kept) == (fields, noted)
    lists, left = fields_for_version(fields, features, noted, back_to, problems=problems)
    assert [item.type for item in lists] == [list_]
    assert left == {b"mine": b"1"}
    assert len(problems.found) == 1


def test_damaged_notes_count_for_nothing() -> None:
    fields, features = [pa.field("x", pa.float32())], {"x": feature("x", "float32", 1)}
    for note in (b"{", b"[]", b'{"y": "list"}'):
        metadata = {b"roboreel.lists_of_one": note}
        found, left = fields_for_version(
            fields, features, metadata, FormatVersion.V21, problems=Problems()
        )
        assert (found, left) == (fields, {})
