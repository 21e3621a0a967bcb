"""The description of the package on an index: README with links that work outside of the repository."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_LINK = re.compile(r"(!?)(\[[^\]]*\]\()([^)\s]+)\)")


class ReadmeHook(MetadataHookInterface):
    """Sets `readme` from README.md."""

    PLUGIN_NAME = "custom"

    def update(self, metadata: dict[str, Any]) -> None:
        """Add the description to the metadata."""
        readme = (Path(self.root) / "README.md").read_text("utf-8")
        text = absolute_links(readme, metadata["urls"]["Source"])
        metadata["readme"] = {"content-type": "text/markdown", "text": text}


def absolute_links(readme: str, repository: str) -> str:
    """README with links into the repository as URLs, and images as URLs of their content."""

    def absolute(link: re.Match[str]) -> str:
        image, text, target = link.groups()
        if "://" in target or target.startswith("#"):
            return link[0]
        return f"{image}{text}{repository}/{'raw' if image else 'blob'}/main/{target})"

    return _LINK.sub(absolute, readme)
