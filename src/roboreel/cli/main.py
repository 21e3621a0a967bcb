"""The command's entry point: runs commands, and turns errors into one message and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Annotated

import typer

from roboreel import __version__
from roboreel.cli.command_line import HELP_NAMES, Root
from roboreel.cli.shared.stopping import INTERRUPTED, leave_on_sigterm
from roboreel.cli.text.output import emit_json, exit_code, lost, refused, say, start, tell
from roboreel.errors import RoboreelError, UsageError
from roboreel.storage.names import is_utf8

_ParseError: type[Exception] = typer.BadParameter.__mro__[2]
"""What typer raises if the arguments are wrong; its release decides where the class is."""

app = typer.Typer(
    name="roboreel",
    cls=Root,
    help="Inspect, check, convert, edit and repair robot datasets in any version of the LeRobot format.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings=HELP_NAMES,
)
"""The command line; its commands are in `catalog.py`."""


def _show_version(asked: bool) -> None:
    if asked:
        say(f"roboreel {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", "-V", callback=_show_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Options before the command."""


def main() -> None:
    """Run the command line; user errors become one message, never a traceback.

    Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 130 interrupted, 141 the output's reader has
    closed, 143 terminated.
    """
    start()
    leave_on_sigterm()
    sys.exit(exit_code(_run()))


def _run() -> int:
    """Run the command; return its exit code."""
    words = sys.argv[1:]
    try:
        _refuse_other_than_utf8(words)
        left = app(standalone_mode=False, prog_name="roboreel")
        return left if isinstance(left, int) else 0
    except SystemExit as left:
        return left.code if isinstance(left.code, int) else int(left.code is not None)
    except RoboreelError as error:
        from roboreel.cli.failures.refusals import refusal

        if "--json" in words:
            emit_json(refused(error))
        return _told(str(refusal(error, words)), 2 if isinstance(error, UsageError) else 1)
    except _ParseError as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            app(["--help"], standalone_mode=False, prog_name="roboreel")
            return 2
        return _told(_parse_message(error, words), 2)
    except KeyboardInterrupt:  # before a command began, or after it ended
        return _told("interrupted", INTERRUPTED)
    except MemoryError:
        return _told(
            "error: not enough memory for this operation: close other programs or use fewer --workers",
            1,
        )
    except OSError as error:
        if error.filename is None:  # from printing, such as help: `exit_code` reports it
            lost(error)
            return 1
        return _told(f"error: {error}", 1)


def _parse_message(error: Exception, words: Sequence[str]) -> str:
    from roboreel.cli.failures.parse_failures import parse_advice

    return str(parse_advice(error, words))


def _refuse_other_than_utf8(arguments: Iterable[str]) -> None:
    for argument in arguments:
        if not is_utf8(argument):
            raise UsageError(f"the argument '{argument}' is not UTF-8: rename the file or folder")


def _told(message: str, code: int) -> int:
    tell(message)
    return code
