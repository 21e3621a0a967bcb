"""Put the packet index of a dataset beside it on the Hub."""

from __future__ import annotations

import io

from roboreel.errors import HubError
from roboreel.hub.client import Token, quiet, retried
from roboreel.hub.environment import host
from roboreel.hub.push_options import PushOptions
from roboreel.hub.push_plan import PushPlan, Upload
from roboreel.hub.push_work import PushWork
from roboreel.hub.reference import HubReference
from roboreel.storage.video.packet_index import INDEX_FILE


def push_packet_index(
    reference: HubReference, data: bytes, *, version: str, token: Token = None
) -> str:
    """Commit an index to a repository; returns the commit. A tag of the branch's commit moves along.

    Args:
        reference: the repository, and the branch if it is not the main one.
        data: the index.
        version: the tag by which readers find the dataset, such as `v3.0`.
        token: a token that may write.

    Raises:
        UsageError: the revision is a tag.
        HubError: the Hub can't be reached, refused, or someone else changed the branch meanwhile.
    """
    with quiet(reference):
        return retried(lambda: _attempt(reference, data, version, token))


def _attempt(reference: HubReference, data: bytes, version: str, token: Token) -> str:
    work = PushWork(reference.repo_id, PushOptions(branch=reference.revision), token)
    branch = work.look()
    if branch.commit is None:
        raise HubError(f"'{reference.repo_id}' on {host()} has no branch '{work.branch}'")
    there = branch.files.get(INDEX_FILE)
    if there is not None and there.is_content(io.BytesIO(data)):
        return branch.commit
    upload = Upload(name=INDEX_FILE, size_bytes=len(data), content=data, replaces=there is not None)
    tagged = work.tagged(version)
    plan = PushPlan(uploads=(upload,), unchanged=(), removals=())
    commit = work.change(branch, plan, lambda: None)
    assert commit is not None
    if tagged == branch.commit:
        work.tag(version, commit)
    return commit
