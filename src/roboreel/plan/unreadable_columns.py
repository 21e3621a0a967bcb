"""Columns that lerobot cannot read: reported, or left out where that is asked for."""

from __future__ import annotations

from dataclasses import replace

from roboreel.edit.view_data import LeftOut
from roboreel.format.feature import feature_from_arrow, is_feature_name
from roboreel.format.inventory import Inventory
from roboreel.format.parse import Problems
from roboreel.format.readable import why_unreadable
from roboreel.plan.compile_tables import Columns
from roboreel.plan.merge_sources import MergedSources


def unreadable_columns(
    view: MergedSources, inventory: Inventory, columns: Columns
) -> dict[str, str]:
    """Why lerobot cannot read them, by column that the result would have."""
    declared = view.model.info.features
    found = {}
    for name, item in columns.types.items():
        feature = declared.get(name)
        if not is_feature_name(name) or (feature is not None and feature.is_video):
            continue
        shape = inventory.shapes.get(name, ())
        reason = why_unreadable(feature or feature_from_arrow(name, item.type, shape), item.type)
        if reason is not None:
            found[name] = reason
    return found


def without_unreadable(
    view: MergedSources, inventory: Inventory, columns: Columns, problems: Problems
) -> tuple[MergedSources, Columns, list[LeftOut]]:
    """View and columns without those that lerobot cannot read, where that is asked for, and which these are.

    Where it is not asked for, they stay, and it is reported.
    """
    found = unreadable_columns(view, inventory, columns)
    if not view.view.options.drop_unreadable:
        for name, reason in found.items():
            action = "kept; --drop-unreadable leaves it out"
            problems.add("feature.unreadable", reason, column=name, action=action)
        return view, columns, []
    if not found:
        return view, columns, []
    info = view.model.info
    features = {name: one for name, one in info.features.items() if name not in found}
    model = replace(view.model, info=replace(info, features=features))
    types = {name: item for name, item in columns.types.items() if name not in found}
    essential = {
        name for name in found if name in info.features and info.features[name].is_essential
    }
    lacking = [
        LeftOut(name=name, why=reason, is_asked=False, is_essential=name in essential)
        for name, reason in found.items()
    ]
    return replace(view, model=model), replace(columns, types=types), lacking
