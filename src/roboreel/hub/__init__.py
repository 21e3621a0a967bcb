"""Datasets on the Hub: references, versions, pulling. The only layer that uses `huggingface_hub`."""

from roboreel.hub.open_reference import local_copy, open_reference
from roboreel.hub.pull import fetch_missing, pull
from roboreel.hub.pull_report import PullReport
from roboreel.hub.push import push
from roboreel.hub.push_options import PushOptions
from roboreel.hub.push_report import PushReport
from roboreel.hub.reference import HubReference, parse_reference
from roboreel.hub.snapshots import snapshot_download
from roboreel.hub.versions import (
    BackwardCompatibilityError,
    CompatibilityError,
    ForwardCompatibilityError,
    check_version_compatibility,
    get_repo_versions,
    get_safe_version,
    is_valid_version,
    resolve_revision,
)

__all__ = [
    "BackwardCompatibilityError",
    "CompatibilityError",
    "ForwardCompatibilityError",
    "HubReference",
    "PullReport",
    "PushOptions",
    "PushReport",
    "check_version_compatibility",
    "fetch_missing",
    "get_repo_versions",
    "get_safe_version",
    "is_valid_version",
    "local_copy",
    "open_reference",
    "parse_reference",
    "pull",
    "push",
    "resolve_revision",
    "snapshot_download",
]
