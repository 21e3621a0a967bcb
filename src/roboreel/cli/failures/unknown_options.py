"""What to type instead of an option that a command does not have."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from roboreel.cli.failures.advice import PAIRS, Advice, typed, with_output
from roboreel.dataset.open import open_dataset
from roboreel.errors import RoboreelError

_NEAR = 0.7
"""How similar an option must be to be suggested; 1 is equal."""
_OVERWRITING = ("--force", "--overwrite", "--yes", "--exist-ok", "--replace", "-f", "-y")
_MEANT = {
    "--drop": "--remove",
    "--delete": "--remove",
    "--rename": "--replace",
    "--cut": "--start",
    "--from": "--start",
    "--until": "--end",
    "--quality": "--crf",
    "--codec": "--vcodec",
    "--jobs": "--workers",
    "--joint": "--feature",
    "--output": "--out",
    "--version": "--to",
}
"""Options by words that other tools have for them, where a command has the former."""
_LISTED = re.compile(r"[\d:,]+")
_NUMBER = re.compile(r"0?\.\d+|[01]\.0*")


def no_option(option: str, context: Any, words: Sequence[str], path: str) -> Advice:
    """The message about an unknown option, and lines to type instead.

    Args:
        option: the option as typed.
        context: the context of click, whose class differs among releases of typer.
        words: the arguments as typed.
        path: the command as it is called: `roboreel merge`.
    """
    known = [
        name for param in context.command.params for name in [*param.opts, *param.secondary_opts]
    ]
    known = [name for name in known if name.startswith("-")]
    message = f"`{path}` has no option '{option}'"
    if option in _OVERWRITING and "--out" in known:
        in_place = ", or use --in-place" if "--in-place" in known else ""
        return Advice(f"{message}: results never replace anything. Choose another -o{in_place}")
    if path == "roboreel" and len(words) > 1:
        after = [word for word in words if word != option]
        return Advice(f"{message}: options follow the command", ((typed([*after, option]), ""),))
    if option == "--seconds" and "--start" in known and option in words[:-1]:
        at = words.index(option)
        start, colon, end = words[at + 1].replace("s", "").partition(":")
        ends = [("--start", start), ("--end", end)]
        given = [part for name, value in ends if value for part in (name, f"{value}s")]
        line = [*words[:at], *given, *words[at + 2 :]]
        effect = "" if colon else "cuts off what is before"
        return Advice(message, ((typed(with_output(line)), effect),))
    switch = option.removeprefix("--no-")
    if switch != option and f"--{switch}" in known:
        variable = f"ROBOREEL_{switch.upper().replace('-', '_')}=false"
        without = typed([word for word in words if word != option])
        off = switch in ("quiet", "follow-links")
        return Advice(message, ((f"{variable} {without}" if off else without, ""),))
    if option == "--in-place" and "--out" in known:
        return Advice(f"{message}: give a folder for the result with -o DST")
    if "--into" in known and (parts := _as_parts(words, known)) is not None:
        return Advice(message, ((typed(parts), ""),))
    spelled = option.replace("_", "-").lower()
    near = [name for name in (spelled, _MEANT.get(spelled, "")) if name in known]
    near = near[:1] or _near(spelled, known)
    flags = [
        name
        for one in context.command.params
        if getattr(one, "is_flag", False)
        for name in one.opts
    ]
    renamed = [_joined(_renamed(words, option, name, name in flags), name) for name in near]
    if option == "--joint":
        renamed = [with_features(line) for line in renamed]
    lines = [(typed(with_output(words)), "") for words in renamed]
    return Advice(message, tuple(lines or [(f"{path} --help", "")]))


def with_features(words: Sequence[str]) -> list[str]:
    """The arguments of `stats` with features for names of components: `joint_0`, `action.joint_0`."""
    line = [*words]
    try:
        features = open_dataset(words[1]).features if words[0] == "stats" else {}
    except RoboreelError:
        return line
    every = [(name, part) for name, one in features.items() for part in one.dimension_names or ()]
    owner = {part: name for name, part in reversed(every)}
    owner |= {f"{name}.{part}": name for name, part in every} | {name: name for name in features}
    for at in range(1, len(words)):
        if words[at - 1] in ("--feature", "--features"):
            names = [owner.get(name, name) for name in words[at].split(",")]
            line[at] = ",".join(dict.fromkeys(names))
    return line


def _near(option: str, known: Sequence[str]) -> list[str]:
    """The most similar option, compared without dashes; none if all are too different."""
    names = {name.lstrip("-"): name for name in known if name.startswith("--")}
    return [names[name] for name in get_close_matches(option.lstrip("-"), names, 1, _NEAR)]


def _renamed(words: Sequence[str], option: str, name: str, is_flag: bool) -> list[str]:
    """The arguments with another option; a flag takes no number."""
    if (
        is_flag
        and option in words
        and _LISTED.fullmatch("".join(words[words.index(option) + 1 :][:1]))
    ):
        at = words.index(option)
        words = [*words[: at + 1], *words[at + 2 :]]
    pattern = re.compile(
        rf"{re.escape(option)}(?:=.*|$)" if is_flag else rf"{re.escape(option)}(?==|$)"
    )
    return [pattern.sub(name, word, count=1) for word in words]


def _joined(words: Sequence[str], option: str) -> list[str]:
    """The arguments with `--replace OLD NEW` as `--replace OLD=NEW`."""
    at = words.index(option) if option in PAIRS and option in words else len(words)
    pair = words[at + 1 : at + 3]
    if len(pair) < 2 or "=" in pair[0] or pair[1].startswith("-"):
        return [*words]
    return [*words[: at + 1], "=".join(pair), *words[at + 3 :]]


def _as_parts(words: Sequence[str], known: Sequence[str]) -> list[str] | None:
    """The arguments with `--train 0.8` as `--into train=0.8,val=0.2`; None without unknown fractions."""
    parts: dict[str, float] = {}
    others: list[str] = []
    at = 0
    while at < len(words):
        name, equals, value = words[at].partition("=")
        taken = 1 if equals else 2
        value = value if equals else "".join(words[at + 1 : at + 2])
        if name.startswith("--") and name not in known and _NUMBER.fullmatch(value):
            parts[name[2:]] = float(value)
            at += taken
        else:
            others.append(words[at])
            at += 1
    if not parts:
        return None
    left = round(1 - sum(parts.values()), 6)
    if left > 0:
        parts["val" if "val" not in parts else "test"] = left
    return [*others, "--into", ",".join(f"{name}={share:g}" for name, share in parts.items())]
