"""One push at work: what the branch has, the uploads, the commits, the tag."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from roboreel.errors import UsageError
from roboreel.hub.client import ConflictError, Token, api, asking, library
from roboreel.hub.environment import host
from roboreel.hub.push_options import PushOptions
from roboreel.hub.push_plan import PushPlan, Upload
from roboreel.hub.reference import HubReference
from roboreel.hub.remote_files import RemoteFile, list_files
from roboreel.progress.reporter import begin_phase
from roboreel.storage.local import trusted_bytes

MAIN = "main"
_COMMIT_FILES = 1000
"""Files in one commit; the Hub's own client goes no higher."""
_LARGE_COMMIT_FILES = 100
_GROUP_FILES, _GROUP_BYTES = 50, 256 << 20
"""Files that are uploaded between two reports of progress."""


@dataclass(frozen=True, slots=True)
class RemoteBranch:
    """What a branch has."""

    commit: str | None = None
    """None if it does not exist yet."""
    files: Mapping[str, RemoteFile] = field(default_factory=dict)


class PushWork:
    """One push at work."""

    def __init__(self, repo_id: str, options: PushOptions, token: Token) -> None:
        """Ask nothing yet."""
        self._repo_id, self._options = repo_id, options
        self._token = token
        self.branch = options.branch or MAIN
        self._reference = HubReference(repo_id, self.branch)
        self._names = {"repo_id": repo_id, "repo_type": "dataset"}
        self._head: str | None = None
        self.commits = 0

    def create(self) -> None:
        """Create the repository and the branch where they do not exist.

        Raises:
            HubError: the Hub cannot be reached, or refuses.
        """
        with asking(self._reference):
            hub = api(self._token)
            hub.create_repo(**self._names, private=self._options.private, exist_ok=True)
            if self.branch != MAIN and self.branch not in self._refs()[0]:
                hub.create_branch(**self._names, branch=self.branch, exist_ok=True)

    def look(self) -> RemoteBranch:
        """What the branch has now.

        Raises:
            UsageError: the branch is a tag.
            HubError: the Hub cannot be reached, or refuses.
        """
        with asking(self._reference):
            if not api(self._token).repo_exists(**self._names):
                return RemoteBranch()
            branches, tags = self._refs()
        if self.branch in tags and self.branch not in branches:
            raise UsageError(
                f"'{self.branch}' is a tag of '{self._repo_id}', and only branches can be pushed to: name"
                " a branch"
            )
        commit = branches.get(self.branch)
        # a branch that is to be created begins with the files of the main branch
        start = commit or branches.get(MAIN)
        return RemoteBranch(
            commit, list_files(self._reference, start, self._token) if start else {}
        )

    def read(self, branch: RemoteBranch, name: str) -> bytes | None:
        """The content of a small file of the branch; None if it has none."""
        if name not in branch.files or branch.commit is None:
            return None
        with asking(self._reference):
            path = api(self._token).hf_hub_download(
                **self._names, filename=name, revision=branch.commit
            )
        return trusted_bytes(path)

    def change(
        self, branch: RemoteBranch, plan: PushPlan, require_unchanged: Callable[[], object]
    ) -> str | None:
        """Upload and commit what a plan says; returns the branch's commit afterwards.

        May be called again with a new look and plan after it failed.

        Args:
            branch: what the branch has.
            plan: what to do.
            require_unchanged: raises if the local files have changed; called before each commit.

        Raises:
            ConflictError: someone else changed the branch in between.
            HubError: the Hub cannot be reached, or refuses.
        """
        parent = branch.commit
        limit = _LARGE_COMMIT_FILES if self._options.large else _COMMIT_FILES
        parts = plan.commits(limit)
        if parts and self._head is not None and self._head != parent:
            raise ConflictError(
                f"'{self._reference}': the branch on {host()} was changed by someone else during this push:"
                " check the changes, then try again"
            )
        self._head, done = parent, 0
        phase = begin_phase(f"uploading to {self._repo_id}", unit="bytes")
        for uploads, removals in parts:
            with asking(self._reference):
                operations: list[Any] = []
                for group in _groups(uploads):
                    operations += self._uploaded(group)
                    done += sum(one.size_bytes for one in group)
                    phase.reach(done, plan.upload_bytes)
                operations += [
                    library().CommitOperationDelete(path_in_repo=name, is_folder=False)
                    for name in removals
                ]
                require_unchanged()
                info = api(self._token).create_commit(
                    **self._names,
                    operations=operations,
                    commit_message="Push a dataset with roboreel",
                    revision=self.branch,
                    parent_commit=parent,
                )
            parent = self._head = str(info.oid)
            self.commits += 1
        return parent

    def tagged(self, name: str) -> str | None:
        """The commit that a tag names; None if there is no such tag.

        Raises:
            HubError: the Hub cannot be reached, or refuses.
        """
        with asking(self._reference):
            return self._refs()[1].get(name)

    def tag(self, name: str, commit: str) -> None:
        """Let a tag name a commit; it is removed first where it names another.

        Raises:
            HubError: the Hub cannot be reached, or refuses.
        """
        with asking(self._reference):
            hub, (_, tags) = api(self._token), self._refs()
            if tags.get(name) == commit:
                return
            if name in tags:
                hub.delete_tag(**self._names, tag=name)
            hub.create_tag(**self._names, tag=name, revision=commit, exist_ok=True)

    def _uploaded(self, group: Sequence[Upload]) -> list[Any]:
        """Operations that add some files, the contents of large ones uploaded."""
        additions = [
            library().CommitOperationAdd(path_in_repo=one.name, path_or_fileobj=one.content)
            for one in group
        ]
        api(self._token).preupload_lfs_files(
            **self._names, additions=additions, revision=self.branch
        )
        return additions

    def _refs(self) -> tuple[dict[str, str], dict[str, str]]:
        """Commits of the branches and of the tags, by name."""
        refs = api(self._token).list_repo_refs(**self._names)
        branches = {ref.name: str(ref.target_commit) for ref in refs.branches}
        return branches, {ref.name: str(ref.target_commit) for ref in refs.tags}


def _groups(uploads: Sequence[Upload]) -> Iterator[Sequence[Upload]]:
    """Uploads in groups that are small enough to tell of progress."""
    group: list[Upload] = []
    size = 0
    for one in uploads:
        if group and (len(group) == _GROUP_FILES or size + one.size_bytes > _GROUP_BYTES):
            yield group
            group, size = [], 0
        group.append(one)
        size += one.size_bytes
    if group:
        yield group
