"""Rules about what `info.json` declares and the tables hold."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from roboreel.dataset.dataset import Dataset
from roboreel.format.declared import (
    compare_names,
    fits,
    is_single_list,
    joined_type,
    lacking_columns,
)
from roboreel.format.feature import (
    Feature,
    dtype_of,
    feature_from_arrow,
    holds_images,
    is_image,
)
from roboreel.format.inventory import Inventory
from roboreel.format.parse import Problems
from roboreel.format.readable import why_unreadable


def check_columns(dataset: Dataset, inventory: Inventory, problems: Problems) -> None:
    """Names and types of all columns against the declared features."""
    if not inventory.schemas:
        return
    columns = _joined(inventory, problems)
    compare_names(dataset.features, columns, inventory, problems)
    every = np.arange(len(dataset.episodes)).tolist()
    for found in lacking_columns(dataset.model, inventory.schemas, every).values():
        problems.found += found
    for name, item in columns.items():
        feature = dataset.features.get(name)
        if feature is not None and not feature.is_video:
            _check_type(feature, item.type, problems)
        _check_readable(feature, item, inventory, problems)


def _check_readable(
    feature: Feature | None, item: pa.Field, inventory: Inventory, problems: Problems
) -> None:
    """Report a column that keeps lerobot from reading any row."""
    if feature is not None and feature.is_video:
        return
    name, type_ = item.name, item.type
    made = feature or feature_from_arrow(name, type_, inventory.shapes.get(name, ()))
    reason = why_unreadable(made, type_)
    if reason is not None:
        action = "drop_unreadable=True leaves it out of a conversion"
        problems.add("feature.unreadable", reason, column=name, action=action)


def _joined(inventory: Inventory, problems: Problems) -> dict[str, pa.Field]:
    """Each column with a type that fits its values in all tables, or else its first type."""
    columns: dict[str, pa.Field] = {}
    reported: set[tuple[str, str]] = set()
    # by identity: pyarrow 17 cannot hash a schema with metadata
    for schema in {id(schema): schema for schema in inventory.schemas.values()}.values():
        for item in schema:
            known = columns.setdefault(item.name, item)
            joined, problem = joined_type(known, item)
            if problem is not None and (item.name, problem.message) not in reported:
                reported.add((item.name, problem.message))
                problems.found.append(problem)
            columns[item.name] = item.with_type(joined) if joined is not None else known
    return columns


def _check_type(feature: Feature, type_: pa.DataType, problems: Problems) -> None:
    if not fits(feature, type_):
        message = f"it is declared as {feature.dtype}, but the tables store {type_}"
        problems.error("feature.type", message, column=feature.name)
    elif feature.is_numeric and dtype_of(type_) not in (feature.dtype, "null"):
        message = f"it is declared as {feature.dtype}, but the tables store {dtype_of(type_)}"
        problems.add("feature.dtype", message, column=feature.name)
    if feature.dtype == "image" and not is_image(type_) and holds_images(type_):
        message = f"images are stored as {type_} instead of structs of bytes and a path"
        problems.add("table.plain-images", message, column=feature.name, severity="note")
    if is_single_list(feature, type_):
        message = (
            "each value is stored as a list of one number, which v3.0 readers refuse for shape (1,)"
        )
        problems.add("table.list-of-one", message, column=feature.name)
