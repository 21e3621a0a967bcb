"""A title and a few named facts, as lines of text or as an HTML table."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from html import escape

from roboreel.errors import Problem, visible

_WIDEST = 100
_MOST_ROWS = 9
_SHOWN = 4
_SHOWN_WARNINGS = 3
_TABLE = "border-collapse:collapse;margin:0.3em 0"
_CELL = "text-align:left;vertical-align:top;padding:0.1em 1em 0.1em 0;border:0;background:none"


@dataclass(frozen=True, slots=True)
class Summary:
    """A title and up to nine facts. Facts without a value are left out."""

    title: str
    facts: Sequence[tuple[str, str]]
    """(name, value) in order."""
    warnings: Sequence[str] = ()
    """Lines below the facts, whole however long they are."""

    def text(self) -> str:
        """One to ten lines, values of at most 100 characters; and the warnings."""
        shown = self._shown()
        width = max((len(name) for name, _ in shown), default=0)
        lines = [f"  {name.ljust(width)}  {value}" for name, value in shown]
        warnings = [f"  - {visible(line)}" for line in self.warnings]
        return "\n".join([visible(self.title), *lines, *warnings])

    def html(self) -> str:
        """A table in the colours of the page around it."""
        rows = "".join(
            f'<tr><th style="{_CELL}">{escape(name)}</th><td style="{_CELL}">{escape(value)}</td></tr>'
            for name, value in self._shown()
        )
        title = f"<div><b>{escape(visible(self.title))}</b></div>"
        table = f'<table style="{_TABLE}"><tbody>{rows}</tbody></table>' if rows else ""
        return (
            title + table + "".join(f"<div>{escape(visible(line))}</div>" for line in self.warnings)
        )

    def _shown(self) -> list[tuple[str, str]]:
        told = [(name, shortened(value)) for name, value in self.facts if value]
        return told[:_MOST_ROWS]


class Summarized:
    """A value that shows a summary of itself: lines at the prompt, a table in a notebook."""

    __slots__ = ()

    def _summary(self) -> Summary:
        raise NotImplementedError

    def __repr__(self) -> str:
        return self._summary().text()

    def _repr_html_(self) -> str:
        return self._summary().html()


def shortened(text: str) -> str:
    """Text without control characters, its end cut off if it is long."""
    seen = visible(text)
    return seen if len(seen) <= _WIDEST else f"{seen[: _WIDEST - 2]} …"


def named(items: Iterable[object], *, shown: int = _SHOWN, between: str = ", ") -> str:
    """The first items of a list, and how many more there are."""
    every = [str(item) for item in items]
    more = len(every) - shown
    return between.join(every[:shown]) + (f" and {more} more" if more > 0 else "")


def by_rule(problems: Iterable[Problem]) -> str:
    """How many problems there are, and of which rules: `3: 2 × video.short, 1 × task.rows`."""
    found = Counter(problem.rule for problem in problems)
    if not found:
        return ""
    rules = [f"{times:,} × {rule}" for rule, times in found.most_common()]
    return f"{found.total():,}: {named(rules)}"


def warned(problems: Iterable[Problem]) -> list[str]:
    """The first warnings as they read, those that differ only in their column as one; how many more."""
    columns = defaultdict[Problem, list[str]](list)
    for one in problems:
        if one.severity != "note":
            columns[replace(one, column=None)] += [one.column] if one.column else []
    lines = [str(replace(one, column=named(names) or None)) for one, names in columns.items()]
    more = len(lines) - _SHOWN_WARNINGS
    return lines[:_SHOWN_WARNINGS] + ([f"… and {more} more: see .problems"] if more > 0 else [])
