"""`roboreel trim`: episodes, narrowed to a range of their frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from roboreel.cli.edit.choosing import (
    EpisodesOption,
    SourceArgument,
    episodes_in,
    frames_in,
    number_in,
    show_episodes,
)
from roboreel.cli.writing import Writing, only_prints, write_edited, writes
from roboreel.dataset.dataset import Dataset
from roboreel.dataset.inputs import read_lines
from roboreel.edit.view import View
from roboreel.errors import UsageError

_STATE = "observation.state"


@writes
def trim(
    options: Writing,
    source: SourceArgument,
    episode: Annotated[
        list[str] | None,
        typer.Option("--episode", metavar="N", help="An episode; its --frames follow. Repeatable."),
    ] = None,
    frames: Annotated[
        list[str] | None,
        typer.Option("--frames", metavar="A:B", help="Frames A to B-1 of it stay. Repeatable."),
    ] = None,
    ranges: Annotated[
        str | None,
        typer.Option("--ranges", metavar="FILE", help="Lines like `3 10:200` instead."),
    ] = None,
    still: Annotated[
        float | None,
        typer.Option(
            "--still",
            metavar="EPS",
            help="Cut the ends in which no value moves by more than EPS from frame to frame.",
        ),
    ] = None,
    still_feature: Annotated[
        str, typer.Option("--still-feature", metavar="NAME", help="The feature that tells.")
    ] = _STATE,
    episodes: EpisodesOption = None,
) -> None:
    """Narrow episodes to a range of their frames, rows and pictures together.

    Ranges count from 0 in the episode, and their end is not included. Without one, episodes are listed.
    """
    if only_prints(
        options, [episode, frames, ranges, still, episodes], "--frames, --ranges, --still"
    ):
        show_episodes(options.opened(source), as_json=options.as_json)
        return
    if still is not None:
        if episode or frames or ranges is not None:
            raise UsageError("give either --still, or which frames to keep")
        limit = still  # known to be there, also inside
        write_edited(
            source, options, lambda dataset: _without_ends(dataset, limit, still_feature, episodes)
        )
        return
    if episodes is not None:
        raise UsageError("--episodes goes with --still; frames go with --episode N --frames A:B")
    spans = _spans(episode or [], frames or [], ranges)
    write_edited(source, options, lambda dataset: dataset.trim(spans))


def _without_ends(dataset: Dataset, most: float, feature: str, episodes: str | None) -> View:
    chosen = None if episodes is None else episodes_in(episodes, dataset)
    return dataset.trim_still(most, feature=feature, episodes=chosen)


def _spans(
    episodes: Sequence[str], frames: Sequence[str], ranges: str | None
) -> dict[int, tuple[int, int]]:
    """Frames to keep by episode, from options in pairs and from a file."""
    if len(episodes) != len(frames):
        raise UsageError(
            f"{len(episodes)} of --episode and {len(frames)} of --frames: give them in pairs"
        )
    pairs = [*zip(episodes, frames, strict=True)]
    for line in [] if ranges is None else read_lines(ranges):
        words = line.split()
        if len(words) != 2:
            raise UsageError(f"'{ranges}': '{line}' is no line like '3 10:200'")
        pairs.append((words[0], words[1]))
    if not pairs:
        raise UsageError(f"'{ranges}' names no episode")
    spans: dict[int, tuple[int, int]] = {}
    for episode, span in pairs:
        number = number_in(episode)
        if number in spans:
            raise UsageError(f"episode {number} is named twice")
        spans[number] = frames_in(span)
    return spans
