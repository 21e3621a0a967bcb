"""Push a dataset to the Hub: what changed, in few commits."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from roboreel.dataset.dataset import Dataset
from roboreel.errors import UsageError, counted, require_keywords
from roboreel.hub.card_previews import card_previews
from roboreel.hub.client import Token, quiet, retried
from roboreel.hub.dataset_card import CARD, push_card
from roboreel.hub.open_reference import open_reference
from roboreel.hub.push_options import PushKeywords, PushOptions
from roboreel.hub.push_plan import PushPlan, local_files, plan_push, pushed_names
from roboreel.hub.push_report import PushReport
from roboreel.hub.push_work import PushWork, RemoteBranch
from roboreel.hub.reference import HubReference, is_repo_id
from roboreel.progress.choice import ProgressChoice, listening
from roboreel.storage.local import LocalRoot
from roboreel.storage.stamped import refuse_changed_files

if TYPE_CHECKING:
    from typing_extensions import Unpack

_SHOWN = 10


def push(
    dataset: Dataset | str | os.PathLike[str],
    repo_id: str,
    *,
    dry_run: bool = False,
    token: Token = None,
    progress: ProgressChoice = None,
    **options: Unpack[PushKeywords],
) -> PushReport:
    """Push a dataset to the Hub: upload what changed, remove what it no longer has, tag its version.

    Files whose content the Hub has are not uploaded again, so an interrupted push can be continued.
    A dataset card (`README.md`) is written too; text in an existing card is kept.

    Args:
        dataset: a local dataset, or its folder. It is only read.
        repo_id: `user/name` of the repository, which is created if it does not exist.
        dry_run: only compare, and report what a push would do.
        token: a token that may write, True for the stored one; None uses the stored one if there is one.
        progress: True shows a bar on the terminal or in the notebook; a function is called with a
            `ProgressEvent`.
        options: the fields of `PushOptions`.

    Raises:
        UsageError: an argument is wrong, the dataset is not complete, or the Hub has files that it does not
            have and `remove` is not set.
        HubError: the Hub cannot be reached, refuses, or someone else changed the branch meanwhile.
        StorageError, DatasetError: the dataset cannot be read, or changed during the push.
        MissingDependencyError: the extra `hub` is not installed.
    """
    require_keywords("push", options, PushKeywords.__annotations__)
    chosen = PushOptions(**options)  # type: ignore[arg-type]  # it makes tuples of what it is given
    if not is_repo_id(repo_id):
        raise UsageError(f"'{repo_id}' is not the name of a dataset on the Hub: expected user/name")
    local = dataset if isinstance(dataset, Dataset) else open_reference(dataset)
    if not isinstance(local.root, LocalRoot):
        raise UsageError(f"'{local.url}' is not a local folder: pull or convert it first")
    with quiet(HubReference(repo_id)), listening(progress):
        work = PushWork(repo_id, chosen, token)
        return _Push(local, repo_id, chosen, work).run(dry_run=dry_run)


class _Push:
    """One push, with what several attempts share."""

    def __init__(
        self, dataset: Dataset, repo_id: str, options: PushOptions, work: PushWork
    ) -> None:
        self._dataset, self._repo_id, self._options, self._work = dataset, repo_id, options, work
        self._files = local_files(dataset, options)
        self._compared: dict[tuple[str, str], bool] = {}
        self._previews = card_previews(dataset) if options.videos else {}
        self._uploads: dict[str, int] = {}
        self._removals: dict[str, None] = {}

    def run(self, *, dry_run: bool) -> PushReport:
        """Push, or compare only."""
        if dry_run:
            plan = self._plan(self._work.look())
            self._note(plan)
            return self._report(plan, None)
        return retried(self._attempt)

    def _attempt(self) -> PushReport:
        self._work.create()
        branch = self._work.look()
        plan = self._plan(branch)
        self._require_removals(plan)
        self._note(plan)
        commit = self._work.change(branch, plan, self._require_unchanged)
        if self._options.tag and commit is not None:
            self._work.tag(self._dataset.version.value, commit)
        return self._report(plan, commit)

    def _plan(self, branch: RemoteBranch) -> PushPlan:
        made = self._made(branch)
        return plan_push(
            self._dataset, self._files, made, branch.files, self._options, self._compared
        )

    def _made(self, branch: RemoteBranch) -> dict[str, bytes]:
        """The card and its images."""
        files = dict(self._previews.values())
        wanted = pushed_names([CARD, *files], self._options)
        made = {name: files[name] for name in wanted if name != CARD}
        if CARD not in wanted:
            return made
        local = CARD in self._dataset.files
        known = self._dataset.root.read(CARD) if local else self._work.read(branch, CARD)
        text = None if known is None else known.decode("utf-8", "replace")
        shown = {camera: path for camera, (path, _) in self._previews.items()}
        card = push_card(self._dataset, self._repo_id, shown, self._options, text)
        return {**made, CARD: card.encode()}

    def _require_unchanged(self) -> None:
        """Raise if a file has changed since the dataset was opened: a commit would mix two states of it."""
        reason = "was changed during the push, for example by a recorder: try again"
        refuse_changed_files(self._dataset.root, self._files, reason=reason)

    def _require_removals(self, plan: PushPlan) -> None:
        if not plan.removals or self._options.remove:
            return
        names = "".join(f"\n  - {name}" for name in plan.removals[:_SHOWN])
        more = len(plan.removals) - _SHOWN
        raise UsageError(
            f"branch '{self._work.branch}' of '{self._repo_id}' has {counted(len(plan.removals), 'file')}"
            f" that this dataset does not have:{names}"
            + (f"\n  - … and {more} more" if more > 0 else "")
            + "\nreaders would mix them with the new files. Pass remove=True to remove them, or push to"
            " another branch"
        )

    def _note(self, plan: PushPlan) -> None:
        """Remember what all attempts together do."""
        self._uploads |= {one.name: one.size_bytes for one in plan.uploads}
        self._removals |= dict.fromkeys(plan.removals)

    def _report(self, plan: PushPlan, commit: str | None) -> PushReport:
        return PushReport(
            path=self._dataset.url,
            repo_id=self._repo_id,
            branch=self._work.branch,
            version=self._dataset.version.value,
            commit=commit,
            uploaded=tuple(sorted(self._uploads)),
            uploaded_bytes=sum(self._uploads.values()),
            unchanged=len(plan.uploads) + len(plan.unchanged) - len(self._uploads),
            removed=tuple(sorted(self._removals)),
            commits=self._work.commits,
            tagged=commit is not None and self._options.tag,
        )
