"""Format versions: the only place where their names are spelled, with the renderers beside it."""

from __future__ import annotations

from enum import Enum

from roboreel.errors import UsageError


class FormatVersion(str, Enum):
    """A version of the LeRobot dataset format, as `codebase_version` in `info.json` has it."""

    V20 = "v2.0"
    V21 = "v2.1"
    V30 = "v3.0"

    @property
    def one_file_per_episode(self) -> bool:
        """True where each episode has its own table file and its own file per camera."""
        return self is not FormatVersion.V30

    @property
    def has_episode_stats(self) -> bool:
        """True where statistics are stored per episode, not only for the whole dataset."""
        return self is not FormatVersion.V20

    @property
    def has_global_stats(self) -> bool:
        """True where statistics of the whole dataset are stored, and readers take them from there."""
        return self is not FormatVersion.V21

    @property
    def has_quantiles(self) -> bool:
        """True where numeric statistics include quantiles."""
        return self is FormatVersion.V30

    def __str__(self) -> str:
        return str(self.value)


VERSIONS = tuple(FormatVersion)


def parse_version(text: str | FormatVersion) -> FormatVersion:
    """The version named `text`, with or without the leading `v`.

    Raises:
        UsageError: roboreel knows no such version.
    """
    name = str(text).strip()
    for version in VERSIONS:
        if name in (version.value, version.value[1:]):
            return version
    known = ", ".join(version.value for version in VERSIONS)
    raise UsageError(f"unknown format version '{name}': expected one of {known}")
