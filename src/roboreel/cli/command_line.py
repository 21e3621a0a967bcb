"""Commands as typer builds them, with roboreel's help, imported when they are first used."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from typing import Any, cast

import typer
import typer.main
from typer.core import TyperCommand, TyperGroup

from roboreel.cli.catalog import ENTRIES, Entry
from roboreel.cli.help_page import Page, command_page, overview
from roboreel.cli.text.terminal import coloured, in_encoding, terminal_width
from roboreel.errors import UsageError

HELP_NAMES = {"help_option_names": ["-h", "--help"]}
_LISTS = ("LIST", "PARTS", "A,B", "Q,Q")
"""Metavars of options that take a list with commas."""


class RepeatedOptionError(UsageError):
    """An option that takes one value was given several times."""

    def __init__(self, option: str, *, takes_list: bool) -> None:
        """Name the option, and whether its value may be a list with commas."""
        self.option, self.takes_list = option, takes_list
        once = "give one list, with commas" if takes_list else "give it once"
        super().__init__(f"{option} is given several times: {once}")


# What typer passes is typed `Any` here: which classes it takes from click differs among its releases.
def _page(context: Any) -> Page:
    context.color = coloured(sys.stdout)  # else typer removes colours that `FORCE_COLOR` asks for
    return Page(terminal_width(), coloured=context.color)


def _written(formatter: Any, text: str) -> None:
    formatter.write(in_encoding(text, sys.stdout.encoding or "utf-8") + "\n")


class Command(TyperCommand):
    """A command with roboreel's help, and the user's defaults of options."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Refuse an option given several times, of which click would use the last value alone."""
        given: list[Any] = self.make_parser(ctx).parse_args([*args])[
            2
        ]  # one for each time it is given
        for one in {*given} if not ctx.resilient_parsing else ():
            single = one.param_type_name == "option" and not (
                one.multiple or one.is_flag or one.count
            )
            if single and given.count(one) > 1:
                option = max(one.opts, key=len)
                raise RepeatedOptionError(option, takes_list=one.metavar in _LISTS)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command with the user's defaults for what was not typed."""
        from roboreel.cli.settings import filled

        filled(ctx)
        return super().invoke(ctx)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help of the command."""
        _written(formatter, command_page(self, ctx.command_path, _page(ctx)))


class Group(TyperGroup):
    """A command that has commands, with roboreel's help."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help of the group."""
        _written(formatter, command_page(self, ctx.command_path, _page(ctx)))


class Root(TyperGroup):
    """`roboreel`: imports the module of a command when it is first used."""

    def __init__(self, **attributes: Any) -> None:
        """Take what typer gives, and the commands of the catalog."""
        super().__init__(**attributes)
        self.commands = cast(Any, _Commands())
        self._lists = False

    def list_commands(self, ctx: Any) -> list[str]:
        """Names of the commands, in the order of help."""
        return list(self.commands)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A command by name; where names are only listed, one without options."""
        if self._lists:
            entry = next(one for one in ENTRIES if one.name == cmd_name)
            return TyperCommand(cmd_name, help=entry.summary)
        return super().get_command(ctx, cmd_name)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """The completions of a name, without importing the commands."""
        self._lists = True
        try:
            return super().shell_complete(ctx, incomplete)
        finally:
            self._lists = False

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the overview of all commands."""
        options = [one for one in self.get_params(ctx) if not getattr(one, "hidden", False)]
        _written(formatter, overview(self.help or "", ENTRIES, options, _page(ctx)))


class _Commands(Mapping[str, Any]):
    """The commands by name, each built when it is asked for."""

    def __init__(self) -> None:
        self._entries = {entry.name: entry for entry in ENTRIES}
        self._built: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._built:
            self._built[name] = _built(self._entries[name])
        return self._built[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def _built(entry: Entry) -> Any:
    module = import_module(f"roboreel.cli.{entry.module}")
    target = getattr(module, entry.function or entry.name)
    if not isinstance(target, typer.Typer):
        alone = typer.Typer(add_completion=False, rich_markup_mode=None)
        alone.command(entry.name, cls=Command, context_settings=HELP_NAMES)(target)
        target = alone
    built = typer.main.get_command(target)
    built.name = entry.name
    return built


def options_of(name: str) -> dict[str, str]:
    """The options of a command, by their names with underscores.

    Args:
        name: of a command of the catalog.
    """
    return _by_name(_Commands()[name].params)


def switches_of(name: str) -> set[str]:
    """The names with underscores of a command's options that take no value.

    Args:
        name: of a command of the catalog.
    """
    params = _Commands()[name].params
    return {*_by_name(one for one in params if getattr(one, "is_flag", False))}


def _by_name(params: Iterable[Any]) -> dict[str, str]:
    spelled = [name for one in params for name in (*one.opts, *one.secondary_opts)]
    options = [name for name in spelled if name.startswith("-")]
    return {name.strip("-").replace("-", "_"): name for name in options}
