"""`roboreel diff`: whether two datasets hold the same, and where they do not."""

from __future__ import annotations

from typing import Annotated

import typer

from roboreel.cli.edit.choosing import episode_pairs_in
from roboreel.cli.opening import opened
from roboreel.cli.output import count, emit_json, say
from roboreel.cli.stopping import stoppable
from roboreel.diffing import Difference, DiffReport
from roboreel.diffing import diff as compare
from roboreel.errors import UsageError

_SHOWN = 30


def diff(
    first: Annotated[str, typer.Argument(metavar="A", help="Folder of the first dataset.")],
    second: Annotated[str, typer.Argument(metavar="B", help="Folder of the second.")],
    decode: Annotated[
        bool, typer.Option("--decode", help="Compare decoded pictures instead of packets.")
    ] = False,
    renamed: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="NEW=OLD", help="Feature NEW of B is OLD of A; repeatable."),
    ] = None,
    pairs: Annotated[
        str | None,
        typer.Option(
            "--episodes",
            metavar="A=B,…",
            help="Compare only these: episode A of A with episode B of B, as in 0=0,2=1 or 3:10=2:9"
            " (10 and 9 not included), or @FILE with such words.",
        ),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="List all differences, not the first only.")
    ] = False,
    follow_links: Annotated[
        bool, typer.Option("--follow-links", help="Read what links out of the dataset lead to.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print nothing; the exit code tells.")
    ] = False,
) -> None:
    """Compare what two datasets hold, across versions and layouts: rows, tasks, packets.

    Exit code 0: the same; 1: different, or one cannot be opened; 2: wrong usage.
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
        _show(report, first, second, every=every)
    if not report.same:
        raise typer.Exit(1)


def _names(pairs: list[str]) -> dict[str, str]:
    """The names in A by the names in B."""
    found: dict[str, str] = {}
    for pair in pairs:
        new, equals, old = pair.partition("=")
        if not (new and equals and old):
            raise UsageError(f"--map '{pair}': expected NEW=OLD, a name in B and one in A")
        if found.setdefault(new, old) != old:
            raise UsageError(f"--map '{pair}': '{new}' stands for '{found[new]}' already")
    return found


def _show(report: DiffReport, first: str, second: str, *, every: bool) -> None:
    say(f"{'the same' if report.same else 'different'}: {first} and {second}")
    for difference in report.differences:
        say(f"  {difference}")
    before = "" if every or report.same else " before it"
    say(f"compared{before}: {_amount(report)}")
    if before:
        say(f"  {', '.join(report.compared.kinds) or 'no kind to its end'}")
    _show_notes(report.notes)


def _amount(report: DiffReport) -> str:
    compared = report.compared
    amounts = [
        count(compared.episodes, "episode"),
        f"{count(compared.rows, 'row')} of {count(compared.columns, 'column')}",
    ]
    if report.decoded:
        amounts.append(count(compared.pictures, "picture"))
    else:
        amounts.append(count(compared.packets, "packet"))
    return ", ".join(amounts)


def _show_notes(notes: tuple[Difference, ...]) -> None:
    if notes:
        say("not the same, but the same in content")
        for note in notes[:_SHOWN]:
            say(f"  {note}")
        if len(notes) > _SHOWN:
            say(f"  … and {len(notes) - _SHOWN} more: --json lists all")
