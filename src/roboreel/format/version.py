"""Format versions: the only module, besides the renderers, that spells their names."""

from __future__ import annotations

from enum import Enum

from roboreel.errors import UsageError


class FormatVersion(str, Enum):
    """A version of the LeRobot dataset format, as in `codebase_version` of `info.json`."""

    V20 = "v2.0"
    V21 = "v2.1"
    V30 = "v3.0"

    @property
    def one_file_per_episode(self) -> bool:
        """True if each episode has its own table file, and its own video file per camera."""
        return self is not FormatVersion.V30

    @property
    def has_episode_stats(self) -> bool:
        """True if statistics are stored per episode, not only for the whole dataset."""
        return self is not FormatVersion.V20

    @property
    def has_global_stats(self) -> bool:
        """True if statistics of the whole dataset are stored, and readers use them."""
        return self is not FormatVersion.V21

    @property
    def has_quantiles(self) -> bool:
        """True if numeric statistics include quantiles."""
        return self is FormatVersion.V30

    def __str__(self) -> str:
        return str(self.value)


VERSIONS = tuple(FormatVersion)


def parse_version(text: str | FormatVersion) -> FormatVersion:
    """The version named `text`, with or without the leading `v`.

    Raises:
        UsageError: there is no such version.

    """
    name = str(text).strip()
    for version in VERSIONS:
        if name in (version.value, version.value[1:]):
            return version
    known = ", ".join(version.value for version in VERSIONS)
    raise UsageError(f"unknown format version '{name}': expected one of {known}")
