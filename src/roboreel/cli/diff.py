"""`roboreel diff`: whether two datasets hold the same, and where they do not."""

from __future__ import annotations

from typing import Annotated

import typer

from roboreel.cli.shared.choosing import episode_pairs_in
from roboreel.cli.shared.opening import opened
from roboreel.cli.shared.shared_options import (
    FollowLinksOption,
    JsonOption,
    QuietOption,
    VerboseOption,
)
from roboreel.cli.shared.stopping import stoppable
from roboreel.cli.text.output import emit_json, heading, say
from roboreel.diffing import Difference, DiffReport
from roboreel.diffing import diff as compare
from roboreel.errors import UsageError, counted

_SHOWN = 30


def diff(
    first: Annotated[
        str,
        typer.Argument(
            metavar="A", help="First dataset: folder, user/name[@REVISION] on the Hub, or URL."
        ),
    ],
    second: Annotated[str, typer.Argument(metavar="B", help="Second dataset, in the same forms.")],
    decode: Annotated[
        bool, typer.Option("--decode", help="Compare decoded frames instead of packets.")
    ] = False,
    renamed: Annotated[
        list[str] | None,
        typer.Option(
            "--map", metavar="NEW=OLD", help="Compare feature NEW of B with OLD of A. Repeatable."
        ),
    ] = None,
    pairs: Annotated[
        str | None,
        typer.Option(
            "--episodes",
            metavar="A=B,…",
            help="Compare only these pairs of episodes: 2=1 is episode 2 of A with 1 of B; 3:10=2:9 pairs"
            " ranges (10 and 9 are not included). Comma-separated, or @FILE.",
        ),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="List all differences, not only the first.")
    ] = False,
    follow_links: FollowLinksOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = 0,
) -> None:
    """Compare the content of two datasets of any version and layout: rows, tasks, video packets.

    Exit code: 0 if they are the same, 1 if they differ or one cannot be opened, 2 if the command is wrong.

    Examples:
        roboreel diff my_dataset my_dataset_v3
        roboreel diff my_dataset cleaned --episodes 0:3=0:3,5=3 --decode
    """
    with stoppable():
        a, b = (opened(each, follow_links=follow_links) for each in (first, second))
        report = compare(
            a,
            b,
            episodes=None if pairs is None else episode_pairs_in(pairs, a, b),
            decode=decode,
            renamed=_names(renamed or []),
            first_only=not every,
        )
    if as_json:
        emit_json(report.to_json())
    elif not quiet:
        _show(report, first, second, "" if every or report.same else " up to the first difference")
    if not report.same:
        raise typer.Exit(1)


def _names(pairs: list[str]) -> dict[str, str]:
    """The names in A by the names in B."""
    found: dict[str, str] = {}
    for pair in pairs:
        new, equals, old = pair.partition("=")
        if not (new and equals and old):
            raise UsageError(f"--map '{pair}': expected NEW=OLD, a feature of B and a feature of A")
        if found.setdefault(new, old) != old:
            raise UsageError(
                f"--map '{pair}': '{new}' is already mapped to '{found[new]}': map each feature once"
            )
    return found


def _show(report: DiffReport, first: str, second: str, before: str) -> None:
    say(f"{'the same' if report.same else 'different'}: {first} and {second}")
    for difference in report.differences:
        say(f"  {difference}")
    say(f"compared{before}: {_amount(report)}")
    if before:
        if report.compared.kinds:
            say(f"  without a difference: {', '.join(report.compared.kinds)}")
        say("  --all goes on and lists every difference")
    _show_notes(report.notes)


def _amount(report: DiffReport) -> str:
    compared = report.compared
    amounts = [
        counted(compared.episodes, "episode"),
        f"{counted(compared.rows, 'row')} of {counted(compared.columns, 'column')}",
    ]
    if report.decoded:
        amounts.append(counted(compared.pictures, "frame"))
    else:
        amounts.append(counted(compared.packets, "packet"))
    return ", ".join(amounts)


def _show_notes(notes: tuple[Difference, ...]) -> None:
    if notes:
        heading("differences that do not count as content")
        for note in notes[:_SHOWN]:
            say(f"  {note}")
        if len(notes) > _SHOWN:
            say(f"  … and {len(notes) - _SHOWN} more: --json lists all")
