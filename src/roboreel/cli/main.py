"""The command's entry point: runs commands, and turns errors into one message and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Annotated

import typer

from roboreel import __version__
from roboreel.cli.cache import cache
from roboreel.cli.check import check
from roboreel.cli.convert import convert
from roboreel.cli.demo import demo
from roboreel.cli.diff import diff
from roboreel.cli.edit.episodes import delete, keep, reorder, shuffle
from roboreel.cli.edit.features import features
from roboreel.cli.edit.files import compact, merge
from roboreel.cli.edit.split import split
from roboreel.cli.edit.tasks import tasks
from roboreel.cli.edit.trim import trim
from roboreel.cli.edit.video import encode, resample
from roboreel.cli.edit.view_files import edit, write
from roboreel.cli.finalize import finalize
from roboreel.cli.info import info
from roboreel.cli.output import exit_code, lost, say, start, tell
from roboreel.cli.pull import pull
from roboreel.cli.push import push
from roboreel.cli.repair import repair
from roboreel.cli.stats import stats
from roboreel.cli.stopping import INTERRUPTED, leave_on_sigterm
from roboreel.cli.undo import undo
from roboreel.errors import RoboreelError, UsageError
from roboreel.storage.names import is_utf8

app = typer.Typer(
    name="roboreel",
    help="Robot datasets in the LeRobot format: open, convert, edit and check every version.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(info)
app.command()(check)
app.command()(repair)
app.command()(convert)
app.command()(diff)
for _edit in (
    delete,
    keep,
    split,
    merge,
    trim,
    reorder,
    shuffle,
    features,
    tasks,
    resample,
    encode,
):
    app.command()(_edit)
app.command()(compact)
app.add_typer(edit)
app.command()(write)
app.command()(finalize)
app.command()(stats)
app.command()(pull)
app.command()(push)
app.command()(undo)
app.add_typer(cache)
app.command()(demo)


@app.callback(invoke_without_command=True)
def _options(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    if version:
        say(f"roboreel {__version__}")
        raise typer.Exit


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
    try:
        _refuse_other_than_utf8(sys.argv[1:])
        app()
    except SystemExit as left:
        return left.code if isinstance(left.code, int) else int(left.code is not None)
    except UsageError as error:
        return _told(f"error: {error}", 2)
    except RoboreelError as error:
        return _told(f"error: {error}", 1)
    except KeyboardInterrupt:  # before a command began, or after it ended
        return _told("interrupted", INTERRUPTED)
    except MemoryError:
        return _told("error: this takes more memory than there is", 1)
    except OSError as error:
        if error.filename is None:  # from printing, such as help: `exit_code` reports it
            lost(error)
            return 1
        return _told(f"error: {error}", 1)
    return 0


def _refuse_other_than_utf8(arguments: Iterable[str]) -> None:
    for argument in arguments:
        if not is_utf8(argument):
            raise UsageError(f"the argument '{argument}' is not UTF-8: rename the file or folder")


def _told(message: str, code: int) -> int:
    tell(message)
    return code
