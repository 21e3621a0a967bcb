"""The metadata of a dataset of any version, with the interface of lerobot's `LeRobotDatasetMetadata`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

from roboreel.dataset.dataset import Dataset
from roboreel.dataset.open import usual_templates
from roboreel.edit.view import View
from roboreel.errors import UsageError
from roboreel.format.model import INFO
from roboreel.format.version import FormatVersion
from roboreel.storage import disk
from roboreel.storage.local import LocalRoot
from roboreel.torch.compat.argument_types import require_name
from roboreel.torch.constants import (
    CODEBASE_VERSION,
    DEFAULT_FEATURES,
    HF_LEROBOT_HOME,
    HF_LEROBOT_HUB_CACHE,
)
from roboreel.torch.errors import ArgumentError, ExistsError
from roboreel.torch.metadata.dataset_info import DatasetInfo, create_empty_dataset_info
from roboreel.torch.metadata.document_files import commit, info_bytes
from roboreel.torch.metadata.metadata_writing import MetadataWriting
from roboreel.torch.sources.dataset_root import (
    as_root,
    has_documents,
    has_legacy_hub_download_metadata,
    usual_root,
)
from roboreel.torch.sources.given_source import given_source, source_name, source_root
from roboreel.torch.sources.hub_calls import get_safe_version, readable_revision, snapshot_download
from roboreel.torch.sources.missing_dataset import explaining_missing, refuse_missing_path
from roboreel.types import JsonObject

RepoType = Literal["dataset", "bucket"]
_VERSION = re.compile(r"v?\d+(\.\d+)*")
Patterns = Sequence[str] | str | None
_Metadata = TypeVar("_Metadata", bound="LeRobotDatasetMetadata")


class LeRobotDatasetMetadata(MetadataWriting):
    """What `meta/` says of a dataset: features, tasks, episodes, statistics. Reads v2.0, v2.1 and v3.0."""

    _created_version: ClassVar[FormatVersion] = FormatVersion.V30
    """The version of datasets that `create` begins."""

    def __init__(
        self,
        repo_id: str | Dataset | View,
        root: str | os.PathLike[str] | Dataset | View | None = None,
        revision: str | None = None,
        force_cache_sync: bool = False,
        metadata_buffer_size: int = 10,
        *,
        repo_type: RepoType = "dataset",
        token: str | bool | None = None,
    ) -> None:
        """Open a dataset's metadata, after downloading it where it is not here.

        Args:
            repo_id: `user/name`. Also the path of a folder or view file, a view or an open dataset.
            root: the folder, a view file, a view or an open dataset; by default `$HF_LEROBOT_HOME/{repo_id}`
                where that is a dataset, else a snapshot below `$HF_LEROBOT_HOME/hub`.
            revision: branch, tag or commit; by default the newest version that can be read.
            force_cache_sync: True asks the Hub even where the files are here.
            metadata_buffer_size: accepted; every episode is written when it is saved.
            repo_type: `dataset`, or `bucket` for a storage bucket.
            token: the Hub's token; None takes the stored one.

        Raises:
            DatasetError: the documents cannot be read safely.
            MissingFileError: there is no dataset, and it cannot be downloaded. It is a `FileNotFoundError`.
            ArgumentError: an unknown `repo_type`.
        """
        if repo_type not in ("dataset", "bucket"):
            raise ArgumentError(f"repo_type must be 'dataset' or 'bucket', got {repo_type!r}")
        self.repo_type = repo_type
        self.revision: str | None = revision or CODEBASE_VERSION
        self._begin_writing(metadata_buffer_size)
        self._source = given_source(repo_id, root)
        if self._source is not None:
            self._read_source(repo_id, root)
            return
        self.repo_id = require_name(repo_id)
        self._requested_root = None if root is None else as_root(root)
        self.root = self._requested_root or self._usual_root()
        mirror = root is None and has_legacy_hub_download_metadata(self.root)
        here = not (force_cache_sync or mirror) and has_documents(self.root)
        if not here:
            refuse_missing_path(self.repo_id, self.root)
            with explaining_missing(self.repo_id, self.root):
                self._resolve_revision(revision, token)
                self._pull_from_repo(allow_patterns="meta/", token=token)
        self._load_metadata()
        if here and revision is None:
            self.revision = self.info.codebase_version

    def _read_source(self, repo_id: Any, root: Any) -> None:
        assert self._source is not None
        self.repo_id = require_name(source_name(repo_id, self._source))
        self.root = self._requested_root = source_root(repo_id, root, self._source)
        if self.view is None and isinstance(self._source.root, LocalRoot):
            self._source = None  # a folder, which may change
        self._load_metadata()

    def _usual_root(self) -> Path:
        if self.repo_type == "bucket":
            return HF_LEROBOT_HUB_CACHE / f"buckets--{self.repo_id.replace('/', '--')}"
        return usual_root(self.repo_id, HF_LEROBOT_HOME)

    def _begin_writing(self, buffer_size: int) -> None:
        self.latest_episode = None
        self._metadata_buffer = []
        self._metadata_buffer_size = buffer_size
        self._finalized = False

    def _resolve_revision(self, revision: str | None, token: str | bool | None) -> None:
        """Find the tag or branch to download; without a wish, an older version will do."""
        given = {} if token is None else {"token": token}
        wanted = self.revision or CODEBASE_VERSION
        if self.repo_type != "dataset" or not _VERSION.fullmatch(wanted):
            return
        try:
            self.revision = get_safe_version(self.repo_id, wanted, **given)
        except Exception as error:
            if revision is not None:
                raise
            self.revision = readable_revision(self.repo_id, error, token)

    def _pull_from_repo(
        self,
        allow_patterns: Patterns = None,
        ignore_patterns: Patterns = None,
        *,
        token: str | bool | None = None,
    ) -> None:
        """Download files of the repository, and let `root` be where they are.

        Args:
            allow_patterns: names or globs of the files; None for all.
            ignore_patterns: those to leave out.
            token: the Hub's token.
        """
        if self.repo_type == "bucket":
            raise UsageError(
                f"'{self.repo_id}' is a storage bucket, which roboreel cannot download: copy it into a"
                " folder, and pass this folder as root"
            )
        given = {} if token is None else {"token": token}
        own = self._requested_root
        where = {"cache_dir": HF_LEROBOT_HUB_CACHE} if own is None else {"local_dir": own}
        found = snapshot_download(
            self.repo_id,
            repo_type="dataset",
            revision=self.revision,
            allow_patterns=allow_patterns,
            ignore_patterns=ignore_patterns,
            **where,
            **given,
        )
        self.root = as_root(found) if own is None else own

    pull_from_repo = _pull_from_repo

    @classmethod
    def create(
        cls: type[_Metadata],
        repo_id: str,
        fps: float,
        features: Mapping[str, JsonObject],
        robot_type: str | None = None,
        root: str | os.PathLike[str] | None = None,
        use_videos: bool = True,
        metadata_buffer_size: int = 10,
        chunks_size: int | None = None,
        data_files_size_in_mb: float | None = None,
        video_files_size_in_mb: float | None = None,
    ) -> _Metadata:
        """The metadata of a new v3.0 dataset without episodes; writes `info.json` into a new folder.

        Args:
            repo_id: `user/name`.
            fps: frames per second.
            features: `dtype`, `shape` and `names` by feature name; the index columns are added.
            robot_type: the robot.
            root: the folder, which must not exist; by default `$HF_LEROBOT_HOME/{repo_id}`.
            use_videos: False where no camera is stored as video.
            metadata_buffer_size: accepted; every episode is written when it is saved.
            chunks_size: files per chunk folder, 1000 by default.
            data_files_size_in_mb: soft limit of a table file in MiB, 100 by default.
            video_files_size_in_mb: soft limit of a video file in MiB, 200 by default.

        Raises:
            FileExistsError: the folder exists.
            ValueError: a number is not positive, a feature's name has a `/`, or there are cameras stored as
                video without `use_videos`.
        """
        meta = cls.__new__(cls)
        meta.repo_id, meta.repo_type, meta.revision = repo_id, "dataset", None
        meta._requested_root = None if root is None else as_root(root)
        meta.root = meta._requested_root or HF_LEROBOT_HOME / repo_id
        meta.info = create_empty_dataset_info(
            cls._created_version.value,
            fps,
            deepcopy({**features, **DEFAULT_FEATURES}),
            use_videos,
            robot_type,
            chunks_size,
            data_files_size_in_mb,
            video_files_size_in_mb,
        )
        meta.info.data_path, meta.info.video_path = _templates(meta.info, cls._created_version)
        meta._refuse_features(use_videos=use_videos)
        meta.tasks = meta.episodes = meta.stats = None
        meta._begin_writing(metadata_buffer_size)
        meta._make_folder()
        return meta

    def _refuse_features(self, *, use_videos: bool) -> None:
        slashed = [name for name in self.features if "/" in name]
        if slashed:
            raise ArgumentError(f"feature names must not contain '/': {slashed}")
        if self.video_keys and not use_videos:
            raise ArgumentError(
                f"the cameras {self.video_keys} have dtype 'video', but use_videos is False: pass"
                " use_videos=True, or declare them with dtype 'image'"
            )

    def _make_folder(self) -> None:
        if os.path.lexists(self.root):
            raise ExistsError(f"'{self.root}' already exists: choose a folder that does not exist")
        disk.make_folders(self.root)
        commit(LocalRoot(self.root), {INFO: info_bytes(self.info)})

    def _unmake_folder(self) -> None:
        """Remove the folder of a dataset that could not be begun, with what `create` wrote."""
        root = LocalRoot(self.root)
        root.remove(INFO)
        if not root.list():
            disk.remove_folder(self.root)


def _templates(info: DatasetInfo, version: FormatVersion) -> tuple[str, str | None]:
    """The version's templates of data and video paths, the latter only where `info` has one."""
    data, video = usual_templates(version)
    return data, None if info.video_path is None else video
