"""Add and remove features of a dataset."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeAlias

from roboreel.format.feature import INDEX_DTYPES
from roboreel.torch.errors import ArgumentError
from roboreel.torch.tools.edited_dataset import (
    D,
    argument_errors,
    folder_of,
    modified_name,
    view_of,
    written,
)
from roboreel.types import JsonObject

_Path: TypeAlias = str | os.PathLike[str]
NewFeature: TypeAlias = tuple[Any, JsonObject]
"""The values, and what `info.json` says of them: an array or tensor with a value for each frame, or a
function of (row, episode index, frame index) that gives the value of one."""


def modify_features(
    dataset: D,
    add_features: Mapping[str, NewFeature] | None = None,
    remove_features: str | list[str] | None = None,
    output_dir: _Path | None = None,
    repo_id: str | None = None,
) -> D:
    """Write a dataset with features added and removed, in one pass. Videos are copied.

    Args:
        dataset: the dataset.
        add_features: the new features by name: see `NewFeature`. Videos and images cannot be added.
        remove_features: names of features to leave out.
        output_dir: the folder to make; by default `repo_id` below `HF_LEROBOT_HOME`.
        repo_id: the result's name; by default `{repo}_modified`.

    Raises:
        ArgumentError: nothing is to be done, a name is taken, unknown or one of the index columns, or values
            do not fit the frames or what is declared.
        ExistsError: the folder exists.
    """
    removed = [remove_features] if isinstance(remove_features, str) else list(remove_features or [])
    if not add_features and not removed:
        raise ArgumentError("Must specify at least one of add_features or remove_features")
    view = view_of(dataset)
    known = view.model.info.features
    for name, new in (add_features or {}).items():
        if name in known:
            raise ArgumentError(f"Feature '{name}' already exists in dataset")
        _require_declared(name, new)
    _require_removable(removed, known)
    repo_id = repo_id or modified_name(dataset)
    folder = folder_of(repo_id, output_dir)  # before a function is called for each frame
    with argument_errors():
        for name, (values, info) in (add_features or {}).items():
            view = view.add(
                name,
                _values(values),
                dtype=info["dtype"],
                shape=info["shape"],
                names=info.get("names"),
            )
        if removed:
            view = view.remove(*removed)
        return written(view, dataset, repo_id, folder)


def add_features(
    dataset: D,
    features: Mapping[str, NewFeature],
    output_dir: _Path | None = None,
    repo_id: str | None = None,
) -> D:
    """Write a dataset with more features: see `modify_features`.

    Raises:
        ArgumentError: no features are given, or one cannot be added.
        ExistsError: the folder exists.
    """
    if not features:
        raise ArgumentError("No features provided: pass at least one feature")
    return modify_features(dataset, add_features=features, output_dir=output_dir, repo_id=repo_id)


def remove_feature(
    dataset: D,
    feature_names: str | list[str],
    output_dir: _Path | None = None,
    repo_id: str | None = None,
) -> D:
    """Write a dataset with fewer features: see `modify_features`.

    Raises:
        ArgumentError: a feature does not exist, or is one of the index columns.
        ExistsError: the folder exists.
    """
    return modify_features(
        dataset, remove_features=feature_names, output_dir=output_dir, repo_id=repo_id
    )


def _require_declared(name: str, new: NewFeature) -> None:
    pair: Any = new
    if not isinstance(pair, Sequence) or len(pair) != 2 or not isinstance(pair[1], Mapping):
        raise ArgumentError(
            f"'{name}': expected a pair of values and feature_info, a dict with dtype and shape"
        )
    missing = [key for key in ("dtype", "shape") if key not in new[1]]
    if missing:
        raise ArgumentError(
            f"feature_info of '{name}' needs the keys dtype and shape: {missing} missing"
        )
    if new[1]["dtype"] in ("video", "image"):
        raise ArgumentError(
            f"'{name}' has dtype {new[1]['dtype']}: only numbers, booleans and strings can be added here."
            " To add a camera, use roboreel.add_video"
        )


def _require_removable(names: Sequence[str], known: Collection[str]) -> None:
    for name in names:
        if name not in known:
            raise ArgumentError(
                f"Feature '{name}' not found in dataset: expected one of {', '.join(known)}"
            )
    required = sorted(set(names) & set(INDEX_DTYPES))
    if required:
        raise ArgumentError(f"Cannot remove required features: {required}")


def _values(values: Any) -> Any:
    """Values as NumPy; a function that gives such."""
    if not callable(values):
        return _as_array(values)
    function: Callable[..., Any] = values
    return lambda row, episode, frame: _as_array(function(row, episode, frame))


def _as_array(values: Any) -> Any:
    tensor = hasattr(values, "detach")  # not by its class: this module loads no torch
    return values.detach().cpu().numpy() if tensor else values
