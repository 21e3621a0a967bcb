"""`roboreel info` of a view file, and where episodes come from."""

from __future__ import annotations

from fractions import Fraction

from roboreel.cli.text.feature_words import describe_features, feature_row
from roboreel.cli.text.output import heading, say, table
from roboreel.edit.features import features_of
from roboreel.edit.tasks import tasks_of
from roboreel.edit.view import View
from roboreel.errors import counted
from roboreel.format.model import EPISODE
from roboreel.format.origin_columns import (
    SOURCE_DATASET,
    SOURCE_EPISODE,
    SOURCE_START,
    SOURCE_STOP,
    UID,
)
from roboreel.types import Json

_SHOWN_TASKS = 10


def describe_view(view: View, path: str) -> dict[str, Json]:
    """What a view holds, as a JSON object."""
    rate = _rate(view)
    return {
        "path": path,
        "version": view.version.value,
        "sources": _sources(view),
        "fps_exact": f"{rate.numerator}/{rate.denominator}",
        "episodes": len(view.slices),
        "frames": int(view.lengths.sum()),
        "features": describe_features(features_of(view)),
        "tasks": _tasks(view),
    }


def show_view(view: View, path: str) -> None:
    """Print what a view holds: its datasets, features, counts and tasks."""
    frames, tasks = int(view.lengths.sum()), _tasks(view)
    read = counted(frames, "frame") + ("" if view.new_fps is None else " before resampling")
    heading(path)
    table(
        [
            ("view of", ", ".join(_sources(view))),
            ("episodes", f"{len(view.slices):,}: {read} at {float(_rate(view)):g} fps"),
        ]
    )
    say()
    heading("features")
    table([feature_row(feature) for feature in features_of(view).values()])
    say()
    heading("tasks")
    for text in tasks[:_SHOWN_TASKS]:
        say(f"  {text}")
    if len(tasks) > _SHOWN_TASKS:
        say(f"  … and {len(tasks) - _SHOWN_TASKS} more")


def _rate(view: View) -> Fraction:
    return view.new_fps or view.model.info.fps


def _sources(view: View) -> list[str]:
    return list(dict.fromkeys(source.dataset.url for source in view.sources))


def _tasks(view: View) -> list[str]:
    return list(dict.fromkeys(text for own in tasks_of(view) for text in own))


def describe_lineage(view: View) -> dict[str, Json]:
    """Where each episode comes from, as a JSON object."""
    return {"episodes": view.lineage().to_pylist()}


def show_lineage(view: View) -> None:
    """Print a line per episode: its number, its uid, and the dataset, episode and rows it comes from."""
    table(
        [
            (
                str(row[EPISODE]),
                row[UID],
                row[SOURCE_DATASET],
                f"episode {row[SOURCE_EPISODE]}",
                f"{row[SOURCE_START]}:{row[SOURCE_STOP]}",
            )
            for row in describe_lineage(view)["episodes"]
        ]
    )
