"""What a `LeRobotDataset` can do to push itself to the Hub."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from roboreel.hub.push import push
from roboreel.torch.compat.old_names import of_public_class


@of_public_class("LeRobotDataset")
class PushCalls:
    """Pushing, for `LeRobotDataset`."""

    repo_id: str
    root: Path

    def push_to_hub(
        self,
        branch: str | None = None,
        tags: Sequence[str] | None = None,
        license: str | None = "apache-2.0",
        tag_version: bool = True,
        push_videos: bool = True,
        private: bool | None = None,
        allow_patterns: Sequence[str] | str | None = None,
        upload_large_folder: bool = False,
        *,
        remove_files: bool = False,
        **card_kwargs: Any,
    ) -> None:
        """Push the dataset to the Hub: see `roboreel.hub.push`. The parameters are those of the reference.

        Args:
            branch: the branch to push to, created if it does not exist.
            tags: tags to add to the dataset card.
            license: license of the dataset card.
            tag_version: tag the commit with the version.
            push_videos: False leaves videos out.
            private: whether a new repository is private.
            allow_patterns: push only files that match.
            upload_large_folder: commit every few files.
            remove_files: remove files of the format on the Hub that the dataset does not have; without it, a
                push that would leave such files is refused.
            card_kwargs: fields of a new card: `dataset_description`, `url`, `paper`, `citation_bibtex`.

        Raises:
            UsageError, HubError, MissingDependencyError: as `roboreel.hub.push`.
        """
        push(
            self.root,
            self.repo_id,
            branch=branch,
            tags=tags or (),
            license=license,
            tag=tag_version,
            videos=push_videos,
            private=private,
            allow=allow_patterns or (),
            large=upload_large_folder,
            remove=remove_files,
            card=card_kwargs,
        )
