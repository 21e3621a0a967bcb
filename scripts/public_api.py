"""List the public names with their signatures, as tests/public_api.txt pins them.

    python scripts/public_api.py            # print the difference from the file; exits with 1 if there is one
    python scripts/public_api.py --write    # after a review: write the file

`roboreel.torch` is listed where torch is installed, and else taken from the file.
"""

from __future__ import annotations

import dataclasses
import difflib
import enum
import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

PINNED = Path(__file__).parent.parent / "tests" / "public_api.txt"
MODULES = ("roboreel", "roboreel.torch", "roboreel.sink", "roboreel.ray", "roboreel.testing")
_HEAD = "# The public names and signatures. After a review: python scripts/public_api.py --write\n"


def main() -> int:
    """Compare or write; returns the exit code."""
    listed = text()
    pinned = PINNED.read_text("utf-8") if PINNED.exists() else ""
    if "--write" in sys.argv[1:]:
        PINNED.write_text(listed, "utf-8")
        return 0
    lines = difflib.unified_diff(
        pinned.splitlines(), listed.splitlines(), "pinned", "now", "", "", 0
    )
    print("\n".join(lines) or "as pinned")
    return int(pinned != listed)


def text() -> str:
    """The whole list."""
    return "\n".join([_HEAD, *(section(module) for module in MODULES)])


def section(module: str) -> str:
    """The names of one module, in alphabetical order."""
    if module == "roboreel.torch" and find_spec("torch") is None:
        return pinned_section(module)
    home = importlib.import_module(module)
    lines = [f"[{module}]"]
    for name in sorted(home.__all__):
        lines += described(name, getattr(home, name))
    return "\n".join([*lines, ""])


def pinned_section(module: str) -> str:
    """A module's part of the file."""
    found = re.search(
        rf"^\[{re.escape(module)}\]\n(?:(?!\[).*\n)*", PINNED.read_text("utf-8"), re.M
    )
    return found[0].rstrip("\n") + "\n" if found else ""


def described(name: str, value: Any) -> Iterator[str]:
    """The lines of one name: a signature, and of a class its members."""
    if inspect.isclass(value):
        bases = ", ".join(base.__name__ for base in value.__bases__ if base is not object)
        yield f"class {name}({bases})" if bases else f"class {name}"
        yield from (f"    {line}" for line in _members(value))
    elif inspect.isroutine(value):
        yield f"def {name}{_signature(value)}"
    elif isinstance(value, (str, Path)):  # a version, a folder
        yield f"{name}: {type(value).__name__}"
    else:
        yield f"{name} = {_Written(value)!r}"


def _members(class_: Any) -> Iterator[str]:
    if issubclass(class_, enum.Enum):
        yield from (f"{member.name} = {member.value!r}" for member in class_)
    elif issubclass(class_, BaseException):
        return
    if dataclasses.is_dataclass(class_):
        yield from (f"{f.name}: {f.type}" for f in dataclasses.fields(class_) if f.name[0] != "_")
    elif "__init__" in vars(class_):
        yield f"__init__{_signature(vars(class_)['__init__'])}"
    for name in sorted(_own_names(class_)):
        yield from _member(name, inspect.getattr_static(class_, name))


def _own_names(class_: Any) -> set[str]:
    """Public names of a class and of its bases in this package, without fields."""
    ours = [base for base in class_.__mro__ if base.__module__.startswith("roboreel")]
    names = {name for base in ours for name in vars(base) if not name.startswith("_")}
    fields = (
        {f.name for f in dataclasses.fields(class_)} if dataclasses.is_dataclass(class_) else set()
    )
    members = set(class_.__members__) if issubclass(class_, enum.Enum) else set()
    return names - fields - members


def _member(name: str, value: Any) -> Iterator[str]:
    if isinstance(value, property):
        returned = getattr(value.fget, "__annotations__", {}).get("return")
        yield f"{name}: {returned}" if returned else name
    elif isinstance(value, (classmethod, staticmethod)):
        yield f"def {name}{_signature(value.__func__)}"
    elif inspect.isfunction(value):
        yield f"def {name}{_signature(value)}"
    elif hasattr(value, "func"):  # cached_property
        yield f"{name}: {value.func.__annotations__.get('return')}"


def _signature(function: Any) -> str:
    """The signature, with annotations as written."""
    signature = inspect.signature(function)
    parameters = [
        p.replace(annotation=_Written(p.annotation)) for p in signature.parameters.values()
    ]
    returned = _Written(signature.return_annotation)
    shown = str(signature.replace(parameters=parameters, return_annotation=returned))
    shown = re.sub(r": inspect\._empty(?= = )", "", shown).replace(": inspect._empty", "")
    return re.sub(
        r" = (?:<[^>]*object[^>]*>|<factory>)", " = ...", shown.replace(" -> inspect._empty", "")
    )


class _Written:
    """An annotation that prints as it is written, without the modules of its names."""

    def __init__(self, annotation: Any) -> None:
        text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
        # what numpy's alias stands for: releases before 2.5 do not print its name
        text = re.sub(
            r"numpy\.ndarray\[tuple\[(?:int|typing\.Any), \.\.\.\], numpy\.dtype\[([\w.]+)\]\]",
            r"NDArray[\1]",
            text,
        )
        self.text = re.sub(
            r"\b(?:typing|collections\.abc|os|roboreel(?:\.\w+)+)\.(?=[A-Z])", "", text
        )

    def __repr__(self) -> str:
        return self.text


if __name__ == "__main__":
    sys.exit(main())
