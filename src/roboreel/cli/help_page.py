"""Lay out the help of a command: usage, examples, its own options, then the shared ones."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from roboreel.cli.catalog import Entry, in_groups
from roboreel.cli.text.terminal import Tone, painted

OWN, WHAT, HOW, OUTPUT = "Options", "What to write", "How to run", "Output"
PANELS = (OWN, WHAT, HOW, OUTPUT)
"""Headings of options, in their order on the page."""
_NAMES = 26
"""Columns for names of options; longer ones get a line of their own."""
_EXAMPLES = "Examples:"
_ENCODING = ("encode", "resample")
"""Commands that always re-encode: only their pages have a row for each option of the encoder."""
_ENCODER = ("vcodec", "pix_fmt", "g", "crf", "preset", "fast_decode")
_ENCODER_HELP = (
    "Settings of videos that have to be re-encoded: see `roboreel encode --help`. Default: close to the"
    " source's."
)
_DEFAULTS = re.compile(r"Default: ([^()]+) \(`(\w+)`: ([^)]+)\)")
"""A default, and that of one command."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of help in the making."""

    width: int
    """Columns."""
    coloured: bool

    def paint(self, text: str, tone: Tone) -> str:
        """The text, in colours where the page has them."""
        return painted(text, tone) if self.coloured else text

    def heading(self, text: str) -> str:
        """A heading."""
        return self.paint(text, "heading")

    def prose(self, text: str, indent: str = "") -> Iterator[str]:
        """Paragraphs, wrapped; an empty line between two."""
        for number, paragraph in enumerate(text.split("\n\n")):
            if number:
                yield ""
            yield from self._filled(paragraph, indent, indent)

    def row(self, names: str, text: str, *, column: int = _NAMES) -> Iterator[str]:
        """Names at the left, their text at the right; below, if the names are too long."""
        at = " " * (column + 4)
        beside = len(names) <= column
        lines = self._filled(text, at, at) or [""]
        shown = self.paint(names, "option")
        if beside:
            yield f"  {shown}{' ' * (column - len(names))}  {lines[0].strip()}".rstrip()
            yield from lines[1:]
        else:
            yield f"  {shown}"
            yield from lines

    def _filled(self, text: str, first: str, rest: str) -> list[str]:
        return textwrap.wrap(
            " ".join(text.split()),
            self.width,
            initial_indent=first,
            subsequent_indent=rest,
            break_long_words=False,
            break_on_hyphens=False,
        )


def command_page(command: Any, path: str, page: Page) -> str:
    """The help of a command.

    Args:
        command: as typer has built it. Typed `Any`: which class it is differs among releases of typer.
        path: how it is called, such as `roboreel cache build`.
        page: the columns and colours.
    """
    about, examples = described(command.help or "")
    blocks = [[_usage(path, command.params, page)], [*page.prose(about)]]
    if examples:
        blocks.append([page.heading("Examples"), *(f"  {line}" for line in examples)])
    arguments = [one for one in command.params if _is_argument(one) and one.help]
    if arguments:
        blocks.append([page.heading("Arguments"), *_rows(arguments, page)])
    for heading in PANELS:
        options = [one for one in command.params if _panel(one) == heading]
        if options:
            blocks.append([page.heading(heading), *_rows(options, page, command.name)])
    commands = getattr(command, "commands", {})
    if commands:
        column = max(map(len, commands))
        rows = (page.row(name, summary_of(one), column=column) for name, one in commands.items())
        blocks.append([page.heading("Commands"), *(line for row in rows for line in row)])
    blocks.append([f"  {page.paint('-h, --help', 'option')}{' ' * (_NAMES - 8)}Show this page."])
    return _joined(blocks)


def overview(about: str, entries: Iterable[Entry], options: Sequence[Any], page: Page) -> str:
    """The help of `roboreel` itself, on one screen."""
    usage = f"{page.heading('Usage')}  roboreel COMMAND …        roboreel COMMAND --help"
    blocks = [[usage], [*page.prose(about)]]
    every = list(entries)
    column = max(len(entry.name) for entry in every)
    listed: list[str] = []
    for group, members in in_groups(every):
        listed.append(page.heading(group))
        for entry in members:
            listed += page.row(entry.name, entry.summary, column=column)
    blocks += [listed, [page.heading("Options"), *_rows(options, page)]]
    return _joined(blocks)


def described(text: str) -> tuple[str, list[str]]:
    """The description in a docstring, and its examples: command lines, one a line."""
    about, _, rest = text.partition(_EXAMPLES)
    return about.strip(), [line.strip() for line in rest.splitlines() if line.strip()]


def summary_of(command: Any) -> str:
    """The first paragraph of a command's help on one line."""
    return " ".join(described(command.help or "")[0].split("\n\n")[0].split())


def _joined(blocks: Iterable[Sequence[str]]) -> str:
    return "\n\n".join("\n".join(block) for block in blocks if block)


def _usage(path: str, params: Sequence[Any], page: Page) -> str:
    words = [argument_name(one) for one in params if _is_argument(one)]
    return " ".join([f"{page.heading('Usage')}  {path}", *words, "[OPTIONS]"])


def argument_name(param: Any) -> str:
    """How help names an argument: in brackets if it can be left out."""
    name = param.metavar or str(param.name).upper()
    return name if param.required or name.startswith("[") else f"[{name}]"


def _is_argument(param: Any) -> bool:
    return bool(param.param_type_name == "argument")


def _panel(param: Any) -> str | None:
    if _is_argument(param) or param.hidden or "--help" in param.opts:
        return None
    return getattr(param, "rich_help_panel", None) or OWN


def _rows(params: Iterable[Any], page: Page, command: str = "") -> Iterator[str]:
    every = [*params]
    encoder = [] if command in _ENCODING else [one for one in every if one.name in _ENCODER]
    for param in every:
        if encoder and param is encoder[0]:
            yield from page.row(", ".join(one.opts[0] for one in encoder), _ENCODER_HELP)
        elif param not in encoder:
            yield from page.row(names_of(param), _text(param, command))


def names_of(param: Any) -> str:
    """Names of a parameter as help shows them, short ones first, with what its value is called."""
    if _is_argument(param):
        return str(param.metavar or param.name.upper())
    short = [name for name in param.opts if not name.startswith("--")]
    long = [name for name in param.opts if name.startswith("--")][:1]
    off = [name for name in param.secondary_opts if name.startswith("--")][:1]
    shown = ", ".join([*short, *long, *off])
    return f"{shown} {param.metavar}" if param.metavar else shown


def _text(param: Any, command: str) -> str:
    """The help of a parameter, with its default in this command unless the help itself names one."""
    text = _DEFAULTS.sub(
        lambda found: f"Default: {found[3 if found[2] == command else 1]}", str(param.help or "")
    )
    value = param.default
    shown = isinstance(value, str | int | float) and not (
        isinstance(value, bool) or getattr(param, "count", False)
    )
    if not shown or value == "" or "efault" in text:
        return text
    return f"{text.rstrip('.')}. Default: {getattr(value, 'value', value)}."
