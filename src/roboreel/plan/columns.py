"""The columns of a result with one type each, and the features that declare them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from roboreel.errors import PlanError
from roboreel.format.declared import compare_names, joined_type
from roboreel.format.feature import INDEX_DTYPES, Feature, feature_from_arrow, is_feature_name
from roboreel.format.inventory import Inventory
from roboreel.format.model import DATA_PATH
from roboreel.format.parse import Problems
from roboreel.format.table_schema import INDEX_TYPES
from roboreel.plan.merge_sources import MergedSources


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of all tables, one type each."""

    types: Mapping[str, pa.Field]
    schema_metadata: Mapping[bytes, bytes]
    widened: frozenset[str]
    """Columns with a wider type than in some of the tables."""


def columns_of(merged: MergedSources, inventory: Inventory, problems: Problems) -> Columns:
    """The columns of all tables; types that differ between files are widened.

    Raises:
        PlanError: no single type can hold the values of a column.
    """
    schemas = _schemas(merged, inventory)
    types: dict[str, pa.Field] = {}
    widened: set[str] = set()
    for schema in schemas:
        for item in schema:
            known = types.get(item.name)
            types[item.name] = _common(known, item, problems)
            if known is not None and not known.type.equals(types[item.name].type):
                widened.add(item.name)
    for name in types:
        every = [schema.field(name) for schema in schemas if name in schema.names]
        if len(every) < len(schemas) or any(item.nullable for item in every):
            types[name] = types[name].with_nullable(True)
        without = sum(name not in schema.names for schema in schemas)
        if without and name not in INDEX_DTYPES:
            message = "some tables do not have this column"
            problems.add("table.columns", message, column=name, action="empty there")
    # these describe the input's columns; `table_schema` describes the result's for `datasets`
    dropped = (b"huggingface", b"pandas", b"ARROW:schema")
    first = schemas[0].metadata or {}
    return Columns(
        types,
        {key: value for key, value in first.items() if key not in dropped},
        frozenset(widened),
    )


def features_of(
    merged: MergedSources, inventory: Inventory, columns: Columns, problems: Problems
) -> dict[str, Feature]:
    """The result's features: the declared ones that files hold, undeclared columns, missing index columns."""
    declared = merged.model.info.features
    compare_names(declared, columns.types, inventory, problems)
    features = {
        name: feature
        for name, feature in declared.items()
        if (name in inventory.cameras if feature.is_video else name in columns.types)
        or (name in INDEX_DTYPES and not feature.is_video)
    }
    for name, item in columns.types.items():
        if name not in features and is_feature_name(name):
            features[name] = feature_from_arrow(name, item.type, inventory.shapes.get(name, ()))
    for name in INDEX_DTYPES:
        if name not in features:
            features[name] = feature_from_arrow(name, INDEX_TYPES[name], ())
    return features


def _schemas(merged: MergedSources, inventory: Inventory) -> list[pa.Schema]:
    paths = merged.model.episodes[DATA_PATH].to_pylist()
    used = dict.fromkeys(paths[row] for row in merged.rows.tolist())
    distinct: list[pa.Schema] = []
    for path in used:
        schema = inventory.schemas[path]
        if not any(schema.equals(other) for other in distinct):
            distinct.append(schema)
    return distinct


def _common(known: pa.Field | None, item: pa.Field, problems: Problems) -> pa.Field:
    if known is None or known.type.equals(item.type):
        return known if known is not None else item
    joined, problem = joined_type(known, item)
    if joined is None:
        raise PlanError("the tables have different columns", [problem] if problem else [])
    problems.found += [problem] if problem else []
    return pa.field(item.name, joined, metadata=known.metadata)
