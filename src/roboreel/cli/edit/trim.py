"""`roboreel trim`: episodes, narrowed to a range of their frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated

import typer

from roboreel.cli.failures.advice import typed
from roboreel.cli.shared.choosing import (
    EpisodesOption,
    episodes_in,
    frames_in,
    moment_in,
    number_in,
    show_episodes,
)
from roboreel.cli.shared.shared_options import SourceArgument
from roboreel.cli.shared.writing import Writing, only_prints, writes
from roboreel.cli.text.output import emit_json, say
from roboreel.dataset.user_files import read_lines
from roboreel.edit.selection import FrameRange
from roboreel.edit.standstill import StillSuggestion
from roboreel.edit.view import View
from roboreel.errors import UsageError, counted

_STATE, _SUGGEST = "observation.state", "suggest"


def _can_be_parsed(param: typer.CallbackParam, value: str | None) -> str | None:
    """Refuse what is no moment before the output is asked for."""
    if value is not None:
        moment_in(value, str(param.opts[0]), Fraction(1))
    return value


@writes
def trim(
    options: Writing,
    source: SourceArgument,
    episode: Annotated[
        list[str] | None,
        typer.Option(
            "--episode",
            metavar="N",
            help="Trim only this episode: to the --frames that follow, or by --start, --end, --still."
            " Repeatable.",
        ),
    ] = None,
    frames: Annotated[
        list[str] | None,
        typer.Option(
            "--frames",
            metavar="A:B",
            help="Keep frames A to B-1; 10: keeps frame 10 to the end. Without --episode, in all chosen"
            " episodes. Repeatable.",
        ),
    ] = None,
    ranges: Annotated[
        str | None,
        typer.Option(
            "--ranges",
            metavar="FILE",
            help="Read episodes and frames from a file with lines like `3 10:200`.",
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--start",
            metavar="T",
            callback=_can_be_parsed,
            help="Keep the frames from T on: 1.5 or 1.5s is seconds, 30f is frames, and -1.5 counts from"
            " the end.",
        ),
    ] = None,
    end: Annotated[
        str | None,
        typer.Option(
            "--end",
            metavar="T",
            callback=_can_be_parsed,
            help="Keep the frames before T, given as in --start.",
        ),
    ] = None,
    still: Annotated[
        str | None,
        typer.Option(
            "--still",
            metavar="EPS",
            help="Cut off the beginning and end of an episode where no value changes by more than EPS per"
            " frame, in the unit of the feature (radians, degrees, …). `--still suggest` prints an"
            " EPS that fits the data.",
        ),
    ] = None,
    still_feature: Annotated[
        str,
        typer.Option(
            "--still-feature",
            metavar="NAME",
            help="With --still: compare the values of this feature.",
        ),
    ] = _STATE,
    episodes: EpisodesOption = None,
) -> None:
    """Cut off the beginning or end of episodes, in rows and videos alike.

    Frames count from 0 in each episode; the end of a range is not included. --start, --end, --still and a
    single --frames trim all episodes, or the ones that --episodes chooses.

    Without a range, lists the episodes.

    Examples:
        roboreel trim my_dataset --start 0.5 --end -1.0 -o trimmed
        roboreel trim my_dataset --episode 3 --frames 10:200 --in-place
    """
    if episode and not frames and episodes is None and any((start, end, still)):
        episodes, episode = ",".join(map(str, episode)), None
    edits = [episode, frames, ranges, start, end, still, episodes]
    if only_prints(options, edits, "--frames, --start, --end, --ranges, --still"):
        show_episodes(options.view(source), as_json=options.as_json)
        return
    alone = bool(frames) and not episode and len(frames or []) == 1
    pairs = not alone and (bool(episode) or bool(frames) or ranges is not None)
    ways = [pairs, alone, start is not None or end is not None, still is not None]
    if sum(ways) > 1 or (alone and ranges is not None):
        raise UsageError("give ranges in one way only: --start and --end, --still, or --frames")
    if pairs and episodes is not None:
        raise UsageError(
            "--episodes works with --start, --end, --still and a single --frames, but not with --episode"
            " or --ranges, which name episodes themselves"
        )
    if not any(ways):
        raise UsageError(
            "--episodes only chooses episodes: also say what to keep, with --start, --end, --still or"
            " --frames"
        )
    if still == _SUGGEST:
        if options.is_asked:
            raise UsageError(
                f"--still {_SUGGEST} only prints a value and writes nothing: run again with --still and"
                " that value"
            )
        view = options.view(source)
        found = _show_suggestion(view, still_feature, episodes, as_json=options.as_json)
        if found is not None:
            chosen = [] if episodes is None else ["--episodes", episodes]
            line = typed(["trim", source, *found.split(), *chosen, "--dry-run"])
            say(f"To see which frames would be cut: {line}")
        return
    if still is not None:
        limit = _threshold(still)
        options.write_edited(
            source, lambda view: _without_ends(view, limit, still_feature, episodes)
        )
        return
    if pairs:
        spans = _spans(episode or [], frames or [], ranges)
        options.write_edited(source, lambda view: view.trim(spans))
        return
    cut = _Cut(frames[0] if frames else None, start, end)
    options.write_edited(source, lambda view: view.trim(cut.of(view, episodes)))


@dataclass(frozen=True, slots=True)
class _Cut:
    """One range for many episodes, as given."""

    frames: str | None
    start: str | None
    end: str | None

    def of(self, view: View, episodes: str | None) -> dict[int, FrameRange]:
        """The frames to keep, by chosen episode."""
        numbers = view.numbers.tolist()
        chosen = numbers if episodes is None else episodes_in(episodes, view)
        if self.frames is not None:
            return dict.fromkeys(chosen, frames_in(self.frames))
        lengths = dict(zip(numbers, view.lengths.tolist(), strict=True))
        ends = [
            None if text is None else moment_in(text, option, view.model.info.fps)
            for text, option in ((self.start, "--start"), (self.end, "--end"))
        ]
        return {
            number: (_placed(ends[0], lengths.get(number)), _placed(ends[1], lengths.get(number)))
            for number in chosen
        }


def _placed(frame: int | None, length: int | None) -> int | None:
    """A frame, counted from the episode's end if negative; `length` is None if there is no such episode."""
    return frame if frame is None or frame >= 0 or length is None else length + frame


