"""What to type instead, after the arguments of a command could not be parsed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from roboreel.cli.catalog import ENTRIES
from roboreel.cli.failures.advice import (
    PAIRS,
    RESULTS,
    Advice,
    example_source,
    replaced,
    typed,
    with_output,
)
from roboreel.cli.failures.lerobot_words import lerobot_advice
from roboreel.cli.failures.unknown_options import no_option
from roboreel.errors import UsageError
from roboreel.format.version import FormatVersion, parse_version
from roboreel.hub.reference import is_repo_id

_NAMES = [entry.name for entry in ENTRIES]
_OTHERS = {
    "add": "features",
    "check-dataset": "check",
    "compare": "diff",
    "concat": "merge",
    "concatenate": "merge",
    "cut": "trim",
    "download": "pull",
    "export": "convert",
    "filter": "keep",
    "fix": "repair",
    "fps": "resample",
    "get": "pull",
    "inspect": "info",
    "join": "merge",
    "list": "info",
    "ls": "info",
    "migrate": "convert",
    "reencode": "encode",
    "remove": "delete",
    "rename": "features",
    "restore": "undo",
    "revert": "undo",
    "rm": "delete",
    "select": "keep",
    "show": "info",
    "transcode": "encode",
    "upgrade": "convert",
    "upload": "push",
    "validate": "check",
    "verify": "check",
    "view": "info",
    "visualize": "info",
    "version": "--version",
}
"""Commands by words that other tools have for them."""
_EXAMPLES = {"merge": "monday tuesday", "pull": "lerobot/pusht", "demo": "demo", "config": ""}
"""What a command is given in a line to type, where that is no dataset."""
_EXTRA = re.compile(r"unexpected extra argument(?:s|\(s\))? \(([^\s()]+)\)")
_LISTED = re.compile(r"\[?\d+(:\d*)?(,\d+(:\d*)?)*[,\]]*")
_OF_EPISODES = ("delete", "keep")
_GIVEN = {
    "SRC": "a folder, user/name[@REVISION] on the Hub, a URL or a view file",
    "SRC…": "datasets, each a folder, user/name[@REVISION] on the Hub, a URL or a view file",
    "A": "two datasets: folders, user/name[@REVISION] on the Hub, or URLs",
    "B": "the second dataset too: a folder, user/name[@REVISION] on the Hub, or a URL",
    "DIR": "the folder of the dataset",
    "[record|messy] DIR": "the folder to make",
    "USER/NAME": "the name of the repository on the Hub, which is created if it does not exist",
    "DATASET": "the folder of the dataset, or user/name of a local copy",
    "STAGING": "the folder in which workers staged episodes",
    "VIEW": "a view file, whose name ends in .view.json",
    "--to": f"the format version to write, {', '.join(one.value for one in FormatVersion)}",
    "--out": "the folder to write to, which must be empty or not exist",
    "--dir": "the folder of the cache",
}
"""What an argument or option that is missing is."""
_SOURCES = ("SRC", "SRC…")
_MANY = ("--episodes", "--order", "--uid")
_EXAMPLE_OF = {
    "REF": "lerobot/pusht",
    "DATASET": "my_dataset",
    "DIR": "my_dataset",
    "STAGING": "staging",
    "VIEW": "my_dataset.view.json",
    "[record|messy] DIR": "demo",
    "B": "other_dataset",
}
"""What stands for an argument in a line to type, but for datasets to read."""


def parse_advice(error: Any, words: Sequence[str]) -> Advice:
    """The message of a parse error, and lines to type instead.

    Args:
        error: the error of click, whose class differs among releases of typer.
        words: the arguments as typed.
    """
    found = lerobot_advice(words)
    if found is not None:
        return found
    path = error.ctx.command_path if getattr(error, "ctx", None) else _command_in(words)
    if words[:1] == ["edit"] and words[1:]:
        path = path.replace("{VIEW}", words[1])
    absent = re.search(r"No such command ['\"](.*?)['\"](?:\.|$)", error.message)
    if absent is not None:
        return _no_command(absent[1], words, path)
    joined = _joined(words)
    if joined is not None:
        return Advice(
            "separate the numbers by commas, without spaces", ((typed(with_output(joined)), ""),)
        )
    named = _named(words)
    if named is not None:
        return Advice(
            "give the numbers of episodes with --episodes", ((typed(with_output(named)), ""),)
        )
    option = getattr(error, "option_name", None)
    if option and "No such option" in error.message:
        return no_option(str(option), error.ctx, words, path)
    pair = _pair_joined(words, error.message)
    if pair is not None:
        return Advice("join the old and the new by '='", ((typed(pair), ""),))
    output = _output_named(words, error.message)
    if output is not None:
        return Advice("the output is named with -o", ((typed(output), ""),))
    if type(error).__name__ == "MissingParameter":
        return _missing(error, words, path)
    text = re.sub(r"^Value error, ", "", error.message).rstrip(".")
    param = getattr(error, "param", None)
    if param is not None:
        text = f"{_name(param)}: {_with_choices(text, param)}"
    return Advice(_begun_small(text), ((f"{path} --help", ""),))


def _command_in(words: Sequence[str]) -> str:
    """`roboreel` with the command that was typed first, for errors that do not name one."""
    return f"roboreel {words[0]}" if words and words[0] in _NAMES else "roboreel"


def _no_command(name: str, words: Sequence[str], path: str) -> Advice:
    if path != "roboreel":
        return Advice(f"`{path}` has no command '{name}'", ((f"{path} --help", ""),))
    word = name.lower().replace("_", "-")
    if word == "help":
        return Advice("help is an option", ((typed([*words[1:2], "--help"]), ""),))
    if word == "rename" and len(words) > 3:
        pair = ["features", words[1], "--rename", f"{words[2]}={words[3]}", *words[4:]]
        return Advice(f"there is no command '{name}'", ((typed(with_output(pair)), ""),))
    near = [_OTHERS[word]] if word in _OTHERS else get_close_matches(word, _NAMES, 2, 0.6)
    meant = [_whole(replaced(words, name, other)) for other in near]
    meant = [with_output(_named(line) or line) if len(line) > 2 else line for line in meant]
    lines = [(typed(line), "") for line in meant]
    return Advice(f"there is no command '{name}'", tuple(lines or [("roboreel --help", "")]))


def _whole(words: Sequence[str]) -> list[str]:
    """The arguments with an example of a dataset if nothing but a command was typed."""
    is_command = len(words) == 1 and words[0] in _NAMES
    example = _EXAMPLES.get(words[0], "my_dataset") if is_command else ""
    return [*words, *example.split()]


def _output_named(words: Sequence[str], message: str) -> list[str] | None:
    """The arguments with `convert SRC DST` as `convert SRC -o DST`; None without such a DST."""
    extra = _EXTRA.search(message)
    lacks_output = not any(word in ("-o", "--out", "--in-place") for word in words)
    if extra is None or extra[1] not in words or _is_version(extra[1]):
        return None
    if words[0] not in RESULTS or not lacks_output:
        return None
    at = words.index(extra[1])
    return [*words[:at], "-o", *words[at:]]


def _pair_joined(words: Sequence[str], message: str) -> list[str] | None:
    """The arguments with `--rename OLD NEW` as `--rename OLD=NEW`; None without such a pair."""
    extra = _EXTRA.search(message)
    at = words.index(extra[1]) if extra is not None and extra[1] in words else 0
    if at < 2 or words[at - 2] not in PAIRS or "=" in words[at - 1]:
        return None
    return [*words[: at - 1], f"{words[at - 1]}={words[at]}", *words[at + 1 :]]


def _missing(error: Any, words: Sequence[str], path: str) -> Advice:
    """A message about an argument or option that has to be given."""
    param = error.param
    example = str(param.metavar or param.name)
    if param.param_type_name == "argument":
        given = example_source() if example in _SOURCES else _EXAMPLE_OF.get(example, example)
        if example == "USER/NAME" and is_repo_id(words[-1]):
            given = words[-1]
        return Advice(_missed(param), ((typed([*words, given]), ""),))
    value = {"VERSION": FormatVersion.V30.value, "DST": "result", "DIR": "frames"}.get(
        example, example
    )
    if example == "VERSION" and (stated := [word for word in words if _is_version(word)]):
        value, words = stated[-1], [word for word in words if word != stated[-1]]
    line = typed(with_output([*words, max(param.opts, key=len), value]))
    return Advice(_missed(param), ((line, ""),))


def _missed(param: Any) -> str:
    """That an argument or option is missing, and what it is."""
    name, said = _name(param), str(param.help or "see --help").replace("Required.", "").strip()
    return f"{name} is missing: give {_GIVEN.get(name) or _begun_small(said)}".rstrip(".")


def _is_version(word: str) -> bool:
    """True for a version that was typed without `--to`."""
    try:
        parse_version(word)
    except UsageError:
        return False
    return True


def _begun_small(text: str) -> str:
    return text[:1].lower() + text[1:] if text[1:2].islower() else text


def _name(param: Any) -> str:
    if param.param_type_name == "argument":
        return str(param.metavar or param.name)
    return str(max(param.opts, key=len))


def _with_choices(text: str, param: Any) -> str:
    choices = "|" in str(param.metavar) and f": expected {param.metavar.replace('|', ', ')}"
    return f"{text.split(' is not one of')[0]} is not valid{choices}" if choices else text


def _joined(words: Sequence[str]) -> list[str] | None:
    """The arguments with `--episodes 3 4 5` or `[3, 4, 5]` as `3,4,5`; None if there is no such list."""
    for at, word in enumerate(words):
        if word not in _MANY:
            continue
        stop = at + 1
        while stop < len(words) and _LISTED.fullmatch(words[stop]):
            stop += 1
        if stop - at > 2:
            numbers = [part.strip("[],") for part in words[at + 1 : stop]]
            return [*words[: at + 1], ",".join(filter(None, numbers)), *words[stop:]]
    return None


def _named(words: Sequence[str]) -> list[str] | None:
    """The arguments with `delete SRC 3 4` as `delete SRC --episodes 3,4`; None without such numbers."""
    first = 2 if words[:1] == ["edit"] else 0  # the verb is behind the view file
    if words[first : first + 1] == [] or words[first] not in _OF_EPISODES or _MANY[0] in words:
        return None
    start = stop = 3 if first else 2
    while stop < len(words) and _LISTED.fullmatch(words[stop]):
        stop += 1
    numbers = [part.strip("[],") for part in words[start:stop]]
    return [*words[:start], _MANY[0], ",".join(numbers), *words[stop:]] if numbers else None
