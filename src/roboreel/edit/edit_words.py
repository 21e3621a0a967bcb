"""What a view does to its datasets, in words: `delete 3 of 20 episodes, trim 2 episodes`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import numpy as np

from roboreel.edit.recipe import JoinedParts, Recipe, Step
from roboreel.edit.view_data import ViewData
from roboreel.errors import counted
from roboreel.format.model import LENGTH
from roboreel.summary.summary import named

_SHOWN = 4


def edits_of(view: ViewData) -> list[str]:
    """What was done, in order; empty for a whole dataset as it is."""
    if view.recipe is None:
        return _outcome(view) if view.edited else []
    return _of_recipe(view.recipe)[0]


def view_id(view: ViewData) -> str:
    """Eight hexadecimal digits that differ between views that do different things."""
    digest = blake2b(digest_size=4)
    if view.recipe is not None:
        _add_recipe(digest, view.recipe)
    else:
        slices = view.slices
        for array in (slices.source, slices.row, slices.start, slices.stop):
            digest.update(np.ascontiguousarray(array).tobytes())
        told = [
            view.name,
            view.version.value,
            slices.retasked,
            sorted(view.encodings),
            view.folders,
        ]
        told += [[*source.model.info.features] for source in view.sources]
        digest.update(repr((told, view.new_fps, view.splits)).encode())
    return digest.hexdigest()


def _of_recipe(recipe: Recipe) -> tuple[list[str], int]:
    """What was done, and how many episodes there are then."""
    if isinstance(recipe.start, JoinedParts):
        parts = [_of_recipe(part) for part in recipe.start.parts]
        episodes = sum(own for _, own in parts)
        edits = [
            f"merge {len(parts)} views ({' + '.join(f'{own:,}' for _, own in parts)} episodes)"
        ]
    else:
        episodes, edits = len(recipe.start.model.episodes), []
    for step in recipe.steps:
        text, episodes = _step(step, episodes)
        edits += [text] if text else []
    return edits, episodes


def _step(step: Step, episodes: int) -> tuple[str, int]:
    """A verb in words, and how many episodes there are then."""
    given: Mapping[str, Any] = step.given  # plain JSON and arrays, as the verb noted them
    chosen = len(given.get("positions", ()))
    of = f"{chosen:,} of {counted(episodes, 'episode')}"
    match step.verb:
        case "delete":
            return (f"delete {of} ({_numbers(given)})" if chosen else ""), episodes - chosen
        case "keep":
            part = f" (part '{given['part']}')" if given.get("part") else ""
            return f"keep {of}{part}", chosen
        case "trim":
            return (f"trim {of} ({_numbers(given)})" if chosen else ""), episodes
        case "reorder" | "shuffle":
            seed = f" (seed {given['seed']})" if "seed" in given else ""
            return f"{step.verb} {counted(episodes, 'episode')}{seed}", episodes
        case "rename":
            names = [f"{old} → {new}" for old, new in given["names"].items()]
            return f"rename {named(names, shown=_SHOWN)}", episodes
        case "remove":
            return f"remove {named(given['names'], shown=_SHOWN)}", episodes
        case "add":
            return f"add {given['feature']}", episodes
        case "tasks":
            return "change tasks", episodes
        case "resample":
            return f"change the frame rate to {given['fps']} fps", episodes
        case "encode" | "decode":
            cameras = named(given["cameras"], shown=_SHOWN)
            into = (
                f"re-encode {cameras}" if step.verb == "encode" else f"turn {cameras} into images"
            )
            return into, episodes
        case "recompute":
            return "recompute statistics", episodes
        case "splits":
            return f"name splits {named([one['name'] for one in given['parts']])}", episodes
        case "target":
            return (f"write as {given['to']}" if given.get("to") else ""), episodes
    return step.verb, episodes


def _numbers(given: Mapping[str, Any]) -> str:
    """Positions of episodes, counted from 0 in the view before."""
    return named(np.asarray(given["positions"]).tolist(), shown=2 * _SHOWN)


def _outcome(view: ViewData) -> list[str]:
    """What a view is, where the verbs that made it are not known."""
    before = sum(len(source.model.episodes) for source in view.sources)
    whole = sum(int(source.model.episodes[LENGTH].to_numpy().sum()) for source in view.sources)
    cameras = [name for source in view.sources for name in source.external_videos]
    edits = [f"take {len(view.slices):,} of {counted(before, 'episode')}"]
    frames = int(view.lengths.sum())
    if frames != whole:
        edits.append(f"{frames:,} of {counted(whole, 'frame')}")
    if cameras:
        edits.append(f"add camera {named(dict.fromkeys(cameras))}")
    return edits


def _add_recipe(digest: Any, recipe: Recipe) -> None:  # an object of hashlib has no public type
    if isinstance(recipe.start, JoinedParts):
        for part in recipe.start.parts:
            _add_recipe(digest, part)
        digest.update(_bytes(recipe.start.given))
    else:
        digest.update(recipe.start.url.encode(errors="surrogateescape"))
    for step in recipe.steps:
        digest.update(step.verb.encode())
        digest.update(_bytes(step.given))
        for name, column in step.values.items():
            digest.update(name.encode())
            for chunk in column.chunks:
                for buffer in chunk.buffers():
                    digest.update(b"" if buffer is None else buffer)


def _bytes(given: Mapping[str, Any]) -> bytes:
    return json.dumps(given, sort_keys=True, default=_plain).encode()


def _plain(value: object) -> object:
    return value.tolist() if isinstance(value, np.ndarray) else repr(value)
