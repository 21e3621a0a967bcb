"""Defaults of options from the environment and the user's configuration file."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from roboreel.dataset.user_files import read_text
from roboreel.errors import UsageError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FILE = "roboreel.toml"
_PREFIX = "ROBOREEL_"
CACHE = f"{_PREFIX}CACHE"
"""The variable that names the cache folder, which is no option."""
_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off", "")


@dataclass(frozen=True, slots=True)
class Setting:
    """An option that can have a default of the user's."""

    name: str
    """Of the parameter of commands, and the key in the file."""
    default: str
    """The default, in words."""
    built_in: Any
    """The default as a value; None if it depends on the dataset or command. Typed `Any`: settings have values
    of several types."""
    expected: str
    """The expected value, in words."""
    parse: Callable[[Any], Any]
    """The value in what a file or the environment has; raises `ValueError`."""

    @property
    def option(self) -> str:
        """Name on the command line."""
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """Name in the environment."""
        return _PREFIX + self.name.upper()


@dataclass(frozen=True, slots=True)
class Found:
    """A value of a setting, and where it is from."""

    setting: Setting
    value: Any
    """None if it is not set. Typed `Any`: settings have values of several types."""
    origin: str
    """`environment`, the path of the file, or `default`."""


def _whole(raw: Any) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int | str) or int(raw) < 1:
        raise ValueError(raw)
    return int(raw)


def _number(least: float) -> Callable[[Any], float]:
    def parse(raw: Any) -> float:
        if isinstance(raw, bool) or not least <= float(raw) < float("inf"):
            raise ValueError(raw)
        return float(raw)

    return parse


def _boolean(raw: Any) -> bool:
    text = str(raw).strip().lower()
    if text not in (*_TRUE, *_FALSE):
        raise ValueError(raw)
    return text in _TRUE


def _one_of(*choices: str) -> Callable[[Any], str]:
    def parse(raw: Any) -> str:
        if raw not in choices:
            raise ValueError(raw)
        return str(raw)

    return parse


def _choice(name: str, default: str, built_in: str | None, *choices: str) -> Setting:
    return Setting(name, default, built_in, f"one of {', '.join(choices)}", _one_of(*choices))


_YES = "true or false"
SETTINGS = (
    Setting("workers", "1", 1, "an integer of 1 or more", _whole),
    _choice("executor", "process or serial, as needed", None, "serial", "thread", "process", "ray"),
    Setting("timeout_factor", "1.0", 1.0, "a number of 0 or more", _number(0)),
    _choice("video_backend", "pyav", "pyav", "pyav", "torchcodec", "decord"),
    _choice("timestamps", "regular; in edits: keep", None, "regular", "keep"),
    Setting(
        "data_file_mb",
        "the dataset's own, else 100",
        None,
        "a positive number of MiB",
        _number(1e-6),
    ),
    Setting(
        "video_file_mb",
        "the dataset's own, else 200",
        None,
        "a positive number of MiB",
        _number(1e-6),
    ),
    Setting("follow_links", "false", False, _YES, _boolean),
    Setting("quiet", "false", False, _YES, _boolean),
)
"""What chooses episodes, names a result or leaves something out has no setting: that is said each time."""
_BY_NAME = {setting.name: setting for setting in SETTINGS}


def config_file() -> str:
    """Path of the user's configuration file, which may not exist.

    `XDG_CONFIG_HOME` counts first; else the platform's folder: `~/.config`, `~/Library/Application Support`
    or `%APPDATA%`.
    """
    base = os.environ.get("XDG_CONFIG_HOME")
    if not base and sys.platform == "win32":
        base = os.environ.get("APPDATA")
    elif not base and sys.platform == "darwin":
        base = os.path.join(os.path.expanduser("~"), "Library", "Application Support")
    return os.path.join(base or os.path.join(os.path.expanduser("~"), ".config"), "roboreel", FILE)


def found_settings() -> Iterator[Found]:
    """Every setting with its value: of the environment, else of the file, else none.

    Raises:
        UsageError: a value or a key is wrong; names the variable, or the file and the key.
        StorageError: the file cannot be read.
    """
    path = config_file()
    file = _read(path)
    for setting in SETTINGS:
        if setting.variable in os.environ:
            raw = os.environ[setting.variable]
            yield Found(setting, _parsed(setting, raw, setting.variable), "environment")
        elif setting.name in file:
            where = f"'{path}', key '{setting.name}'"
            yield Found(setting, _parsed(setting, file[setting.name], where), path)
        else:
            yield Found(setting, None, "default")


def filled(context: Any) -> None:
    """Replace the defaults of a command's options by the user's; what is typed counts first.

    Args:
        context: of the command, after its arguments are parsed. Its class differs among releases of typer.
    """
    names = _BY_NAME.keys() & context.params.keys()
    if not names:
        return
    for found in found_settings():
        name = found.setting.name
        source = context.get_parameter_source(name) if name in names else None
        if found.value is not None and source is not None and source.name == "DEFAULT":
            context.params[name] = found.value


def near_names(name: str) -> list[str]:
    """The setting that is most likely meant by an unknown name."""
    return get_close_matches(name.lower().replace("-", "_"), _BY_NAME, 1, 0.75)


def unknown_variables() -> list[str]:
    """The variables of the environment that look like settings but are none, in alphabetical order."""
    known = {CACHE, *(setting.variable for setting in SETTINGS)}
    return sorted(name for name in os.environ if name.startswith(_PREFIX) and name not in known)


def _parsed(setting: Setting, raw: Any, where: str) -> Any:
    try:
        return setting.parse(raw)
    except (ValueError, TypeError):
        raise UsageError(f"{where}: '{raw}' is not valid: expected {setting.expected}") from None


def _read(path: str) -> Mapping[str, Any]:
    """The keys of the file; empty if there is none."""
    if not os.path.isfile(path):
        return {}
    try:
        content = tomllib.loads(read_text(path))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"'{path}' is not a valid TOML file: {error}") from None
    unknown = sorted(content.keys() - _BY_NAME.keys())
    if unknown:
        near = near_names(unknown[0])
        advice = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(_BY_NAME)}"
        raise UsageError(f"'{path}': unknown setting '{unknown[0]}': {advice}")
    return content
