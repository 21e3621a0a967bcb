"""`roboreel delete`, `keep`, `reorder`, `shuffle`: which episodes, in which order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from roboreel.cli.shared.choosing import (
    EpisodesOption,
    MaxFramesOption,
    MinFramesOption,
    TaskOption,
    TasksFromOption,
    UidOption,
    episodes_in,
    show_episodes,
    uids_in,
)
from roboreel.cli.shared.shared_options import SourceArgument
from roboreel.cli.shared.writing import Writing, only_prints, writes
from roboreel.edit.tasks import TasksFrom
from roboreel.edit.view import Verbs, View


@writes
def delete(
    options: Writing,
    source: SourceArgument,
    episodes: EpisodesOption = None,
    uid: UidOption = None,
    task: TaskOption = None,
    min_frames: MinFramesOption = None,
    max_frames: MaxFramesOption = None,
    tasks_from: TasksFromOption = None,
) -> None:
    """Delete the episodes that meet every condition given; the others are renumbered.

    Without a condition, lists the episodes.

    Examples:
        roboreel delete my_dataset --episodes 3,11,20:26 -o cleaned
        roboreel delete my_dataset --max-frames 30 --in-place
    """
    _choose(Verbs.delete, options, source, episodes, uid, task, min_frames, max_frames, tasks_from)


@writes
def keep(
    options: Writing,
    source: SourceArgument,
    episodes: EpisodesOption = None,
    uid: UidOption = None,
    task: TaskOption = None,
    min_frames: MinFramesOption = None,
    max_frames: MaxFramesOption = None,
    tasks_from: TasksFromOption = None,
) -> None:
    """Keep only the episodes that meet every condition given; they are renumbered from 0.

    Without a condition, lists the episodes.

    Examples:
        roboreel keep my_dataset --episodes 0:10 -o first_ten
        roboreel keep my_dataset --task "fold the towel" -o towels
    """
    _choose(Verbs.keep, options, source, episodes, uid, task, min_frames, max_frames, tasks_from)


def _choose(
    verb: Callable[..., View],
    options: Writing,
    source: str,
    episodes: str | None,
    uid: list[str] | None,
    task: str | None,
    min_frames: int | None,
    max_frames: int | None,
    tasks_from: TasksFrom | None,
) -> None:
    """Write what a verb makes of the episodes that meet the conditions; list episodes if none is given."""
    if only_prints(
        options, [episodes, uid, task, min_frames, max_frames], "--episodes, --uid, --task, …"
    ):
        show_episodes(options.view(source), as_json=options.as_json, tasks_from=tasks_from)
        return

    def edited(view: View) -> View:
        chosen = None if episodes is None else episodes_in(episodes, view)
        return verb(
            view,
            chosen,
            uid=uids_in(uid),
            task=task,
            min_frames=min_frames,
            max_frames=max_frames,
            tasks_from=tasks_from,
        )

    options.write_edited(source, edited)


@writes
def reorder(
    options: Writing,
    source: SourceArgument,
    order: Annotated[
        str | None,
        typer.Option(
            "--order",
            metavar="LIST",
            help="List every episode once, in the new order: 2,0,1 or 5:10,0:5, or @FILE.",
        ),
    ] = None,
) -> None:
    """Put the episodes into a given order. Without --order, lists them.

    Examples:
        roboreel reorder my_dataset --order 2,0,1 -o reordered
        roboreel reorder my_dataset --order 10:20,0:10 -o reordered
    """
    if only_prints(options, [order], "--order"):
        show_episodes(options.view(source), as_json=options.as_json)
        return
    text = order or ""
    options.write_edited(source, lambda view: view.reorder(episodes_in(text, view)))


@writes
def shuffle(
    options: Writing,
    source: SourceArgument,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed",
            metavar="N",
            min=0,
            help="Shuffle with this random seed (0 or more); the same seed gives the same order.",
        ),
    ] = None,
) -> None:
    """Put the episodes into a random order. Without --seed, lists them.

    Examples:
        roboreel shuffle my_dataset --seed 0 -o shuffled
        roboreel shuffle my_dataset --seed 7 --in-place
    """
    if only_prints(options, [seed], "--seed"):
        show_episodes(options.view(source), as_json=options.as_json)
        return
    number = seed or 0
    options.write_edited(source, lambda view: view.shuffle(seed=number))
