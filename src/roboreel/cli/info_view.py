"""`roboreel info` of a view file, and where episodes come from."""

from __future__ import annotations

from roboreel.cli.feature_words import describe_features, feature_row
from roboreel.cli.output import count, emit_json, say, table
from roboreel.edit.features import features_of
from roboreel.edit.tasks import tasks_of
from roboreel.edit.view import View
from roboreel.format.model import EPISODE
from roboreel.format.origin_columns import (
    SOURCE_DATASET,
    SOURCE_EPISODE,
    SOURCE_START,
    SOURCE_STOP,
    UID,
)

_SHOWN_TASKS = 10


def show_view(view: View, path: str, *, as_json: bool) -> None:
    """Print what a view holds: its datasets, features, counts and tasks."""
    rate = view.new_fps or view.model.info.fps
    sources = list(dict.fromkeys(source.dataset.url for source in view.sources))
    tasks = list(dict.fromkeys(text for own in tasks_of(view) for text in own))
    features = features_of(view)
    episodes, frames = len(view.slices), int(view.lengths.sum())
    if as_json:
        emit_json(
            {
                "path": path,
                "version": view.version.value,
                "sources": sources,
                "fps_exact": f"{rate.numerator}/{rate.denominator}",
                "episodes": episodes,
                "frames": frames,
                "features": describe_features(features),
                "tasks": tasks,
            }
        )
        return
    read = f"{count(frames, 'frame')}" + ("" if view.new_fps is None else " before resampling")
    say(f"view file, {count(episodes, 'episode')}, {read} at {float(rate):g} fps")
    say(f"{path}: edits of {', '.join(sources)}")
    say()
    say("features")
    table([feature_row(feature) for feature in features.values()])
    say()
    say("tasks")
    for text in tasks[:_SHOWN_TASKS]:
        say(f"  {text}")
    if len(tasks) > _SHOWN_TASKS:
        say(f"  … and {len(tasks) - _SHOWN_TASKS} more")


def show_lineage(view: View, *, as_json: bool) -> None:
    """Print a line per episode: its number, its uid, and the dataset, episode and rows it comes from."""
    rows = view.lineage().to_pylist()
    if as_json:
        emit_json({"episodes": rows})
        return
    table(
        [
            (
                str(row[EPISODE]),
                row[UID],
                row[SOURCE_DATASET],
                f"episode {row[SOURCE_EPISODE]}",
                f"{row[SOURCE_START]}:{row[SOURCE_STOP]}",
            )
            for row in rows
        ]
    )
