"""`roboreel delete`, `keep`, `reorder`, `shuffle`: which episodes, in which order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from roboreel.cli.edit.choosing import (
    EpisodesOption,
    MaxFramesOption,
    MinFramesOption,
    SourceArgument,
    TaskOption,
    TasksFromOption,
    episodes_in,
    show_episodes,
)
from roboreel.cli.writing import Writing, only_prints, write_edited, writes
from roboreel.dataset.dataset import Dataset
from roboreel.edit.tasks import TasksFrom
from roboreel.edit.view import View


@writes
def delete(
    options: Writing,
    source: SourceArgument,
    episodes: EpisodesOption = None,
    task: TaskOption = None,
    min_frames: MinFramesOption = None,
    max_frames: MaxFramesOption = None,
    tasks_from: TasksFromOption = None,
) -> None:
    """Leave out the episodes that meet every condition given; the others are renumbered.

    Without a condition, the episodes are listed.
    """
    _choose(Dataset.delete, options, source, episodes, task, min_frames, max_frames, tasks_from)


@writes
def keep(
    options: Writing,
    source: SourceArgument,
    episodes: EpisodesOption = None,
    task: TaskOption = None,
    min_frames: MinFramesOption = None,
    max_frames: MaxFramesOption = None,
    tasks_from: TasksFromOption = None,
) -> None:
    """Keep only the episodes that meet every condition given, in their order; they are renumbered.

    Without a condition, the episodes are listed.
    """
    _choose(Dataset.keep, options, source, episodes, task, min_frames, max_frames, tasks_from)


def _choose(
    verb: Callable[..., View],
    options: Writing,
    source: str,
    episodes: str | None,
    task: str | None,
    min_frames: int | None,
    max_frames: int | None,
    tasks_from: TasksFrom | None,
) -> None:
    """Write what a verb makes of the episodes that meet the conditions; list episodes if none is given."""
    if only_prints(options, [episodes, task, min_frames, max_frames], "--episodes, --task, …"):
        show_episodes(options.opened(source), as_json=options.as_json, tasks_from=tasks_from)
        return

    def edited(dataset: Dataset) -> View:
        chosen = None if episodes is None else episodes_in(episodes, dataset)
        return verb(
            dataset,
            chosen,
            task=task,
            min_frames=min_frames,
            max_frames=max_frames,
            tasks_from=tasks_from,
        )

    write_edited(source, options, edited)


@writes
def reorder(
    options: Writing,
    source: SourceArgument,
    order: Annotated[
        str | None,
        typer.Option(
            "--order", metavar="LIST", help="Every episode once: 2,0,1, also ranges, or @FILE."
        ),
    ] = None,
) -> None:
    """Put the episodes into another order. Without --order, they are listed."""
    if only_prints(options, [order], "--order"):
        show_episodes(options.opened(source), as_json=options.as_json)
        return
    text = order or ""
    write_edited(source, options, lambda dataset: dataset.reorder(episodes_in(text, dataset)))


@writes
def shuffle(
    options: Writing,
    source: SourceArgument,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="The same number gives the same order.")
    ] = None,
) -> None:
    """Put the episodes into a random order. Without --seed, they are listed."""
    if only_prints(options, [seed], "--seed"):
        show_episodes(options.opened(source), as_json=options.as_json)
        return
    number = seed or 0
    write_edited(source, options, lambda dataset: dataset.shuffle(seed=number))