def _threshold(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise UsageError(f"--still '{text}': expected a number, or `{_SUGGEST}`") from error


def _without_ends(view: View, most: float, feature: str, episodes: str | None) -> View:
    chosen = None if episodes is None else episodes_in(episodes, view)
    return view.trim_still(most, feature=feature, episodes=chosen)


def _show_suggestion(
    view: View, feature: str, episodes: str | None, *, as_json: bool
) -> str | None:
    """Print a threshold; return the options that set it, if text was printed and there is one."""
    chosen = None if episodes is None else episodes_in(episodes, view)
    found = view.suggest_still(feature, episodes=chosen)
    if as_json:
        emit_json(
            {
                "feature": feature,
                "suggested": found.most,
                "unit": "the unit of the feature, per frame",
                "step": {"median": found.median, "fast": found.fast, "largest": found.largest},
            }
        )
        return None
    if found.most is None:
        say(
            f"'{feature}' never changes in {_said(view, chosen)}: choose another feature with"
            " --still-feature"
        )
        return None
    say(f"changes of '{feature}' from frame to frame in {_said(view, chosen)}, in its own unit:")
    say(
        f"  median {found.median:.3g}, 95th percentile {found.fast:.3g}, largest {found.largest:.3g}"
    )
    say(f"suggested: {_command(found)} (5 % of the 95th percentile)")
    return _command(found)


def _said(view: View, chosen: Sequence[int] | None) -> str:
    return counted(len(view.slices) if chosen is None else len(chosen), "episode")


def _command(found: StillSuggestion) -> str:
    feature = "" if found.feature == _STATE else f" --still-feature {found.feature}"
    return f"--still {found.most:g}{feature}"


def _spans(
    episodes: Sequence[str], frames: Sequence[str], ranges: str | None
) -> dict[int, FrameRange]:
    """Frames to keep, by episode, from paired options and a file."""
    if len(episodes) != len(frames):
        raise UsageError(
            f"each --episode needs its own --frames: got {len(episodes)} of --episode and {len(frames)} of"
            " --frames"
        )
    pairs = [*zip(episodes, frames, strict=True)]
    for line in [] if ranges is None else read_lines(ranges):
        words = line.split()
        if len(words) != 2:
            raise UsageError(
                f"'{ranges}': '{line}' is not valid: expected lines such as '3 10:200' (episode and"
                " frames)"
            )
        pairs.append((words[0], words[1]))
    if not pairs:
        raise UsageError(
            f"'{ranges}' contains no episode: expected lines such as '3 10:200' (episode and frames)"
        )
    spans: dict[int, FrameRange] = {}
    for episode, span in pairs:
        number = number_in(episode)
        if number in spans:
            raise UsageError(f"episode {number} is named twice: give it once")
        spans[number] = frames_in(span)
    return spans
