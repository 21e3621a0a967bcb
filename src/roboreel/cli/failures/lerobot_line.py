"""A line as a user of lerobot types it, read option by option: what is not taken is told."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

_KEY = re.compile(r"--?(?:operation\.|dataset\.)?([A-Za-z_][\w.-]*)(?:=(.*))?", re.DOTALL)
_SCOPED = ("--operation.", "--dataset.")
_PYTHON = re.compile(r"python[\d.]*|-m|uv|run")
_TRUE, _FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off")
_MAPPED = re.compile(r"\{.*\}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class LerobotLine:
    """A command, its options and other words; what a translation takes is marked as taken."""

    spelled: str
    """The command as typed; empty if there is none."""
    options: Mapping[str, Sequence[str]]
    """Values by the option's name with underscores, without `operation.` and `dataset.`."""
    as_typed: Mapping[str, str]
    """How each option was spelled."""
    words: list[str]
    """What belongs to no option, and nothing has taken."""
    taken: set[str] = field(default_factory=set)

    @property
    def command(self) -> str:
        """The command's name with underscores, without path, `.py` and `lerobot_`."""
        name = self.spelled.split("/")[-1].removesuffix(".py").split(".")[-1]
        return plain(name).removeprefix("lerobot_")

    def has(self, *names: str) -> bool:
        """True if one of these options was typed."""
        return any(name in self.options for name in names)

    def first(self, *names: str) -> str | None:
        """The value of the first of these options that has one; takes that option."""
        for name in names:
            if self.options.get(name):
                self.taken.add(name)
                return " ".join(self.options[name])
        return None

    def next_word(self) -> str | None:
        """The first word that belongs to no option; takes it."""
        return self.words.pop(0) if self.words else None

    def only_word(self) -> str | None:
        """The word that belongs to no option, if it is the only one; takes it."""
        return self.words.pop() if len(self.words) == 1 else None

    def listed_words(self) -> list[str]:
        """The items of the words that belong to no option, as in `items`; takes them."""
        found = _items(self.words)
        self.words.clear()
        return found

    def truth(self, name: str) -> bool | None:
        """What a switch was set to, True without a value; None if it wasn't typed or has another value."""
        if name not in self.options:
            return None
        value = " ".join(self.options[name]).lower() or _TRUE[0]
        if value not in (*_TRUE, *_FALSE):
            return None
        self.taken.add(name)
        return value in _TRUE

    def items(self, *names: str) -> list[str]:
        """The items of a list: `[3, 4]`, `['a', 'b']`, `3,4` or `3 4`, of the first option that has one."""
        found = next((name for name in names if self.options.get(name)), None)
        if found is None:
            return []
        self.taken.add(found)
        return _items(self.options[found])

    def pairs(self, name: str) -> dict[str, object] | None:
        """The keys and values of `{"a": …}`; takes the option if it has this form, else returns None."""
        text = " ".join(self.options.get(name, ())).strip()
        if not _MAPPED.fullmatch(text):
            return None
        found = _literal(text)
        if not isinstance(found, dict):
            return None
        self.taken.add(name)
        return {str(key): value for key, value in found.items()}

    def left(self) -> list[str]:
        """The names of the options that nothing took, in their order."""
        return [name for name in self.options if name not in self.taken]

    def shown(self, name: str) -> str:
        """An option with its values, as typed."""
        return " ".join([self.as_typed[name], *self.options[name]])


def read_line(words: Sequence[str], switches: Collection[str] = ()) -> LerobotLine:
    """Read the arguments; `python -m` before the command is passed over.

    Args:
        words: the arguments as typed.
        switches: options without values, with underscores: a word after them is not theirs.
    """
    options: dict[str, list[str]] = {}
    as_typed: dict[str, str] = {}
    others: list[str] = []
    command, key = "", None
    for word in words:
        match = _KEY.fullmatch(word)
        if match is not None and not (word == "-m" and not command):
            key = plain(match[1])
            options.setdefault(key, [])
            as_typed.setdefault(key, word.split("=")[0])
            if match[2] is not None:
                options[key].append(match[2])
            elif key in switches:
                key = None
        elif key is not None:
            options[key].append(word)
        elif command:
            others.append(word)
        elif not _PYTHON.fullmatch(word):
            command = word
    return LerobotLine(command, options, as_typed, others)


def is_scoped(spelled: str) -> bool:
    """True for options that only lerobot has: `--operation.…` and `--dataset.…`."""
    return spelled.startswith(_SCOPED)


def plain(name: str) -> str:
    """A name with underscores."""
    return name.replace("-", "_")


def _items(words: Sequence[str]) -> list[str]:
    parts = (part.strip(" '\"[]") for word in words for part in word.split(","))
    return [part for part in parts if part]


def _literal(text: str) -> object:
    for parse in (json.loads, ast.literal_eval):
        try:
            return parse(text)
        except (ValueError, SyntaxError):
            continue
    return None
